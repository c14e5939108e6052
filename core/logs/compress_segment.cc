#include "core/logs/compress_segment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <memory>

#include "core/files/files.h"

namespace berth::logs {
namespace {

constexpr std::size_t kFrame = 128u << 10;   ///< bytes of text
constexpr int kLevel = 3;

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

/// Fills `into` as far as the file goes.
Result<std::size_t> read_frame(int fd, std::string& into, const std::string& name) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = ::read(fd, into.data() + done, into.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + name);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> compress_into(int to, int from, const std::string& name, const std::stop_token& stop) {
  const std::unique_ptr<ZSTD_CCtx, FreeCompressor> context(ZSTD_createCCtx());
  if (!context) return fail(Errc::io, "compress " + name + ": no memory");
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string text(kFrame, '\0'), frame(ZSTD_compressBound(kFrame), '\0');
  for (bool is_first = true;; is_first = false) {
    if (stop.stop_requested()) return fail(Errc::cancelled, "compress " + name + ": stopped");
    BERTH_TRY(const std::size_t size, read_frame(from, text, name));
    if (size == 0 && !is_first) return {};  // of an empty one there is an empty frame: a file without any is none to zstd
    const std::size_t packed = ZSTD_compress2(context.get(), frame.data(), frame.size(), text.data(), size);
    if (ZSTD_isError(packed) != 0) return fail(Errc::internal, "compress " + name + ": " + ZSTD_getErrorName(packed));
    BERTH_CHECK(files::write_all(to, std::string_view(frame).substr(0, packed), name + ".zst"));
  }
}

/// What tells it from others stays: whose it is, and when it was written.
Result<void> copy_attributes(int to, const struct stat& of, const std::string& name) {
  const timespec times[] = {of.st_atim, of.st_mtim};
  if (::fchown(to, of.st_uid, of.st_gid) != 0 || ::fchmod(to, kRotatedMode) != 0 || ::futimens(to, times) != 0) return fail_errno("keep the attributes of " + name);
  return {};
}

Result<void> write_compressed(const fs::path& temporary, int from, const struct stat& status, const std::string& name, const std::stop_token& stop) {
  BERTH_TRY(const Fd to, files::open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, kRotatedMode | S_IWUSR));
  BERTH_CHECK(compress_into(to.get(), from, name, stop));
  BERTH_CHECK(copy_attributes(to.get(), status, name));
  if (::fsync(to.get()) != 0) return fail_errno("fsync " + temporary.string());
  return {};
}

}  // namespace

std::vector<Segment> compressible_segments(const fs::path& folder) {
  auto segments = list_segments(folder);
  if (!segments || segments->size() <= 2) return {};
  segments->pop_back();  // the newest one is being written
  segments->pop_back();  // and by the one before it a keeper that begins knows how to go on numbering
  std::erase_if(*segments, [](const Segment& segment) { return segment.compressed; });
  return std::move(*segments);
}

Result<bool> compress_segment(const Segment& segment, std::stop_token stop) {
  const std::string name = segment.path.string();
  const auto from = files::open(segment.path, O_RDONLY | O_NOFOLLOW);
  if (!from && from.error().code == Errc::not_found) return false;
  if (!from) return pass(from.error());
  struct stat status {};
  if (::fstat(from->get(), &status) != 0) return fail_errno("stat " + name);
  if (!S_ISREG(status.st_mode) || (status.st_mode & 0777) != kRotatedMode) return false;

  // A fixed name: what a crash left there is written over by the next attempt. Keepers and readers pass it over.
  const fs::path temporary = segment.path.parent_path() / ("." + segment.path.filename().string() + ".zst");
  if (auto written = write_compressed(temporary, from->get(), status, name, stop); !written) {
    ::unlink(temporary.c_str());
    return pass(std::move(written.error()));
  }
  struct stat now {};
  if (::fstat(from->get(), &now) == 0 && now.st_nlink == 0) {
    ::unlink(temporary.c_str());
    return false;
  }
  if (auto renamed = files::rename_durably(temporary, segment.path.string() + ".zst"); !renamed) {
    ::unlink(temporary.c_str());
    return pass(std::move(renamed.error()));
  }
  if (::unlink(segment.path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove " + name);
  return true;
}

}  // namespace berth::logs
