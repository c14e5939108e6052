#include "core/publish/archive.h"

#include <algorithm>
#include <memory>
#include <optional>

#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/core.h>

#include "core/bundle/losses.h"
#include "core/files/files.h"
#include "core/image/archive_reader.h"

namespace berth::publish {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 256u << 10;
constexpr std::size_t kLongestPath = 4095;

class Unpacking {
 public:
  Unpacking(std::string name, image::ArchiveReader reader, Fd root, const ArchiveLimits& limits)
      : name_(std::move(name)), reader_(std::move(reader)), root_(std::move(root)), limits_(limits), buffer_(kPiece, '\0') {}

  Result<std::vector<std::string>> run();

 private:
  std::unexpected<Error> refuse(std::string_view what) const { return fail(Errc::usage, fmt::format("{}: {}", name_, what)); }
  std::unexpected<Error> unreadable() const;
  Result<std::string> inner_path(const char* text, std::string_view of) const;
  Result<void> unpack(archive_entry* entry);
  Result<void> make_folder(const std::string& path);
  Result<Fd> parent_of(const std::string& path);
  Result<void> write_file(archive_entry* entry, const std::string& path);
  Result<void> link_file(archive_entry* entry, const std::string& path, const char* target);
  Result<void> make_symlink(const std::string& path, const char* target);
  std::unexpected<Error> not_made(const std::string& path) const;

  std::string name_;
  image::ArchiveReader reader_;
  Fd root_;
  ArchiveLimits limits_;
  std::string buffer_;
  std::uint64_t bytes_ = 0, entries_ = 0;
  bundle::Losses losses_;
};

std::unexpected<Error> Unpacking::unreadable() const {
  const char* why = ::archive_error_string(reader_.get());
  return refuse(fmt::format("cannot be read: {}", why == nullptr ? "damaged" : why));
}

/// A path of the archive, below its root: "./a//b/" → "a/b"; empty for the root itself.
Result<std::string> Unpacking::inner_path(const char* text, std::string_view of) const {
  if (text == nullptr) return refuse(fmt::format("{} has a name that is not UTF-8", of));
  std::string_view rest(text);
  if (rest.starts_with('/')) return refuse(fmt::format("'{}' is an absolute path", rest));
  std::string path;
  for (std::size_t begin = 0; begin <= rest.size();) {
    const auto end = std::min(rest.find('/', begin), rest.size());
    const auto part = rest.substr(begin, end - begin);
    if (part == "..") return refuse(fmt::format("'{}' leads out of the archive", rest));
    if (!part.empty() && part != ".") path += (path.empty() ? "" : "/") + std::string(part);
    begin = end + 1;
  }
  if (path.size() > kLongestPath) return refuse(fmt::format("'{}…' is longer than {} bytes", path.substr(0, 80), kLongestPath));
  return path;
}

std::unexpected<Error> Unpacking::not_made(const std::string& path) const {
  const int number = errno;
  if (number == EEXIST) return refuse(fmt::format("'{}' is in it twice", path));
  return fail_errno("unpack " + path, number);
}

Result<void> Unpacking::make_folder(const std::string& path) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    const auto slash = part.rfind('/');
    BERTH_TRY(const Fd parent, files::open_below(root_.get(), slash == std::string::npos ? "." : part.substr(0, slash), O_RDONLY | O_DIRECTORY));
    const std::string base = part.substr(slash + 1);  // 0 where there is none
    if (::mkdirat(parent.get(), base.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("unpack " + part);
    if (end == std::string::npos) break;
  }
  // What was there may be a file or a link; a folder it has to be.
  if (!files::open_below(root_.get(), path, O_RDONLY | O_DIRECTORY)) return refuse(fmt::format("'{}' is a folder and something else as well", path));
  return {};
}

/// The folder that `path` goes into, made where the archive did not list it.
Result<Fd> Unpacking::parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return files::open_below(root_.get(), ".", O_RDONLY | O_DIRECTORY);
  BERTH_CHECK(make_folder(path.substr(0, slash)));
  return files::open_below(root_.get(), path.substr(0, slash), O_RDONLY | O_DIRECTORY);
}

