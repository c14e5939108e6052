#include "core/publish/blob_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/publish/hash_file.h"

namespace berth::publish {
namespace {

/// One name suffices under the lock; what a crash left there is written over.
constexpr const char* kBeingAdded = ".being-added";

}  // namespace

bundle::BlobRef blob_of(std::string_view bytes) { return {.sha256 = crypto::sha256_hex(bytes), .size = bytes.size()}; }

/// By size: one that was cut short, by a copying tool for example, is written anew. `berth repo verify` reads them all.
bool BlobFolder::has(const bundle::BlobRef& ref) const {
  struct stat about {};
  return ::stat(path_of(ref.sha256).c_str(), &about) == 0 && S_ISREG(about.st_mode) && static_cast<std::uint64_t>(about.st_size) == ref.size;
}

Result<std::uint64_t> BlobFolder::add(const bundle::BlobRef& ref, const std::filesystem::path& file) const {
  if (has(ref)) return 0;
  const auto path = path_of(ref.sha256);
  const auto temporary = path.parent_path() / kBeingAdded;
  BERTH_CHECK(files::make_directories(path.parent_path()));
  {
    BERTH_TRY(const Fd copy, files::open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    const auto write = [&](std::string_view piece) { return files::write_all(copy.get(), piece, temporary.string()); };
    BERTH_TRY(const auto copied, hash_file(file, write));
    if (copied != ref)
      return fail(Errc::trust, fmt::format("{} is damaged: it should have the SHA-256 {} and {} bytes, and has {} and {}; build it again",
                                           file.string(), ref.sha256, ref.size, copied.sha256, copied.size));
    if (::fchmod(copy.get(), 0444) != 0 || ::fsync(copy.get()) != 0) return fail_errno("write " + temporary.string());
  }
  BERTH_CHECK(files::rename_durably(temporary, path));
  return ref.size;
}

Result<std::uint64_t> BlobFolder::add_bytes(const bundle::BlobRef& ref, std::string_view bytes) const {
  if (has(ref)) return 0;
  const auto path = path_of(ref.sha256);
  BERTH_CHECK(files::make_directories(path.parent_path()));
  BERTH_CHECK(files::replace(path, bytes, 0444));
  return ref.size;
}

}  // namespace berth::publish
