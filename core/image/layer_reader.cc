#include "core/image/layer_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/bundle/entry_rules.h"
#include "core/bundle/tar_header.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/image/archive_reader.h"

namespace berth::image {
namespace {

constexpr std::size_t kLayerPiece = 256u << 10;

/// A layer's file that is hashed while it is read.
class HashedFile {
 public:
  explicit HashedFile(Fd file) : file_(std::move(file)) {}

  static la_ssize_t read(archive* reader, void* self, const void** bytes) { return static_cast<HashedFile*>(self)->next(reader, bytes); }

  /// Reads what is left, and gives the hash of all.
  Result<std::string> finish() {
    const void* bytes = nullptr;
    for (;;) {
      const la_ssize_t got = next(nullptr, &bytes);
      if (got < 0) return fail_errno("read");
      if (got == 0) return hash_.hex();
    }
  }
  std::uint64_t size() const { return size_; }

 private:
  la_ssize_t next(archive* reader, const void** bytes) {
    ssize_t got;
    do got = ::read(file_.get(), piece_.data(), piece_.size());
    while (got < 0 && errno == EINTR);
    if (got < 0) {
      if (reader != nullptr) ::archive_set_error(reader, errno, "it cannot be read");
      return -1;
    }
    hash_.update(std::string_view(piece_.data(), static_cast<std::size_t>(got)));
    size_ += static_cast<std::uint64_t>(got);
    *bytes = piece_.data();
    return got;
  }

  Fd file_;
  crypto::Sha256 hash_;
  std::uint64_t size_ = 0;
  std::string piece_ = std::string(kLayerPiece, '\0');
};

/// What a decompressor gives, hashed and counted on its way to who reads the tar.
class HashedTar {
 public:
  HashedTar(archive* from, std::uint64_t most) : from_(from), most_(most) {}

  static la_ssize_t read(archive* reader, void* self, const void** bytes) {
    auto* tar = static_cast<HashedTar*>(self);
    const la_ssize_t got = tar->next(bytes);
    if (got > 0) return got;
    if (got == 0) return tar->pad(bytes);
    const char* why = ::archive_error_string(tar->from_);
    ::archive_set_error(reader, EIO, "%s", tar->too_long_ ? "it is too large" : why == nullptr ? "it is damaged" : why);
    return -1;
  }

  la_ssize_t next(const void** bytes) {
    const la_ssize_t got = ::archive_read_data(from_, piece_.data(), piece_.size());
    if (got <= 0) return got;
    size_ += static_cast<std::uint64_t>(got);
    too_long_ = size_ > most_;
    if (too_long_) return -1;
    hash_.update(std::string_view(piece_.data(), static_cast<std::size_t>(got)));
    *bytes = piece_.data();
    return got;
  }

  /// umoci leaves out what comes after the content of the last file, and Go's reader, which most runtimes have, does not miss it.
  la_ssize_t pad(const void** bytes) {
    const std::size_t missing = padded_ ? 0 : static_cast<std::size_t>(bundle::tar_padding(size_));
    padded_ = true;
    std::fill_n(piece_.begin(), missing, '\0');
    *bytes = piece_.data();
    return static_cast<la_ssize_t>(missing);
  }

  bool too_long() const { return too_long_; }
  std::uint64_t size() const { return size_; }
  std::string hex() { return hash_.hex(); }

 private:
  archive* from_;
  std::uint64_t most_, size_ = 0;
  bool too_long_ = false, padded_ = false;
  crypto::Sha256 hash_;
  std::string piece_ = std::string(kLayerPiece, '\0');
};

}  // namespace

/// The entries of one layer's tar.
class Unpacked {
 public:
  Unpacked(LayerReader& all, archive* tar, std::string name) : all_(all), tar_(tar), name_(std::move(name)) {}

  Result<void> run() {
    all_.tree_.begin_layer();
    for (;;) {
      archive_entry* entry = nullptr;
      const int got = ::archive_read_next_header(tar_, &entry);
      if (got == ARCHIVE_EOF) return {};
      if (got < ARCHIVE_WARN) return pass(unreadable().error(), name_);
      if (++all_.entries_ > all_.limits_.entries) return refuse(fmt::format("the layers hold more than {} entries", all_.limits_.entries));
      if (auto done = add(entry); !done) return pass(done.error(), name_);
    }
  }

 private:
  std::unexpected<Error> refuse(std::string_view what) const { return fail(Errc::usage, fmt::format("{}: {}", name_, what)); }
  std::unexpected<Error> unreadable() const {
    const char* why = ::archive_error_string(tar_);
    return fail(Errc::usage, fmt::format("cannot be read: {}", why == nullptr ? "damaged" : why));
  }

  Result<void> add(archive_entry* entry) {
    const char* path = ::archive_entry_pathname(entry);
    if (path == nullptr) return fail(Errc::usage, "an entry has a name that is not UTF-8");
    BERTH_TRY(const bool is_whiteout, all_.tree_.white_out(path));
    if (is_whiteout) return {};
    if (const char* to = ::archive_entry_hardlink(entry); to != nullptr) return all_.tree_.add_hardlink(path, to);
    count_losses(entry, path);
    switch (::archive_entry_filetype(entry)) {
      case AE_IFDIR: return all_.tree_.add_directory(path);
      case AE_IFLNK: return add_symlink(entry, path);
      case AE_IFREG: return add_file(entry, path);
      default: all_.losses_.devices.add(path); return {};
    }
  }

