#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/trust/remote.h"
#include "daemon/fetch/blob_source.h"

namespace berth::fetch {

/// The places that a repository is at, and which of them is asked: the first that answered, until it fails or a while is over. From any thread.
class Mirrors {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::minutes kReturn{10};  ///< after that the first is tried again

  /// `note` is told of each place that is passed over, and why.
  Mirrors(std::vector<std::string> urls, std::function<void(const std::string&)> note) : urls_(std::move(urls)), note_(std::move(note)) {}

  const std::vector<std::string>& urls() const { return urls_; }
  std::size_t present(Clock::time_point now = Clock::now());
  /// The place `which` failed: the one after it is asked from now on, if `which` still is the present one.
  void pass_over(std::size_t which, const Error& why, Clock::time_point now = Clock::now());

 private:
  std::vector<std::string> urls_;
  std::function<void(const std::string&)> note_;
  std::mutex mutex_;
  std::size_t present_ = 0;
  Clock::time_point since_{};
};

/// A remote for each place; what the present one cannot give because it is unreachable, the next is asked for. A file that is not there is an answer:
/// which roots there are is found out so.
std::unique_ptr<trust::Remote> mirrored(Mirrors& mirrors, std::vector<std::unique_ptr<trust::Remote>> remotes);

/// The same for blobs, which go on at the next place where the one before broke off. One that is not there is asked for elsewhere, too. Of one that is
/// damaged the next try is.
std::unique_ptr<BlobSource> mirrored(Mirrors& mirrors, std::vector<std::unique_ptr<BlobSource>> sources);

}  // namespace berth::fetch
