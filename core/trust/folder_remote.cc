#include "core/trust/folder_remote.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::trust {
namespace {

constexpr std::string_view kScheme = "file://";

}  // namespace

bool is_folder(std::string_view location) {
  return location.starts_with(kScheme) || location.find("://") == std::string_view::npos;
}

Result<FolderRemote> FolderRemote::at(std::string_view location) {
  if (!is_folder(location)) return fail(Errc::usage, fmt::format("{}: is not a folder or a file:// URL", location));
  if (location.starts_with(kScheme)) {
    location.remove_prefix(kScheme.size());
    if (location.starts_with("localhost/")) location.remove_prefix(std::string_view("localhost").size());
    if (!location.starts_with('/')) return fail(Errc::usage, fmt::format("file://{}: give a whole path, as in file:///srv/repo", location));
  }
  return FolderRemote(location);
}

Result<std::string> FolderRemote::get(std::string_view path, std::uint64_t most) {
  const auto folder = files::open(folder_, O_PATH | O_DIRECTORY);
  // A folder that is away (not mounted) is not one that lacks the file: "no newer root" must not be concluded from it.
  if (!folder) return fail(Errc::unreachable, "repository: " + folder.error().message);
  // Without O_NONBLOCK a named pipe would hold the caller for ever.
  auto opened = files::open_below(folder->get(), path, O_RDONLY | O_NONBLOCK);
  if (!opened) return pass(std::move(opened.error()), folder_.string());
  const Fd file = std::move(*opened);
  const std::string name = (folder_ / path).string();
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return fail_errno("stat " + name);
  if (!S_ISREG(about.st_mode)) return fail(Errc::protocol, fmt::format("{}: is not a regular file", name));
  return files::read(file.get(), name, most);
}

}  // namespace berth::trust
