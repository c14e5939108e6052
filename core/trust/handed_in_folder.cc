#include <algorithm>
#include <charconv>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/trust/handed_in.h"

namespace berth::trust {
namespace {

namespace fs = std::filesystem;

/// 7 of `7.web.json`; 0 for other names.
std::int64_t version_in(std::string_view name, const std::string& role) {
  std::int64_t version = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), version);
  return error == std::errc() && version > 0 && name == numbered_file(role, version) ? version : 0;
}

}  // namespace

Result<HandedInFolder> HandedInFolder::open(const fs::path& folder) {
  BERTH_TRY(Fd fd, files::open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return HandedInFolder(folder, std::move(fd));
}

Result<Fd> HandedInFolder::open_file(const std::string& relative) const {
  const std::string name = (path_ / relative).string();
  auto file = files::open_below(folder_.get(), relative, O_RDONLY | O_NONBLOCK);
  if (!file && file.error().code == Errc::not_found) return fail(Errc::not_found, fmt::format("{} is missing", name));
  if (!file) return fail(Errc::trust, fmt::format("{} cannot be read as a plain file: {}", name, file.error().message));
  struct stat about {};
  if (::fstat(file->get(), &about) != 0) return fail_errno("stat " + name);
  if (!S_ISREG(about.st_mode)) return fail(Errc::trust, fmt::format("{} is no plain file", name));
  return file;
}

Result<std::string> HandedInFolder::read(const std::string& relative, std::size_t most) const {
  BERTH_TRY(const Fd file, open_file(relative));
  return files::read(file.get(), (path_ / relative).string(), most);
}

std::vector<std::int64_t> HandedInFolder::versions(const std::string& role) const {
  std::vector<std::int64_t> found;
  std::error_code error;
  const fs::path metadata = fs::path("/proc/self/fd") / std::to_string(folder_.get()) / "metadata";
  if (fs::is_symlink(metadata, error)) return found;
  for (const auto& entry : fs::directory_iterator(metadata, error))
    if (const auto version = version_in(entry.path().filename().string(), role); version > 0) found.push_back(version);
  std::ranges::sort(found);
  return found;
}

void HandedInFolder::remove(const std::string& relative) const {
  const auto slash = relative.rfind('/');
  const auto parent = files::open_below(folder_.get(), slash == std::string::npos ? "." : relative.substr(0, slash), O_RDONLY | O_DIRECTORY);
  if (parent) ::unlinkat(parent->get(), relative.c_str() + (slash == std::string::npos ? 0 : slash + 1), 0);
}

}  // namespace berth::trust
