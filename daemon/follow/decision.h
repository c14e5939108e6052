#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "daemon/config/config.h"
#include "daemon/deploy/operations.h"

namespace berth::follow {

using deploy::kFollow;

/// What an app's past and present say, when a release is wanted.
struct Present {
  std::optional<deploy::AppStatus> app;               ///< nothing where this node does not have it
  std::vector<deploy::DeploymentStatus> deployments;  ///< of it, newest first
};

/// Whether an app is moved to the release that is wanted.
struct Decision {
  enum class Kind {
    settled,     ///< it is active
    under_way,   ///< a deployment is at it, or is to end first
    left_alone,  ///< until somebody does something; `why` says what
    later,       ///< the last try failed for a reason that may pass; the next one is at the first poll after `at`
    closed,      ///< no window is open until `at`
    deploy,
  };
  Kind kind = Kind::settled;
  std::string why;                              ///< one line, for `berth status`; empty where there is nothing to say
  std::chrono::system_clock::time_point at{};   ///< with `later` and `closed`
};

/// Decides. What runs is moved in `windows` alone, where there are any. `interval` is that of the polls: after a deployment that could not be fetched the wait doubles from it, up to an hour or the interval.
Decision decide(const std::string& app, const std::string& wanted, const Present& present, std::chrono::milliseconds interval, const std::vector<config::Window>& windows,
                std::chrono::system_clock::time_point now);

/// How long to wait after `failures` deployments in a row that came to nothing.
std::chrono::milliseconds wait_after_failures(std::chrono::milliseconds interval, int failures);

}  // namespace berth::follow
