#include "run/tree_watch.h"

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace berth::run {
namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR | IN_DONT_FOLLOW;

constexpr std::string_view kOfTools[] = {"node_modules", "__pycache__", ".venv", "venv", ".pytest_cache", ".mypy_cache", ".idea", ".vscode", ".DS_Store", "4913"};
constexpr std::string_view kEnvironments = "environments";
constexpr std::string_view kConfiguration[] = {"berth.toml", ".berthignore", "Procfile", ".env"};

/// What `sed -i` writes before it takes a file's place: "sed" and six random letters and digits, which no word has in it.
bool is_of_sed(std::string_view name) {
  if (name.size() != 9 || !name.starts_with("sed")) return false;
  const auto is_alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  const auto is_small = [](char c) { return c >= 'a' && c <= 'z'; };
  return std::ranges::all_of(name, is_alnum) && !std::ranges::all_of(name, is_small);
}

/// A file that an editor has beside the one it writes, or what an interpreter makes of a source.
bool is_passing(std::string_view name) {
  if (name.ends_with("~") || name.ends_with(".pyc") || name.ends_with(".swp") || name.ends_with(".swx") || name.ends_with(".tmp")) return true;
  return is_of_sed(name) || name.starts_with(".#") || (name.starts_with("#") && name.ends_with("#")) || name.starts_with(".goutputstream-");
}

bool is_below(std::string_view path, std::string_view folder) { return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'); }

std::string joined_path(const std::string& folder, std::string_view name) { return folder.empty() ? std::string(name) : folder + "/" + std::string(name); }

}  // namespace

bool counts_as_change(const publish::IgnoreRules& rules, std::string_view environment, std::string_view path, bool is_folder) {
  if (std::ranges::find(kConfiguration, path) != std::end(kConfiguration)) return true;
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    if (is_passing(part) || std::ranges::find(kOfTools, part) != std::end(kOfTools)) return false;
  }
  if (is_below(path, kEnvironments)) {
    if (path == kEnvironments) return is_folder && !environment.empty();
    return !environment.empty() && is_below(path.substr(kEnvironments.size() + 1), environment);
  }
  for (std::size_t end = path.find('/'); end != std::string_view::npos; end = path.find('/', end + 1))
    if (rules.leaves_out(path.substr(0, end), true)) return false;  // with all that is in it
  return !rules.leaves_out(path, is_folder);
}

Result<TreeWatch> TreeWatch::open(fs::path tree, std::string environment) {
  BERTH_TRY(auto rules, publish::IgnoreRules::of(tree));
  TreeWatch watch(std::move(tree), std::move(environment), std::move(rules));
  watch.inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch.inotify_) return fail_errno("watch " + watch.tree_.string() + " (inotify)");
  BERTH_CHECK(watch.watch({}, nullptr));
  return watch;
}

Result<void> TreeWatch::watch(const std::string& path, std::vector<std::string>* found) {
  const fs::path folder = tree_ / path;
  const int descriptor = ::inotify_add_watch(inotify_.get(), folder.c_str(), kEvents);
  if (descriptor < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return {};  // it went again, or is none of ours
  if (descriptor < 0 && errno == ENOSPC)
    return fail(Errc::no_space, fmt::format("{}: the kernel lets you watch no more folders: leave some out by .berthignore, or raise fs.inotify.max_user_watches", folder.string()));
  if (descriptor < 0) return fail_errno("watch " + folder.string());
  folders_[descriptor] = path;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    const std::string name = joined_path(path, entry->path().filename().string());
    std::error_code ignored;
    const bool is_folder = entry->symlink_status(ignored).type() == fs::file_type::directory;
    if (!counts_as_change(rules_, environment_, name, is_folder)) continue;
    if (!is_folder) turns_executable(name);
    if (found != nullptr && !is_folder && found->size() < kMostTold && std::ranges::find(*found, name) == found->end()) found->push_back(name);
    if (is_folder) BERTH_CHECK(watch(name, found));
  }
  return {};
}

bool TreeWatch::turns_executable(const std::string& path) {
  std::error_code failed;
  const fs::file_status status = fs::symlink_status(tree_ / path, failed);
  const bool is_executable = status.type() == fs::file_type::regular && (status.permissions() & fs::perms::owner_exec) != fs::perms::none;
  return is_executable ? executables_.insert(path).second : executables_.erase(path) > 0;
}

Result<std::vector<std::string>> TreeWatch::take() {
  std::vector<std::string> changed;
  const auto add = [&changed](const std::string& path) {
    if (changed.size() < kMostTold && std::ranges::find(changed, path) == changed.end()) changed.push_back(path);
  };
  alignas(inotify_event) char buffer[16 << 10];
  for (;;) {
    const ssize_t got = ::read(inotify_.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return changed;  // EAGAIN: all were taken
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & IN_Q_OVERFLOW) != 0) {
        add("more than can be told");
        BERTH_CHECK(watch({}, nullptr));
        continue;
      }
      if ((event->mask & IN_IGNORED) != 0) {
        folders_.erase(event->wd);
        continue;
      }
      const auto folder = folders_.find(event->wd);
      if (folder == folders_.end() || event->len == 0) continue;
      const std::string path = joined_path(folder->second, event->name);
      const bool is_folder = (event->mask & IN_ISDIR) != 0;
      if (!counts_as_change(rules_, environment_, path, is_folder)) continue;
      const bool is_new = (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0;
      if (is_folder && is_new) BERTH_CHECK(watch(path, &changed));
      // Of what else can be changed of a file, such as its times, a build has nothing.
      const bool turned = !is_folder && turns_executable(path);
      if ((event->mask & IN_ATTRIB) != 0 && !turned) continue;
      // A file that is made is still to be written; a link is whole.
      std::error_code ignored;
      if (!is_folder && (event->mask & IN_CREATE) != 0 && !fs::is_symlink(tree_ / path, ignored)) continue;
      if (!is_folder || (event->mask & (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)) != 0) add(path);
    }
  }
}

}  // namespace berth::run
