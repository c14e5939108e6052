#include "core/files/files.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/core.h>

namespace berth::files {
namespace {

constexpr std::size_t kLeastPiece = 4u << 10, kMostPiece = 64u << 10;

fs::path folder_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

/// A name beside `path` that nobody else uses now. It starts with a dot and has no ending, so that nothing takes it for finished.
fs::path temporary_beside(const fs::path& path) {
  static std::atomic<unsigned> count{0};
  return folder_of(path) / fmt::format(".{}.{}-{}", path.filename().string().substr(0, 200), ::getpid(), count++);
}

/// Whether it is of `temporary_beside`.
bool is_temporary(std::string_view name) {
  const auto digits = [&](std::size_t from, std::size_t to) { return from < to && std::ranges::all_of(name.substr(from, to - from), [](char c) { return c >= '0' && c <= '9'; }); };
  const std::size_t dot = name.rfind('.'), dash = name.rfind('-');
  return name.starts_with('.') && dot != std::string_view::npos && dot > 1 && dash != std::string_view::npos && digits(dot + 1, dash) && digits(dash + 1, name.size());
}

/// Creates a temporary file; one that a crashed process of the same id left behind is taken away first.
Result<Fd> create_temporary(const fs::path& path, mode_t mode) {
  ::unlink(path.c_str());
  return open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
}

Result<void> write_whole(const fs::path& path, std::string_view content, mode_t mode) {
  BERTH_TRY(const Fd file, create_temporary(path, mode));
  if (::fchmod(file.get(), mode) != 0) return fail_errno("chmod " + path.string());  // whatever the umask is
  BERTH_CHECK(write_all(file.get(), content, path.string()));
  if (::fsync(file.get()) != 0) return fail_errno("fsync " + path.string());
  return {};
}

}  // namespace

Result<std::string> read(const fs::path& path, std::size_t most) {
  BERTH_TRY(const Fd file, open(path, O_RDONLY));
  return read(file.get(), path.string(), most);
}

Result<std::string> read(int fd, std::string_view name, std::size_t most) {
  std::string content;
  while (true) {
    const std::size_t had = content.size(), piece = std::clamp(had, kLeastPiece, kMostPiece);  // most files are small
    content.resize(had + piece);
    const ssize_t got = ::read(fd, content.data() + had, piece);
    const int error = errno;
    content.resize(had + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0 && error == EINTR) continue;
    if (got < 0) return fail_errno(fmt::format("read {}", name), error);
    if (content.size() > most) return fail(Errc::protocol, fmt::format("{}: longer than the {} bytes allowed", name, most));
    if (got == 0) return content;
  }
}

Result<void> write_all(int fd, std::string_view data, std::string_view name) {
  while (!data.empty()) {
    const ssize_t wrote = ::write(fd, data.data(), data.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail_errno(fmt::format("write {}", name));
    data.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

Result<void> replace(const fs::path& path, std::string_view content, mode_t mode) {
  const fs::path temporary = temporary_beside(path);
  if (auto written = write_whole(temporary, content, mode); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return fail_errno("rename to " + path.string(), error);
  }
  return sync(folder_of(path));
}

Result<Fd> open(const fs::path& path, int flags, mode_t mode) {
  Fd file(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!file) return fail_errno("open " + path.string());
  return file;
}

Result<Fd> open_below(int directory, std::string_view relative, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const std::string name(relative);
  if (name.find('\0') != std::string::npos) return fail(Errc::io, "open: a name with a NUL byte");
  Fd file(static_cast<int>(::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how)));
  if (!file) return fail_errno("open " + name);
  return file;
}

Result<void> make_directories(const fs::path& path, mode_t mode) {
  if (path.empty()) return {};
  struct stat about {};
  if (::stat(path.c_str(), &about) == 0) {
    if (S_ISDIR(about.st_mode)) return {};
    return fail_errno("make folder " + path.string(), ENOTDIR);
  }
  BERTH_CHECK(make_directories(path.parent_path(), mode));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail_errno("make folder " + path.string());
  return sync(folder_of(path));
}

Result<void> sync(const fs::path& path) {
  BERTH_TRY(const Fd file, open(path, O_RDONLY));
  if (::fsync(file.get()) != 0) return fail_errno("fsync " + path.string());
  return {};
}

Result<void> rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(fmt::format("rename {} to {}", from.string(), to.string()));
  BERTH_CHECK(sync(folder_of(to)));
  return folder_of(from) == folder_of(to) ? Result<void>() : sync(folder_of(from));
}

Result<void> exchange_durably(const fs::path& one, const fs::path& other) {
  if (::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) != 0)
    return fail_errno(fmt::format("exchange {} and {}", one.string(), other.string()));
  BERTH_CHECK(sync(folder_of(other)));
  return folder_of(one) == folder_of(other) ? Result<void>() : sync(folder_of(one));
}

Result<void> swap_symlink(const fs::path& link, const std::string& target) {
  const fs::path temporary = temporary_beside(link);
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) return fail_errno("make link " + temporary.string());
  return rename_durably(temporary, link);
}

void remove_left_temporaries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> left;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (is_temporary(entry->path().filename().native())) left.push_back(entry->path());
  for (const fs::path& path : left) fs::remove(path, error);
}

Result<std::uint64_t> free_bytes(const fs::path& path) {
  struct statvfs about {};
  if (::statvfs(path.c_str(), &about) != 0) return fail_errno("ask the free space of " + path.string());
  return static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize;
}

}  // namespace berth::files
