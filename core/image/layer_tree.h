#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::image {

using bundle::EntryType;

/// What lies at one path while layers are put on one another.
struct Node {
  EntryType type = EntryType::directory;
  int layer = 0;                ///< which one put it there
  bool executable = false;      ///< files
  std::uint64_t content = 0;    ///< files: a number of the caller's; hardlinks have the same
  std::string target;           ///< symlinks, as the image says it
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
};

/// A path of the merged tree.
struct Placed {
  std::string path;
  EntryType type = EntryType::directory;
  bool executable = false;
  std::uint64_t content = 0;
  std::string target;  ///< symlinks: relative, and never out of the tree, so that a layer of a bundle can have it
};

inline constexpr std::uint64_t kMostNodes = 1'000'000;

/// The root file system of an image, in memory: layers come one after the other, in the order of the image's manifest. A path that a layer names is
/// looked up with the tree as its root, so a symlink on the way leads where it would for a program in there, and nowhere else. Paths are in the
/// form of `parts_of`; one that cannot be is refused with `Errc::usage`, by name.
class LayerTree {
 public:
  /// `most` bounds the nodes that are ever made, folders on the way included: one entry of a layer may name hundreds of them.
  explicit LayerTree(std::uint64_t most = kMostNodes) : most_(most) {}

  /// The next layer begins: whiteouts from here on take away what the layers before put there, and no more.
  void begin_layer() { ++layer_; }

  /// Folders on the way are made where they are missing. What was there goes, but for a folder where a folder comes.
  Result<void> add_directory(std::string_view path);
  Result<void> add_file(std::string_view path, std::uint64_t content, bool executable);
  Result<void> add_symlink(std::string_view path, std::string_view target);
  /// A second name of the file or symlink `to`, which must be there.
  Result<void> add_hardlink(std::string_view path, std::string_view to);

  /// Whether `path` is a whiteout (its name begins with `.wh.`); acts on it if so (OCI image layer specification, "Whiteouts").
  Result<bool> white_out(std::string_view path);

  /// Makes `path`, which is one of a few fixed names, an empty folder for something to be mounted on, whatever was there.
  void make_mount_point(std::string_view path);

  /// Makes the folder `path` where it is missing, symlinks followed. `Errc::usage` where a file is in the way.
  Result<void> reach(std::string_view path);

  /// How many paths there are.
  std::size_t count() const;

  /// All of it, sorted by path as bytes.
  std::vector<Placed> list() const;

 private:
  /// A folder and the way to it from the root, without symlinks.
  struct Place {
    std::vector<std::pair<std::string, Node*>> way;
    std::size_t bytes = 0;  ///< of the path
  };
  enum class Missing { make, stop };

  Result<bool> walk(Place& place, std::vector<std::string> parts, Missing missing);
  Result<std::unique_ptr<Node>> make(EntryType type);
  Result<std::pair<Node*, std::string>> parent_and_name(std::string_view path);
  Result<Node*> put(std::string_view path, EntryType type);
  Result<void> set_target(Node& node, std::string_view path, std::string_view target);
  Node* at(const Place& place) { return place.way.empty() ? &root_ : place.way.back().second; }
  bool remove_lower(Node& node) const;

  Node root_;
  int layer_ = 0;
  std::uint64_t most_, made_ = 0;
  std::uint64_t target_bytes_ = 0;  ///< of all symlinks that were ever made
};

/// "./usr//bin/../x" → usr, bin, .., x.
std::vector<std::string> names_in(std::string_view path);

/// "./usr//bin/x" → usr, bin, x. A `/` in front counts for nothing. Fails with `Errc::usage` for `..`, and paths over 4095 bytes.
Result<std::vector<std::string>> parts_of(std::string_view path);

/// The target of a symlink that lies in the folder `folder` (its parts below `root`), as a bundle's layer can have it: relative, `..` in front only, no
/// higher than the root. It leads where the image's target would lead with `root` as "/".
std::string relative_target(const Node& root, const std::vector<std::string>& folder, std::string_view target);

}  // namespace berth::image
