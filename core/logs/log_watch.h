#pragma once

#include <chrono>
#include <filesystem>
#include <set>
#include <string>

#include "core/files/fd.h"
#include "core/ids.h"
#include "core/result.h"

namespace berth::logs {

/// Tells when the logs of an app grow, rotate, or gain an instance (inotify).
class LogWatch {
 public:
  /// Watches from now on; make it before reading, so that nothing falls between. `Errc::not_found` where there are no logs.
  static Result<LogWatch> open(std::filesystem::path root, InstanceSelector selector);

  /// Readable when there is one, for who waits for something else, too.
  int descriptor() const { return inotify_.get(); }
  /// Waits for a change. False when `at_most` passed first (negative: never). `Errc::not_found` when the logs were removed.
  Result<bool> wait(std::chrono::milliseconds at_most);

 private:
  LogWatch(std::filesystem::path root, InstanceSelector selector) : root_(std::move(root)), selector_(std::move(selector)) {}
  Result<void> watch_instances();

  std::filesystem::path root_;
  InstanceSelector selector_;
  Fd inotify_;
  int app_watch_ = -1;
  std::set<std::filesystem::path> watched_;
};

}  // namespace berth::logs
