#include "core/trust/trusted_set.h"

#include <fmt/core.h>

namespace berth::trust {
namespace {

Result<void> check_expiry(const Issue& issue, WallTime now, std::string_view where) {
  if (now < issue.expires) return {};
  return fail(Errc::trust, fmt::format("{}: version {} expired at {}, and it is {}; the repository must be signed anew (or this clock is wrong)",
                                       where, issue.version, to_string(issue.expires), to_string(now)));
}

/// A rollback: somebody offers what was replaced.
std::unexpected<Error> rollback(std::string_view where, std::int64_t offered, std::int64_t held) {
  return fail(Errc::trust, fmt::format("{}: version {} is older than {}, which this node has seen (a rollback)", where, offered, held));
}

std::string where_of(std::string_view role) { return fmt::format("{}.json", role); }

/// Signatures first: nothing of a file is read further before somebody known has signed it.
template <class Parsed>
Result<Parsed> open_verified(std::string_view bytes, const RoleKeys& keys, std::string_view where,
                             Result<Parsed> (*parse)(const json::value&, std::string_view)) {
  BERTH_TRY(const Envelope envelope, open_envelope(bytes, where));
  BERTH_CHECK(verify(envelope, keys, where));
  return parse(envelope.content, where);
}

/// A file from disk.
template <class Parsed>
struct Kept {
  std::optional<Parsed> file;
  bool rotated = false;  ///< other keys signed it
};

/// A damaged file is as good as none.
template <class Parsed>
Kept<Parsed> read_kept(const std::string* bytes, const RoleKeys& keys, Result<Parsed> (*parse)(const json::value&, std::string_view)) {
  if (bytes == nullptr) return {};
  const auto envelope = open_envelope(*bytes, "");
  if (!envelope) return {};
  if (!verify(*envelope, keys, "")) return {.file = {}, .rotated = true};
  auto parsed = parse(envelope->content, "");
  if (!parsed) return {};
  return {.file = std::move(*parsed)};
}

/// 5.5.5: every role of the snapshot before is still there, none of them older.
Result<void> check_rollback(const Snapshot& before, const Snapshot& after) {
  for (const auto& [role, info] : before.roles) {
    const auto now = after.roles.find(role);
    if (now == after.roles.end()) return fail(Errc::trust, fmt::format("snapshot.json: no longer lists {}.json, which this node has seen", role));
    if (now->second.version < info.version) return rollback(fmt::format("snapshot.json: {}.json", role), now->second.version, info.version);
  }
  return {};
}

}  // namespace

Result<TrustedSet> TrustedSet::from_root(std::string_view bytes) {
  BERTH_TRY(const Envelope envelope, open_envelope(bytes, "root.json"));
  TrustedSet set;
  BERTH_TRY(set.root_, parse_root(envelope.content, "root.json"));
  BERTH_CHECK(verify(envelope, set.root_.root, "root.json"));
  return set;
}

Result<void> TrustedSet::next_root(std::string_view bytes) {
  const std::int64_t expected = root_.issue.version + 1;
  const std::string where = fmt::format("{}.root.json", expected);
  BERTH_TRY(const Envelope envelope, open_envelope(bytes, where));
  BERTH_CHECK(verify(envelope, root_.root, where + ", by the keys of the root before"));
  BERTH_TRY(Root next, parse_root(envelope.content, where));
  BERTH_CHECK(verify(envelope, next.root, where + ", by its own keys"));
  if (next.issue.version != expected)
    return fail(Errc::trust, fmt::format("{}: says it is version {}, but {} comes after {}", where, next.issue.version, expected, expected - 1));
  root_ = std::move(next);
  return {};
}

Result<void> TrustedSet::check_root_expiry(WallTime now) const { return check_expiry(root_.issue, now, "root.json"); }

void TrustedSet::recall(const std::string* timestamp, const std::string* snapshot) {
  auto held_timestamp = read_kept(timestamp, root_.timestamp, parse_timestamp);
  auto held_snapshot = read_kept(snapshot, root_.snapshot, parse_snapshot);
  if (held_timestamp.rotated || held_snapshot.rotated) return;
  timestamp_ = std::move(held_timestamp.file);
  snapshot_ = std::move(held_snapshot.file);
}

Result<bool> TrustedSet::update_timestamp(std::string_view bytes, WallTime now) {
  const std::string where = where_of("timestamp");
  BERTH_TRY(Timestamp offered, open_verified(bytes, root_.timestamp, where, parse_timestamp));
  if (timestamp_) {
    if (offered.issue.version < timestamp_->issue.version) return rollback(where, offered.issue.version, timestamp_->issue.version);
    if (offered.issue.version == timestamp_->issue.version) {  // 5.4.3.1: no news, whatever it says
      BERTH_CHECK(check_expiry(timestamp_->issue, now, where));
      return false;
    }
    if (offered.snapshot.version < timestamp_->snapshot.version)
      return rollback(where + ": snapshot.json", offered.snapshot.version, timestamp_->snapshot.version);
  }
  BERTH_CHECK(check_expiry(offered.issue, now, where));
  timestamp_ = std::move(offered);
  return true;
}

bool TrustedSet::recalled_snapshot_is_current(WallTime now) const {
  return snapshot_ && snapshot_->issue.version == timestamp_->snapshot.version && now < snapshot_->issue.expires;
}

Result<void> TrustedSet::update_snapshot(std::string_view bytes, WallTime now) {
  const std::string where = where_of("snapshot");
  BERTH_CHECK(check_file(bytes, timestamp_->snapshot, where));
  BERTH_TRY(Snapshot offered, open_verified(bytes, root_.snapshot, where, parse_snapshot));
  if (offered.issue.version != timestamp_->snapshot.version)
    return fail(Errc::trust, fmt::format("{}: is version {}, but timestamp.json lists {}", where, offered.issue.version, timestamp_->snapshot.version));
  if (snapshot_) BERTH_CHECK(check_rollback(*snapshot_, offered));
  BERTH_CHECK(check_expiry(offered.issue, now, where));
  snapshot_ = std::move(offered);
  return {};
}

const FileInfo* TrustedSet::listed_role(const std::string& role) const {
  const auto listed = snapshot_->roles.find(role);
  return listed == snapshot_->roles.end() ? nullptr : &listed->second;
}

Result<void> TrustedSet::update_targets(const std::string& role, const RoleKeys& keys, std::string_view bytes, WallTime now) {
  const std::string where = where_of(role);
  const FileInfo* listed = listed_role(role);
  if (listed == nullptr) return fail(Errc::trust, fmt::format("{}: snapshot.json does not list it", where));
  BERTH_CHECK(check_file(bytes, *listed, where));
  BERTH_TRY(Envelope envelope, open_envelope(bytes, where));
  BERTH_CHECK(verify(envelope, keys, where));
  BERTH_TRY(Targets offered, parse_targets(envelope.content, where));
  if (offered.issue.version != listed->version)
    return fail(Errc::trust, fmt::format("{}: is version {}, but snapshot.json lists {}", where, offered.issue.version, listed->version));
  BERTH_CHECK(check_expiry(offered.issue, now, where));
  hold(role, std::move(envelope), std::move(offered));
  return {};
}

Result<void> TrustedSet::recall_targets(const std::string& role, const RoleKeys& keys, std::string_view bytes) {
  const std::string where = where_of(role);
  BERTH_TRY(Envelope envelope, open_envelope(bytes, where));
  BERTH_CHECK(verify(envelope, keys, where));
  BERTH_TRY(Targets held, parse_targets(envelope.content, where));
  hold(role, std::move(envelope), std::move(held));
  return {};
}

void TrustedSet::hold(const std::string& role, Envelope envelope, Targets targets) {
  envelope.content = nullptr;  // what it says is in `targets`; only the signatures may be looked at again
  targets_.insert_or_assign(role, HeldTargets{std::move(envelope), std::move(targets), {}});
}

Result<const Targets*> TrustedSet::held_targets(const std::string& role, const std::string& delegator, const RoleKeys& keys) {
  const auto held = targets_.find(role);
  if (held == targets_.end()) return nullptr;
  // Two roles may delegate to one of the same name with other keys: what one vouched for proves nothing to the other.
  if (!held->second.vouched_by.contains(delegator)) {
    BERTH_CHECK(verify(held->second.envelope, keys, fmt::format("{}, delegated by {}", where_of(role), delegator)));
    held->second.vouched_by.insert(delegator);
  }
  return &held->second.targets;
}

std::vector<std::string> TrustedSet::signers_of_targets(const std::string& role, const RoleKeys& keys) const {
  const auto held = targets_.find(role);
  return held == targets_.end() ? std::vector<std::string>() : signers_of(held->second.envelope, keys);
}

std::vector<std::pair<std::string, Issue>> TrustedSet::issues() const {
  std::vector<std::pair<std::string, Issue>> all{{"root", root_.issue}};
  if (timestamp_) all.emplace_back("timestamp", timestamp_->issue);
  if (snapshot_) all.emplace_back("snapshot", snapshot_->issue);
  if (const auto top = targets_.find("targets"); top != targets_.end()) all.emplace_back("targets", top->second.targets.issue);
  for (const auto& [role, held] : targets_)
    if (role != "targets") all.emplace_back(role, held.targets.issue);
  return all;
}

}  // namespace berth::trust
