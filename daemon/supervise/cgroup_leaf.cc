#include "daemon/supervise/cgroup_leaf.h"

#include <algorithm>
#include <cerrno>
#include <ranges>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::supervise {
namespace {

namespace fs = std::filesystem;

constexpr const char* kControllers[] = {"+memory", "+pids", "+cpu", "+io"};

/// What a folder does not have cannot be handed down: fine.
void hand_controllers_down(const fs::path& folder) {
  const auto control = files::open(folder / "cgroup.subtree_control", O_WRONLY);
  if (!control) return;
  for (const char* controller : kControllers) static_cast<void>(files::write_all(control->get(), controller, "cgroup.subtree_control"));
}

}  // namespace

Result<void> make_leaf(const fs::path& root, const fs::path& leaf) {
  fs::path folder = root;
  for (const fs::path& part : leaf.lexically_relative(root)) {
    hand_controllers_down(folder);
    folder /= part;
    if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("make the cgroup " + folder.string());
  }
  return {};
}

void remove_leaf(const fs::path& root, const fs::path& leaf) {
  std::vector<fs::path> folders;
  for (fs::path folder = leaf.parent_path(); folder != root && folder.has_relative_path(); folder = folder.parent_path()) folders.insert(folders.begin(), folder);
  folders.push_back(leaf);
  std::error_code ignored;
  for (fs::recursive_directory_iterator it(leaf, ignored), end; it != end; it.increment(ignored))
    if (it->symlink_status(ignored).type() == fs::file_type::directory) folders.push_back(it->path());
  // Its files are the kernel's, and go with it. A folder comes before what is in it.
  for (const fs::path& folder : folders | std::views::reverse) ::rmdir(folder.c_str());
}

std::vector<std::string> unenforced(const spec::Limits& limits, const std::string& leaf) {
  std::vector<std::string> words;
  for (const spec::CgroupValue& value : spec::cgroup_values(limits))
    if (!value.word.empty() && (leaf.empty() || ::access((leaf + "/" + value.file).c_str(), F_OK) != 0)) words.emplace_back(value.word);
  std::ranges::sort(words);
  return words;
}

}  // namespace berth::supervise
