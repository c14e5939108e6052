#include "core/publish/blob_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/publish/hash_file.h"

namespace berth::publish {
bundle::BlobRef blob_of(std::string_view bytes) { return {.sha256 = crypto::sha256_hex(bytes), .size = bytes.size()}; }

/// By size: one that was cut short, by a copying tool for example, is written anew. `berth repo verify` reads them all.
bool BlobFolder::has(const bundle::BlobRef& ref) const {
  const auto is_in = [&](const std::filesystem::path& folder) {
    struct stat about {};
    return ::stat((folder / bundle::blob_path(ref.sha256)).c_str(), &about) == 0 && S_ISREG(about.st_mode) &&
           static_cast<std::uint64_t>(about.st_size) == ref.size;
  };
  return is_in(repository_) || (!published_.empty() && is_in(published_));
}

/// Where the lock's holder writes what is not a blob yet.
Result<Fd> BlobFolder::open_unfinished() const {
  BERTH_CHECK(files::make_directories(unfinished().parent_path()));
  return files::open(unfinished(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
}

Result<void> BlobFolder::finish(const bundle::BlobRef& ref, Fd file) const {
  if (::fchmod(file.get(), 0444) != 0 || ::fsync(file.get()) != 0) return fail_errno("write " + unfinished().string());
  return files::rename_durably(unfinished(), path_of(ref.sha256));
}

Result<std::uint64_t> BlobFolder::add(const bundle::BlobRef& ref, const std::filesystem::path& file) const {
  if (has(ref)) return 0;
  BERTH_TRY(const Fd fd, files::open(file, O_RDONLY));
  return add(ref, fd.get(), file.string());
}

Result<std::uint64_t> BlobFolder::add(const bundle::BlobRef& ref, int fd, const std::string& name) const {
  if (has(ref)) return 0;
  BERTH_TRY(Fd copy, open_unfinished());
  std::uint64_t left = ref.size;
  const auto write = [&](std::string_view piece) -> Result<void> {
    if (piece.size() > left) return fail(Errc::trust, fmt::format("{} is damaged: it is longer than the {} bytes it should have", name, ref.size));
    left -= piece.size();
    return files::write_all(copy.get(), piece, unfinished().string());
  };
  BERTH_TRY(const auto copied, hash_file(fd, name, write));
  if (copied != ref)
    return fail(Errc::trust, fmt::format("{} is damaged: it should have the SHA-256 {} and {} bytes, and has {} and {}; build it again", name,
                                         ref.sha256, ref.size, copied.sha256, copied.size));
  BERTH_CHECK(finish(ref, std::move(copy)));
  return ref.size;
}

Result<std::uint64_t> BlobFolder::add_bytes(const bundle::BlobRef& ref, std::string_view bytes) const {
  if (has(ref)) return 0;
  BERTH_TRY(Fd file, open_unfinished());
  BERTH_CHECK(files::write_all(file.get(), bytes, unfinished().string()));
  BERTH_CHECK(finish(ref, std::move(file)));
  return ref.size;
}

}  // namespace berth::publish
