#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/bundle/manifest.h"
#include "core/files/fd.h"
#include "core/result.h"

namespace berth::publish {

/// The blobs of a repository's folder, `blobs/sha256/<hex>`: never changed once they are there. To be used by whoever holds the repository's lock.
class BlobFolder {
 public:
  explicit BlobFolder(std::filesystem::path repository) : repository_(std::move(repository)) {}
  /// Of a folder whose blobs go to a repository later: what `published` has is not written again.
  BlobFolder(std::filesystem::path folder, std::filesystem::path published) : repository_(std::move(folder)), published_(std::move(published)) {}

  /// Copies `file`, which must be the blob `ref`, and makes it durable. Gives the bytes written: 0 where it was there. `Errc::trust` where the file
  /// is damaged.
  Result<std::uint64_t> add(const bundle::BlobRef& ref, const std::filesystem::path& file) const;
  /// The same of an open file, which is read no further than `ref` is long.
  Result<std::uint64_t> add(const bundle::BlobRef& ref, int fd, const std::string& name) const;
  /// The same for bytes.
  Result<std::uint64_t> add_bytes(const bundle::BlobRef& ref, std::string_view bytes) const;

  std::filesystem::path path_of(const std::string& sha256) const { return repository_ / bundle::blob_path(sha256); }

  /// Whether a blob of that size is there.
  bool has(const bundle::BlobRef& ref) const;

 private:
  Result<Fd> open_unfinished() const;
  Result<void> finish(const bundle::BlobRef& ref, Fd file) const;
  /// One name suffices under the lock; what a crash left there is written over.
  std::filesystem::path unfinished() const { return repository_ / "blobs/sha256/.being-added"; }

  std::filesystem::path repository_, published_;
};

/// What bytes are as a blob.
bundle::BlobRef blob_of(std::string_view bytes);

}  // namespace berth::publish
