// The layers of an image on one another: what comes of them is a tree that a layer of a bundle can have, folders first, whose links stay inside.

#include <set>
#include <string>

#include "core/bundle/paths.h"
#include "core/image/layer_tree.h"
#include "tests/fuzz/fuzz.h"

// Each line is an operation: a letter, a path, and for links what they lead to after a tab.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  image::LayerTree tree;
  tree.begin_layer();
  std::string_view rest = fuzz::text_of(data, size);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.empty()) continue;
    const std::string_view words = line.substr(1), path = words.substr(0, words.find('\t'));
    const std::string_view to = path.size() < words.size() ? words.substr(path.size() + 1) : std::string_view();
    switch (line[0]) {
      case 'n': tree.begin_layer(); break;
      case 'd': static_cast<void>(tree.add_directory(path)); break;
      case 'f': static_cast<void>(tree.add_file(path, 1, true)); break;
      case 'l': static_cast<void>(tree.add_symlink(path, to)); break;
      case 'h': static_cast<void>(tree.add_hardlink(path, to)); break;
      case 'w': static_cast<void>(tree.white_out(path)); break;
      case 'm': tree.make_mount_point("berth/data"); break;
      default: static_cast<void>(tree.reach(path)); break;
    }
  }
  std::set<std::string, std::less<>> folders;
  std::string last;
  for (const image::Placed& placed : tree.list()) {
    fuzz::must(last.empty() || last < placed.path, "paths are not in order, or come twice");
    last = placed.path;
    fuzz::must(placed.path.size() <= bundle::kLongestPath, "a path is too long");
    const auto parent = bundle::parent_of(placed.path);
    fuzz::must(parent.empty() || folders.contains(parent), "a path comes without its folder");
    if (placed.type == image::EntryType::directory) folders.insert(placed.path);
    if (placed.type != image::EntryType::symlink) continue;
    const std::string wrong = bundle::wrong_target(placed.path, placed.target);
    fuzz::must(wrong.find("leads out") == std::string::npos && wrong.find("down and up") == std::string::npos && wrong.find("absolute") == std::string::npos,
               "a link leads out of the tree");
  }
  return 0;
}
