#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "core/result.h"
#include "daemon/config/config.h"
#include "daemon/deploy/operations.h"
#include "daemon/fetch/fetch.h"
#include "daemon/follow/follow_status.h"

namespace berth::follow {

/// Where it is asked what a followed channel or release comes to: `fetch::Repository`, or a test. Blocking.
struct Source {
  std::function<Result<fetch::Wanted>(fetch::Followed&, std::stop_token)> poll;
  /// What it came to when it was last known; asks nobody.
  std::function<Result<std::optional<fetch::Wanted>>(const fetch::Followed&)> remembered;
};

/// What a Follower works with. All of it outlives the loop's last turn.
struct FollowerParts {
  io::Loop& loop;
  io::Pool& pool;
  deploy::Operations& operations;
  Source source;
  std::function<void(store::Event)> tell;  ///< adds an event; blocking
  std::function<std::optional<store::Event>(const std::string& app)> told;  ///< the newest `follow.wanted` of an app; blocking
};

/// Takes apps where `[[follow]]` of berthd.toml says: polls the repository, and begins a deployment as any other where another release is wanted than is
/// active, unless `decide` has a reason against it. A repository that cannot be asked or believed changes nothing. For one event loop.
class Follower {
 public:
  Follower(FollowerParts parts, std::vector<config::Follow> rules, const std::string& environment);
  ~Follower();  ///< as `stop`

  /// Begins to poll, each app after a moment of its own.
  void start();
  /// No further poll, and no further deployment; what is under way ends by itself.
  void stop();
  /// The app may go on: it is polled at once rather than at the next time.
  void wake(const std::string& app);

  /// What is followed and how that goes, in the order of the rules.
  std::vector<Status> statuses() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// How long to wait for the next poll: as `jittered`, or until a window opens and a moment longer, if that is sooner. `chance` is from 0 to 1.
std::chrono::milliseconds wait_before_poll(std::chrono::milliseconds interval, std::chrono::system_clock::time_point opens, std::chrono::system_clock::time_point now, double chance);

/// A wait of `interval`, up to a tenth shorter or longer; `chance` is from 0 to 1.
std::chrono::milliseconds jittered(std::chrono::milliseconds interval, double chance);

}  // namespace berth::follow
