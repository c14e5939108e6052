#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/trust/metadata.h"
#include "core/trust/time.h"

namespace berth::trust {

/// What a client believes, and the rules by which it comes to believe more: the checks of the specification's chapter 5, without
/// any input or output. A file is taken whole or, with `Errc::trust`, not at all.
class TrustedSet {
 public:
  /// Starts with a root that was pinned or kept: signed by its own keys; neither expiry nor version matter.
  static Result<TrustedSet> from_root(std::string_view bytes);

  /// 5.3: the next version of root, signed by the keys of the one before and by its own. Its expiry is not asked about yet.
  Result<void> next_root(std::string_view bytes);
  /// 5.3.10: after the last root.
  Result<void> check_root_expiry(WallTime now) const;

  /// Takes timestamp and snapshot from disk, null where there is none, as the base of rollback checks, expired or not. Where the present root's
  /// keys did not sign one of them, keys were rotated, and there are none of both (5.3.11): so a repository recovers from versions that ran ahead.
  void recall(const std::string* timestamp, const std::string* snapshot);

  /// 5.4. True where it is newer than the one held, and thus to be kept on disk; false where it is the same version.
  Result<bool> update_timestamp(std::string_view bytes, WallTime now);
  /// What the timestamp says of snapshot.
  const FileInfo& listed_snapshot() const { return timestamp_->snapshot; }

  /// 5.5: whether the snapshot from disk still is the one that the timestamp lists.
  bool recalled_snapshot_is_current(WallTime now) const;
  Result<void> update_snapshot(std::string_view bytes, WallTime now);

  /// What the snapshot says of a role; null where it does not list it.
  const FileInfo* listed_role(const std::string& role) const;

  /// 5.6: a targets role, verified with the keys its delegator gives it. Top-level targets: `update_targets("targets", targets_keys(), …)`.
  Result<void> update_targets(const std::string& role, const RoleKeys& keys, std::string_view bytes, WallTime now);
  const RoleKeys& targets_keys() const { return root_.targets; }
  /// A role that is held, verified again with `keys` unless `delegator` vouched for it before; null where it is not held.
  Result<const Targets*> held_targets(const std::string& role, const std::string& delegator, const RoleKeys& keys);

  /// Ids of those of `keys` that signed a role that is held.
  std::vector<std::string> signers_of_targets(const std::string& role, const RoleKeys& keys) const;

  /// Takes a targets role from disk for a look without the repository: its signatures must hold, but it may be expired or outdated.
  Result<void> recall_targets(const std::string& role, const RoleKeys& keys, std::string_view bytes);

  const Root& root() const { return root_; }
  bool has_snapshot() const { return snapshot_.has_value(); }
  /// Everything held, top-level roles first.
  std::vector<std::pair<std::string, Issue>> issues() const;

 private:
  struct HeldTargets {
    Envelope envelope;
    Targets targets;
    std::set<std::string> vouched_by;  ///< delegators whose keys were seen to have signed it
  };

  TrustedSet() = default;
  void hold(const std::string& role, Envelope envelope, Targets targets);

  Root root_;
  std::optional<Timestamp> timestamp_;
  std::optional<Snapshot> snapshot_;
  std::map<std::string, HeldTargets> targets_;
};

}  // namespace berth::trust
