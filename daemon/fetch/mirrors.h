#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "core/result.h"
#include "core/trust/remote.h"
#include "daemon/fetch/blob_source.h"
#include "daemon/fetch/retry.h"

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

/// Whether what a place has is wrong, or not whole, so that another place may do better: no answer that anybody signed.
bool is_wrong_there(const Error& error);
/// The failure of `first`, the url of the place that was asked first, where all of `places` were wrong.
Error wrong_everywhere(Error error, const std::string& first, std::size_t places);

/// Does `work`, which reads metadata as a whole, at the present place, and once at each of the others while what it finds there is wrong: behind what was
/// seen before, expired, damaged, or not whole. Where it is so everywhere, the failure is the first place's. What `work` learned and kept of one place
/// holds for the next.
template <class Work>
std::invoke_result_t<const Work&> at_a_good_place(Mirrors& mirrors, const Work& work) {
  const std::size_t places = mirrors.urls().size();
  std::string first;  // place, and its failure
  std::optional<Error> failure;
  for (std::size_t tries = 1;; ++tries) {
    auto done = work();
    if (done || places == 1) return done;
    const bool wrong = is_wrong_there(done.error());
    if (!wrong && !(failure && is_passing(done.error()))) return done;
    if (wrong) {
      const std::size_t which = mirrors.present();
      if (!failure) {
        failure = done.error();
        first = mirrors.urls()[which];
      }
      mirrors.pass_over(which, done.error());
    }
    if (tries >= places) return std::unexpected(wrong_everywhere(std::move(*failure), first, places));
  }
}

/// The same for blobs, which go on at the next place where the one before broke off. One that is not there is asked for elsewhere, too. Of one that is
/// damaged the next try is.
std::unique_ptr<BlobSource> mirrored(Mirrors& mirrors, std::vector<std::unique_ptr<BlobSource>> sources);

}  // namespace berth::fetch