  void count_losses(archive_entry* entry, std::string_view path) {
    const bool is_file = ::archive_entry_filetype(entry) == AE_IFREG;
    const auto mode = ::archive_entry_perm(entry);
    if (is_file && (mode & (S_ISUID | S_ISGID)) != 0) all_.losses_.setuid.add(path);
    if (is_file && (mode & S_IROTH) == 0) all_.losses_.closed.add(path);
    if (has_capability(entry)) all_.losses_.capabilities.add(path);
  }

  Result<void> add_symlink(archive_entry* entry, const char* path) {
    const char* target = ::archive_entry_symlink(entry);
    return all_.tree_.add_symlink(path, target == nullptr ? "" : target);
  }

  /// Its content goes into a file of its own; whose name it gets is known when every layer was read.
  Result<void> add_file(archive_entry* entry, const char* path) {
    const std::string number = std::to_string(all_.next_);
    const Fd file(::openat(all_.contents_.get(), number.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file) return fail_errno("unpack " + bundle::shown(path));
    std::array<char, 64u << 10> piece;
    for (;;) {
      const la_ssize_t got = ::archive_read_data(tar_, piece.data(), piece.size());
      if (got < 0) return unreadable();
      if (got == 0) break;
      all_.bytes_ += static_cast<std::uint64_t>(got);
      if (all_.bytes_ > all_.limits_.bytes) return fail(Errc::usage, fmt::format("the layers hold more than {} bytes", all_.limits_.bytes));
      BERTH_CHECK(files::write_all(file.get(), std::string_view(piece.data(), static_cast<std::size_t>(got)), path));
    }
    const bool executable = (::archive_entry_perm(entry) & S_IXUSR) != 0;
    if (::fchmod(file.get(), executable ? 0755 : 0644) != 0) return fail_errno("chmod " + bundle::shown(path));
    BERTH_CHECK(all_.tree_.add_file(path, all_.next_, executable));
    ++all_.next_;
    return {};
  }

  LayerReader& all_;
  archive* tar_;
  std::string name_;
};

namespace {

ArchiveReader tar_reader() {
  ArchiveReader reader(::archive_read_new());
  ::archive_read_support_format_tar(reader.get());
  ::archive_read_support_format_empty(reader.get());  // a layer may hold nothing
  return reader;
}

/// Decompresses, by whatever the bytes say that they are.
ArchiveReader decompressor() {
  ArchiveReader reader(::archive_read_new());
  ::archive_read_support_format_raw(reader.get());
  for (const auto support : {&::archive_read_support_filter_gzip, &::archive_read_support_filter_zstd, &::archive_read_support_filter_bzip2,
                             &::archive_read_support_filter_xz})
    support(reader.get());
  return reader;
}

}  // namespace

Result<void> LayerReader::read(const Layer& layer) {
  const Utf8Locale locale;
  BERTH_TRY(Fd opened, files::open(layer.file, O_RDONLY | O_NOFOLLOW));
  HashedFile file(std::move(opened));
  const ArchiveReader plain = decompressor();
  // What a tar adds to its files is within a few times their number.
  HashedTar tar(plain.get(), limits_.bytes + limits_.entries * 4096);
  const auto unpack = [&]() -> Result<void> {
    archive_entry* whole = nullptr;
    if (::archive_read_open(plain.get(), &file, nullptr, &HashedFile::read, nullptr) != ARCHIVE_OK ||
        ::archive_read_next_header(plain.get(), &whole) != ARCHIVE_OK)
      return fail(Errc::usage, fmt::format("{}: cannot be read: {}", layer.name, why_of(plain)));
    const ArchiveReader reader = tar_reader();
    if (::archive_read_open(reader.get(), &tar, nullptr, &HashedTar::read, nullptr) != ARCHIVE_OK)
      return fail(Errc::usage, fmt::format("{}: is no tar that can be read: {}", layer.name, why_of(reader)));
    BERTH_CHECK(Unpacked(*this, reader.get(), layer.name).run());
    const void* rest = nullptr;
    la_ssize_t got;
    do got = tar.next(&rest);
    while (got > 0);
    if (got < 0) return fail(Errc::usage, fmt::format("{}: cannot be read: {}", layer.name, tar.too_long() ? "it is too large" : why_of(plain)));
    return {};
  };
  const auto unpacked = unpack();

  // A file that is not the one which the image names explains whatever else is wrong.
  auto hash = file.finish();
  if (!hash) return pass(hash.error(), layer.name);
  if (!layer.sha256.empty() && layer.size != 0 && file.size() != layer.size)
    return fail(Errc::trust, fmt::format("{}: has {} bytes, and the image says {} (truncated, or changed?)", layer.name, file.size(), layer.size));
  if (!layer.sha256.empty() && *hash != layer.sha256)
    return fail(Errc::trust, fmt::format("{}: its SHA-256 is {}, and the image says {}: it is damaged, or was changed", layer.name, *hash, layer.sha256));
  if (!unpacked) return unpacked;
  if (const std::string diff_id = tar.hex(); diff_id != layer.diff_id)
    return fail(Errc::trust, fmt::format("{}: the SHA-256 of its tar is {}, and the image's config says {}", layer.name, diff_id, layer.diff_id));
  return {};
}

Result<std::uint64_t> LayerReader::add_content(std::string_view content) {
  const std::string number = std::to_string(next_);
  const Fd file(::openat(contents_.get(), number.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return fail_errno("make a file");
  BERTH_CHECK(files::write_all(file.get(), content, "a file"));
  if (::fchmod(file.get(), 0644) != 0) return fail_errno("chmod a file");
  return next_++;
}

}  // namespace berth::image
