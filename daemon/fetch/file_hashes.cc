#include "daemon/fetch/file_hashes.h"

#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "core/crypto/sha256.h"

namespace berth::fetch {
namespace {

constexpr std::size_t kHashPiece = 128u << 10;  ///< fits into a processor's own cache
constexpr std::size_t kWaiting = 6;             ///< files that the disk gets ready meanwhile

}  // namespace

Result<void> FileHashes::add(Fd file, std::size_t number, const std::string& name, const Take& take, const std::stop_token& stop) {
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_WILLNEED);  // advice: it is read all the same
  waiting_.push_back({std::move(file), number, &name});
  return waiting_.size() > kWaiting ? hash_next(take, stop) : Result<void>();
}

Result<void> FileHashes::finish(const Take& take, const std::stop_token& stop) {
  while (!waiting_.empty()) BERTH_CHECK(hash_next(take, stop));
  return {};
}

Result<void> FileHashes::hash_next(const Take& take, const std::stop_token& stop) {
  const Job job = std::move(waiting_.front());
  waiting_.pop_front();
  auto told = take(job.number, hash(job, stop));
  if (!told) waiting_.clear();
  return told;
}

/// A regular file that gives less than was asked for is at its end, which saves a call: most files are small. What is cut short by that has another hash.
Result<std::string> FileHashes::hash(const Job& job, const std::stop_token& stop) {
  crypto::Sha256 hash;
  buffer_.resize(kHashPiece);
  for (ssize_t got = kHashPiece; got == static_cast<ssize_t>(kHashPiece);) {
    if (stop.stop_requested()) return fail(Errc::cancelled, "reading " + *job.name + " was cancelled");
    do got = ::read(job.file.get(), buffer_.data(), buffer_.size());
    while (got < 0 && errno == EINTR);
    if (got < 0) return fail_errno("read " + *job.name);
    hash.update(std::string_view(buffer_).substr(0, static_cast<std::size_t>(got)));
  }
  return hash.hex();
}

}  // namespace berth::fetch
