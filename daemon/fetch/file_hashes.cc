#include "daemon/fetch/file_hashes.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace berth::fetch {
namespace {

constexpr std::size_t kHashPiece = 128u << 10;  ///< two of them fit into a processor's own cache
constexpr std::size_t kWaiting = 6;             ///< files that the disk gets ready meanwhile
constexpr std::size_t kHashBlock = 64;          ///< what is hashed side by side comes in whole ones

}  // namespace

Result<void> FileHashes::add(Fd file, std::size_t number, const std::string& name, const Take& take, const std::stop_token& stop) {
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_WILLNEED);  // advice: it is read all the same
  waiting_.push_back({std::move(file), number, &name});
  return waiting_.size() > kWaiting ? hash_next(take, stop) : Result<void>();
}

Result<void> FileHashes::finish(const Take& take, const std::stop_token& stop) {
  while (!waiting_.empty() || lanes_[0].job.file || lanes_[1].job.file) BERTH_CHECK(hash_next(take, stop));
  return {};
}

/// Comes to the end of one of those that are next.
Result<void> FileHashes::hash_next(const Take& take, const std::stop_token& stop) {
  for (Lane& lane : lanes_) {
    if (lane.job.file || waiting_.empty()) continue;
    lane.job = std::move(waiting_.front());
    waiting_.pop_front();
    lane.left = {};
    lane.at_end = false;
  }
  if (lanes_[0].job.file && lanes_[1].job.file) return end_one(take, stop);
  const std::size_t lane = lanes_[0].job.file ? 0 : 1;
  auto hashed = hash_alone(lane, stop);
  std::string sha256 = pair_.hex(lane);
  return end(lane, hashed ? Result<std::string>(std::move(sha256)) : std::unexpected(std::move(hashed.error())), take, stop);
}

/// Hashes both side by side until one of them is at its end.
Result<void> FileHashes::end_one(const Take& take, const std::stop_token& stop) {
  while (true) {
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      auto filled = fill(lanes_[lane], stop);
      if (filled) continue;
      static_cast<void>(pair_.hex(lane));  // what it has of this file
      return end(lane, std::unexpected(std::move(filled.error())), take, stop);
    }
    const std::size_t both = std::min(lanes_[0].left.size(), lanes_[1].left.size()) / kHashBlock * kHashBlock;
    pair_.update(lanes_[0].left.substr(0, both), lanes_[1].left.substr(0, both));
    for (Lane& one : lanes_) one.left.remove_prefix(both);
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      Lane& one = lanes_[lane];
      if (one.left.size() >= kHashBlock) continue;
      pair_.update_one(lane, one.left);
      one.left = {};
      if (one.at_end) return end(lane, pair_.hex(lane), take, stop);
    }
  }
}

/// Tells of a file. Where that is a failure, one before it may be one as well, which is then the one to be told of.
Result<void> FileHashes::end(std::size_t lane, Result<std::string> sha256, const Take& take, const std::stop_token& stop) {
  lanes_[lane].job.file.reset();
  auto told = take(lanes_[lane].job.number, std::move(sha256));
  if (told) return told;
  waiting_.clear();
  Lane& other = lanes_[1 - lane];
  if (!other.job.file) return told;
  const bool is_before = other.job.number < lanes_[lane].job.number;
  auto hashed = is_before ? hash_alone(1 - lane, stop) : Result<void>();
  other.job.file.reset();
  std::string its = pair_.hex(1 - lane);
  if (!is_before) return told;
  auto before = take(other.job.number, hashed ? Result<std::string>(std::move(its)) : std::unexpected(std::move(hashed.error())));
  return before ? told : before;
}

Result<void> FileHashes::hash_alone(std::size_t lane, const std::stop_token& stop) {
  Lane& one = lanes_[lane];
  do {
    BERTH_CHECK(fill(one, stop));
    pair_.update_one(lane, one.left);
    one.left = {};
  } while (!one.at_end);
  return {};
}

/// Reads on where nothing is left. A regular file that gives less than was asked for is at its end.
Result<void> FileHashes::fill(Lane& lane, const std::stop_token& stop) {
  if (!lane.left.empty() || lane.at_end) return {};
  if (stop.stop_requested()) return fail(Errc::cancelled, "reading " + *lane.job.name + " was cancelled");
  lane.buffer.resize(kHashPiece);
  ssize_t got = 0;
  do got = ::read(lane.job.file.get(), lane.buffer.data(), lane.buffer.size());
  while (got < 0 && errno == EINTR);
  if (got < 0) return fail_errno("read " + *lane.job.name);
  lane.left = std::string_view(lane.buffer).substr(0, static_cast<std::size_t>(got));
  lane.at_end = lane.left.size() < kHashPiece;
  return {};
}

}  // namespace berth::fetch