std::string base_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Result<void> Unpacking::write_file(archive_entry* entry, const std::string& path) {
  BERTH_TRY(const Fd parent, parent_of(path));
  const mode_t mode = (::archive_entry_perm(entry) & S_IXUSR) != 0 ? 0755 : 0644;
  const Fd file(::openat(parent.get(), base_of(path).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file) return not_made(path);
  if (::fchmod(file.get(), mode) != 0) return fail_errno("chmod " + path);
  while (true) {
    const la_ssize_t got = ::archive_read_data(reader_.get(), buffer_.data(), buffer_.size());
    if (got < 0) return unreadable();
    if (got == 0) return {};
    bytes_ += static_cast<std::uint64_t>(got);
    if (bytes_ > limits_.bytes) return refuse(fmt::format("holds more than the {} bytes that are unpacked at most", limits_.bytes));
    BERTH_CHECK(files::write_all(file.get(), std::string_view(buffer_.data(), static_cast<std::size_t>(got)), path));
  }
}

/// A hardlink of tar: a second name of a file that came before.
Result<void> Unpacking::link_file(archive_entry* entry, const std::string& path, const char* target) {
  BERTH_TRY(const std::string from, inner_path(target, path));
  const auto file = files::open_below(root_.get(), from, O_RDONLY | O_NOFOLLOW);
  struct stat about {};
  if (!file || ::fstat(file->get(), &about) != 0 || !S_ISREG(about.st_mode))
    return refuse(fmt::format("'{}' is a link to '{}', which is no file that came before it", path, from));
  BERTH_TRY(const Fd from_parent, parent_of(from));
  BERTH_TRY(const Fd parent, parent_of(path));
  if (::linkat(from_parent.get(), base_of(from).c_str(), parent.get(), base_of(path).c_str(), 0) != 0) return not_made(path);
  if (::archive_entry_size(entry) > 0 && ::archive_read_data_skip(reader_.get()) < ARCHIVE_WARN) return unreadable();
  return {};
}

/// Whether a link at `path` leads out of the tree: it may go up as far as the root.
bool leaves(const std::string& path, std::string_view target) {
  if (target.starts_with('/')) return true;
  auto depth = std::ranges::count(path, '/');
  for (std::size_t begin = 0; begin <= target.size();) {
    const auto end = std::min(target.find('/', begin), target.size());
    const auto part = target.substr(begin, end - begin);
    if (part == "..") {
      if (--depth < 0) return true;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
    begin = end + 1;
  }
  return false;
}

Result<void> Unpacking::make_symlink(const std::string& path, const char* target) {
  if (target == nullptr || *target == '\0') return refuse(fmt::format("'{}' is a link to nothing", path));
  if (leaves(path, target)) return refuse(fmt::format("'{}' is a link to '{}', which leads out of the archive", path, target));
  BERTH_TRY(const Fd parent, parent_of(path));
  if (::symlinkat(target, parent.get(), base_of(path).c_str()) != 0) return not_made(path);
  return {};
}

Result<void> Unpacking::unpack(archive_entry* entry) {
  BERTH_TRY(const std::string path, inner_path(::archive_entry_pathname(entry), "an entry"));
  const auto type = ::archive_entry_filetype(entry);
  if (path.empty()) return type == AE_IFDIR ? Result<void>() : refuse("an entry has no name");
  if ((::archive_entry_perm(entry) & (S_ISUID | S_ISGID)) != 0 && type == AE_IFREG) losses_.setuid.add(path);
  if (type == AE_IFREG && image::has_capability(entry)) losses_.capabilities.add(path);
  if (const char* target = ::archive_entry_hardlink(entry); target != nullptr) return link_file(entry, path, target);
  switch (type) {
    case AE_IFREG: return write_file(entry, path);
    case AE_IFDIR: return make_folder(path);
    case AE_IFLNK: return make_symlink(path, ::archive_entry_symlink(entry));
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFIFO:
    case AE_IFSOCK: losses_.devices.add(path); return {};
    default: return refuse(fmt::format("'{}' is of a kind that a build cannot have", path));
  }
}

Result<std::vector<std::string>> Unpacking::run() {
  while (true) {
    archive_entry* entry = nullptr;
    const int got = ::archive_read_next_header(reader_.get(), &entry);
    if (got == ARCHIVE_EOF) break;
    if (got < ARCHIVE_WARN) return unreadable();
    if (++entries_ > limits_.entries) return refuse(fmt::format("holds more than the {} entries that are unpacked at most", limits_.entries));
    BERTH_CHECK(unpack(entry));
  }
  // libarchive takes a file of zeros, or none at all, for an empty tar.
  if (entries_ == 0) return refuse("is an empty archive");
  return losses_.notes();
}

}  // namespace

Result<std::vector<std::string>> unpack_archive(const fs::path& file, const fs::path& folder, const ArchiveLimits& limits) {
  const image::Utf8Locale locale;
  BERTH_TRY(const Fd opened, files::open(file, O_RDONLY));
  image::ArchiveReader reader(::archive_read_new());
  for (const auto support : {&::archive_read_support_format_zip, &::archive_read_support_format_tar, &::archive_read_support_filter_gzip,
                             &::archive_read_support_filter_xz, &::archive_read_support_filter_zstd, &::archive_read_support_filter_bzip2})
    support(reader.get());
  if (::archive_read_open_fd(reader.get(), opened.get(), kPiece) != ARCHIVE_OK) {
    const char* why = ::archive_error_string(reader.get());
    return fail(Errc::usage, fmt::format("{}: is no ZIP or tar that can be read: {}", file.string(), why == nullptr ? "damaged" : why));
  }
  BERTH_CHECK(files::make_directories(folder));
  BERTH_TRY(Fd root, files::open(folder, O_RDONLY | O_DIRECTORY));
  return Unpacking(file.string(), std::move(reader), std::move(root), limits).run();
}

}  // namespace berth::publish
