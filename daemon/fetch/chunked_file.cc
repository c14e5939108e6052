#include "daemon/fetch/chunked_file.h"

#include <algorithm>
#include <system_error>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "core/bundle/layer.h"
#include "core/files/files.h"

namespace berth::fetch {

using bundle::kChunk;

std::string short_hash(std::string_view sha256) { return std::string(sha256.substr(0, 12)) + "…"; }

ChunkedFile::ChunkedFile(bundle::BlobRef ref, std::vector<std::string> chunks, std::filesystem::path part)
    : ref_(std::move(ref)), chunks_(std::move(chunks)), part_(std::move(part)) {}

Result<ChunkedFile> ChunkedFile::open(const std::filesystem::path& part, bundle::BlobRef ref, std::vector<std::string> chunks) {
  if (chunks.size() != (ref.size + kChunk - 1) / kChunk)
    return fail(Errc::trust, fmt::format("blob {}: {} chunks are listed for {} bytes", short_hash(ref.sha256), chunks.size(), ref.size));
  ChunkedFile made(std::move(ref), std::move(chunks), part);
  BERTH_TRY(made.file_, files::open(part, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  BERTH_CHECK(made.keep_right_chunks());
  return made;
}

std::uint64_t ChunkedFile::size_of_chunk(std::uint64_t index) const { return std::min(kChunk, ref_.size - index * kChunk); }

Result<void> ChunkedFile::keep_right_chunks() {
  std::string chunk;
  for (std::size_t index = 0; index < chunks_.size(); ++index) {
    chunk.resize(size_of_chunk(index));
    const ssize_t got = ::pread(file_.get(), chunk.data(), chunk.size(), static_cast<off_t>(written_));
    if (got < 0) return fail_errno("read " + part_.string());
    if (static_cast<std::size_t>(got) != chunk.size() || crypto::sha256_hex(chunk) != chunks_[index]) break;
    whole_->hash.update(chunk);
    written_ += chunk.size();
  }
  if (::ftruncate(file_.get(), static_cast<off_t>(written_)) != 0) return fail_errno("cut " + part_.string());
  if (::lseek(file_.get(), static_cast<off_t>(written_), SEEK_SET) < 0) return fail_errno("seek in " + part_.string());
  return {};
}

Result<void> ChunkedFile::take(std::string_view bytes) {
  while (!bytes.empty()) {
    if (complete()) return fail(Errc::trust, fmt::format("is longer than the {} bytes that were signed for", ref_.size));
    const std::size_t want = size_of_chunk(written_ / kChunk) - filling_.size();
    const std::string_view piece = bytes.substr(0, want);
    bytes.remove_prefix(piece.size());
    filling_.reserve(kChunk);
    filling_ += piece;
    if (piece.size() == want) BERTH_CHECK(take_chunk());
  }
  return {};
}

Result<void> ChunkedFile::take_chunk() {
  std::string chunk = std::move(filling_);
  filling_ = std::move(spare_);
  filling_.clear();
  const std::uint64_t index = written_ / kChunk;
  if (crypto::sha256_hex(chunk) != chunks_[index]) {
    wrong_at_ = written_;
    return fail(Errc::trust, fmt::format("its MiB {} of {} is not what was signed for (SHA-256 differs; damaged on the server or on the way?)",
                                         index + 1, chunks_.size()));
  }
  const std::size_t size = chunk.size();
  BERTH_TRY(spare_, whole_->add(std::move(chunk), file_.get(), part_.string()));
  written_ += size;
  return complete() ? whole_->settle() : Result<void>();
}

Result<std::string> ChunkedFile::Whole::add(std::string next, int file, const std::string& name) {
  BERTH_CHECK(settle());
  chunk.swap(next);
  const auto take = [this, file, name] {
    written = files::write_all(file, chunk, name);
    hash.update(chunk);
  };
  try {
    adding = std::jthread(take);
  } catch (const std::system_error&) {
    take();  // the system has no more threads: then it takes longer
  }
  return next;
}

Result<void> ChunkedFile::Whole::settle() {
  if (adding.joinable()) adding.join();
  return written;
}

Result<void> ChunkedFile::check_whole() {
  BERTH_CHECK(whole_->settle());
  if (whole_->hash.hex() == ref_.sha256) return {};
  return fail(Errc::trust, "the whole is not what was signed for (SHA-256 differs), although each of its MiBs is what its index says");
}

}  // namespace berth::fetch
