#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/bundle/manifest.h"
#include "core/crypto/sha256.h"
#include "core/files/fd.h"
#include "core/result.h"

namespace berth::fetch {

/// A blob on its way into a file. Only whole chunks whose hashes are right get there; the bytes of the chunk that is being filled wait in
/// memory (a MiB at most), and so does the one before while it is hashed.
class ChunkedFile {
 public:
  /// Opens `part`; the right chunks at its front are kept, the rest is cut off.
  static Result<ChunkedFile> open(const std::filesystem::path& part, bundle::BlobRef ref, std::vector<std::string> chunks);

  /// Takes the next bytes. `Errc::trust` for a chunk that is wrong, which is dropped; and where there are more than the blob has.
  Result<void> take(std::string_view bytes);

  /// The next byte that is wanted.
  std::uint64_t position() const { return written_ + filling_.size(); }
  bool complete() const { return written_ == ref_.size; }
  /// The place of the chunk that was found wrong last.
  std::uint64_t wrong_at() const { return wrong_at_; }

  /// Compares the whole with its hash, once it is complete.
  Result<void> check_whole();

 private:
  ChunkedFile(bundle::BlobRef ref, std::vector<std::string> chunks, std::filesystem::path part);
  Result<void> keep_right_chunks();
  Result<void> take_chunk();
  std::uint64_t size_of_chunk(std::uint64_t index) const;

  bundle::BlobRef ref_;
  std::vector<std::string> chunks_;
  std::filesystem::path part_;
  Fd file_;
  std::uint64_t written_ = 0;  ///< of right chunks; the last one may be on its way
  std::string filling_;
  std::string spare_;  ///< memory for the next one
  std::uint64_t wrong_at_ = 0;

  /// The hash of all chunks so far. A right chunk is added, and written, beside what is done with the next one; it stays where it is when this is moved.
  struct Whole {
    /// Fails where the one before could not be written. Returns a string that is of no more use, for its memory.
    Result<std::string> add(std::string next, int file, const std::string& name);
    /// Once all are added and written.
    Result<void> settle();

    crypto::Sha256 hash;
    std::string chunk;
    Result<void> written;
    std::jthread adding;  ///< while it runs, the others are its own
  };
  std::unique_ptr<Whole> whole_ = std::make_unique<Whole>();
};

/// The front of a digest, enough for a person to tell it.
std::string short_hash(std::string_view sha256);

}  // namespace berth::fetch
