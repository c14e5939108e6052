#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/trust/remote.h"
#include "core/trust/time.h"

namespace berth::trust {

/// A target as its role lists it.
struct Target {
  std::string name;
  std::uint64_t length = 0;
  std::map<std::string, std::string> hashes;  ///< algorithm → hex; at least one we know
  std::string role;                           ///< which role signed for it
  std::vector<std::string> keys{};            ///< of `find`: ids of the keys that signed that role, each verified; only those that its delegator names
};

/// Who signed for a target.
struct Signers {
  std::string role;               ///< empty: it was not written down
  std::vector<std::string> keys;  ///< ids of the role's keys whose signatures were right

  bool operator==(const Signers&) const = default;
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
  /// `now` is asked once at the start of a refresh. What it says holds for that refresh and the lookups after it.
  Client(std::filesystem::path metadata, Remote& metadata_remote, std::function<WallTime()> now);
  ~Client();

  /// Pins `root` (bytes of a root.json) if nothing is pinned yet; a different pinned root is kept and is no error, since it may have rotated.
  /// An expired one is taken, since a newer one may follow it; one that its own keys did not sign fails with `Errc::trust`.
  Result<void> init(std::string_view root);

  /// Whether an expired timestamp or snapshot is taken by `refresh`: of a release file that was carried to a node without a network. Nothing else is
  /// relaxed: not signatures, not versions, not the expiry of root and targets.
  void allow_expired(bool allowed);
  /// What the last `refresh` took although it had expired: "timestamp.json expired at …"; empty: nothing.
  std::string expired() const;

  /// The whole workflow: root chain, timestamp, snapshot, targets. `Errc::trust` names the role, the rule and both versions or times.
  Result<void> refresh();

  /// Uses what is held without asking anyone, expired or not: for looking things up offline. Signatures are verified all the same.
  /// Fails with `Errc::not_found` where no refresh ever succeeded.
  Result<void> load_local();

  /// Looks `name` up through the delegations, fetching delegated roles as needed. `Errc::not_found` when no role has it.
  /// `find`, `list` and `download` need a `refresh` or `load_local` that succeeded; else they fail with `Errc::internal`.
  Result<Target> find(std::string_view name);

  /// The targets in the folder of `name` that `find` would find, in no more roles than it looks into: for whoever named one that is not there.
  Result<std::vector<std::string>> beside(std::string_view name);

  /// All targets that `find` would find, for `berth releases`, by name. A delegated role that cannot be had or believed hides its own targets
  /// only; what was wrong with it is added to `passed_over`. A repository that cannot be reached fails the whole.
  Result<std::vector<Target>> list(std::vector<Error>* passed_over = nullptr);

  /// Where a target lies below the repository's targets: `web/<hash>.v1.json`, or by its name alone without consistent snapshots.
  std::string path_of(const Target& target) const;

  /// Fetches a target's bytes and verifies length and hashes.
  Result<std::string> download(const Target& target, Remote& targets_remote);

  /// What is held, for status and metrics.
  std::vector<RoleState> roles() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether `bytes` are the target: its length, and every listed hash that berth knows, of which there must be one. Else `Errc::trust`.
Result<void> check_target(std::string_view bytes, const Target& target);

}  // namespace berth::trust
