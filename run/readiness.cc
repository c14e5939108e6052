#include <algorithm>

#include <fmt/core.h>

#include "run/runner.h"

// An app that runs and never becomes ready looks like one that is slow: after a while it is told, with the reason, once.

namespace berth::run {
namespace {

using namespace std::chrono_literals;
using io::Steady;

constexpr milliseconds kPatience = 5s;  ///< with what is not ready, before it is told
constexpr milliseconds kLeast = 1500ms;  ///< what has no probe is ready after a second

}  // namespace

/// From now on it should become ready: within what a deployment would wait, or within our patience.
void Runner::expect_ready(const InstanceId& id) {
  const milliseconds at_most = release_.manifest.spec.deploy.ready_timeout;
  if (!told_.contains(id)) expected_[id] = Steady::now() + std::clamp(at_most, kLeast, kPatience);
}

/// Tells of each instance that is not ready in time, until all is over.
awaitable<void> Runner::tell_unready() {
  while (!is_over_) {
    const auto now = Steady::now();
    milliseconds left = 24h;
    for (auto one = expected_.begin(); one != expected_.end();) {
      if (one->second > now) {
        left = std::min(left, std::chrono::ceil<milliseconds>(one->second - now));
        ++one;
        continue;
      }
      const InstanceId id = one->first;
      one = expected_.erase(one);
      const auto status = supervisor_.status(id);
      if (stops_ > 0 || exit_ || !status || status->ready || status->phase != supervise::Phase::running) continue;
      told_.insert(id);
      say(Word::Kind::unready, fmt::format("{}.{}", id.process, id.number), "is not ready: " + status->not_ready);
    }
    co_await changed_.wait(left);
  }
  tells_ = false;
  changed_.notify();
}

}  // namespace berth::run
