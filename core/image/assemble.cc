#include "core/image/assemble.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/bundle/entry_rules.h"
#include "core/bundle/paths.h"
#include "core/files/files.h"
#include "core/spec/image_root.h"

namespace berth::image {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHosts = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

/// A read-only slot cannot gain them later.
Result<void> add_mount_points(LayerTree& tree, LayerReader& reader) {
  for (const std::string_view path : spec::kImageMounts) tree.make_mount_point(path);
  BERTH_TRY(const auto hosts, reader.add_content(kHosts));
  BERTH_TRY(const auto empty, reader.add_content(""));
  BERTH_CHECK(tree.add_file(spec::kImageHosts, hosts, false));
  return tree.add_file(spec::kImageResolver, empty, false);
}

/// `.env` is left out of every build; a folder of that name is Python's.
bool is_environment_file(const Placed& placed) {
  const auto slash = placed.path.rfind('/');
  return placed.type == EntryType::file && placed.path.substr(slash == std::string::npos ? 0 : slash + 1) == ".env";
}

Result<void> check_place(const Placed& placed) {
  std::string wrong = bundle::wrong_path(placed.path);
  if (wrong.empty() && placed.type == EntryType::symlink) wrong = bundle::wrong_target(placed.path, placed.target);
  return wrong.empty() ? Result<void>() : fail(Errc::usage, fmt::format("the image has a path '{}', which {}", bundle::shown(placed.path), wrong));
}

}  // namespace

Result<void> write_tree(const LayerTree& tree, const fs::path& contents, const fs::path& folder, bundle::Losses& losses) {
  BERTH_CHECK(files::make_directories(folder));
  BERTH_TRY(const Fd root, files::open(folder, O_RDONLY | O_DIRECTORY));
  BERTH_TRY(const Fd from, files::open(contents, O_RDONLY | O_DIRECTORY));
  // Before they are listed, which takes a path for each and follows every symlink.
  if (tree.count() > bundle::kMostEntries)
    return fail(Errc::usage, fmt::format("the image has more than {} files and folders, the most that a build has", bundle::kMostEntries));
  // Folders come before what is in them, and none of them is a symlink: there is nothing to be led astray by.
  for (const Placed& placed : tree.list()) {
    BERTH_CHECK(check_place(placed));
    if (is_environment_file(placed)) {
      losses.environments.add(placed.path);
      continue;
    }
    const std::string content = std::to_string(placed.content);
    int done = 0;
    switch (placed.type) {
      case EntryType::directory: done = ::mkdirat(root.get(), placed.path.c_str(), 0755); break;
      case EntryType::symlink: done = ::symlinkat(placed.target.c_str(), root.get(), placed.path.c_str()); break;
      case EntryType::file: done = ::linkat(from.get(), content.c_str(), root.get(), placed.path.c_str(), 0); break;
    }
    if (done != 0) return fail_errno("unpack " + bundle::shown(placed.path));
  }
  return files::remove_tree(contents);
}

Result<std::vector<std::string>> assemble(const Image& image, const fs::path& work, const fs::path& folder, const std::string& directory,
                                          const Limits& limits) {
  BERTH_CHECK(files::make_directories(work));
  BERTH_TRY(Fd contents, files::open(work, O_RDONLY | O_DIRECTORY));
  LayerTree tree(limits.entries);
  LayerReader reader(tree, std::move(contents), limits);
  for (const Layer& layer : image.layers) BERTH_CHECK(reader.read(layer));
  tree.begin_layer();
  BERTH_CHECK(add_mount_points(tree, reader));
  BERTH_CHECK(tree.reach(directory));
  bundle::Losses losses = reader.losses();
  BERTH_CHECK(write_tree(tree, work, folder, losses));
  return losses.notes();
}

}  // namespace berth::image
