#include "core/publish/hash_file.h"

#include <cerrno>

#include <fcntl.h>

#include "core/bundle/layer.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::publish {
namespace {

/// Fills `buffer` as far as the file goes.
Result<std::string_view> read_piece(int fd, std::string& buffer, const std::string& name) {
  std::size_t have = 0;
  while (have < buffer.size()) {
    const ssize_t got = ::read(fd, buffer.data() + have, buffer.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + name);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  return std::string_view(buffer.data(), have);
}

}  // namespace

Result<bundle::BlobRef> hash_file(const std::filesystem::path& file, const std::function<Result<void>(std::string_view)>& piece) {
  BERTH_TRY(const Fd fd, files::open(file, O_RDONLY));
  return hash_file(fd.get(), file.string(), piece);
}

Result<bundle::BlobRef> hash_file(int fd, const std::string& name, const std::function<Result<void>(std::string_view)>& piece) {
  std::string buffer(bundle::kChunk, '\0');
  crypto::Sha256 hash;
  bundle::BlobRef blob;
  while (true) {
    BERTH_TRY(const std::string_view bytes, read_piece(fd, buffer, name));
    if (bytes.empty()) break;
    hash.update(bytes);
    blob.size += bytes.size();
    if (piece) BERTH_CHECK(piece(bytes));
  }
  blob.sha256 = hash.hex();
  return blob;
}

}  // namespace berth::publish
