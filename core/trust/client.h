#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/trust/remote.h"

namespace berth::trust {

using WallTime = std::chrono::system_clock::time_point;

/// A target as its role lists it.
struct Target {
  std::string name;
  std::uint64_t length = 0;
  std::map<std::string, std::string> hashes;  ///< algorithm → hex; at least one we know
  std::string role;                           ///< which role signed for it
};

/// A metadata file that is held.
struct RoleState {
  std::string role;
  std::int64_t version = 0;
  WallTime expires;
};

/// The TUF client (specification 1.0.x, chapter 5). Blocking: it belongs on a pool thread. One at a time per metadata folder.
/// Everything it accepts lies in `metadata` as received, `<role>.json`, written as soon as it is verified.
class Client {
 public:
  /// `now` is asked for every expiry check.
  Client(std::filesystem::path metadata, Remote& metadata_remote, std::function<WallTime()> now);
  ~Client();

  /// Pins `root` (bytes of a root.json) if nothing is pinned yet; a different pinned root is kept and is no error, since it may have rotated.
  Result<void> init(std::string_view root);

  /// The whole workflow: root chain, timestamp, snapshot, targets. `Errc::trust` names the role, the rule and both versions or times.
  Result<void> refresh();

  /// Uses what is held without asking anyone, expired or not: for looking things up offline.
  Result<void> load_local();

  /// Looks `name` up through the delegations, fetching delegated roles as needed. `Errc::not_found` when no role has it.
  Result<Target> find(std::string_view name);

  /// All targets of the top-level role and of the delegated roles reachable, for `berth releases`.
  Result<std::vector<Target>> list();

  /// Fetches a target's bytes (through consistent-snapshot names) and verifies length and hashes.
  Result<std::string> download(const Target& target, Remote& targets_remote);

  /// What is held, for status and metrics.
  std::vector<RoleState> roles() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace berth::trust
