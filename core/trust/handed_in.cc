#include "core/trust/handed_in.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/trust/limits.h"
#include "core/trust/role_document.h"

namespace berth::trust {
namespace {

constexpr std::string_view kTopRole = "targets";

/// The checks of one version, by the rules that `read_handed_in` names.
class Checking {
 public:
  Checking(const RepositoryFiles& files, const DelegatedFile& role, WallTime now, const IsPointer& is_pointer)
      : files_(files), role_(role), now_(now), is_pointer_(is_pointer) {}

  Result<HandedIn> check(std::string bytes, std::int64_t version, const Targets& before) const;

 private:
  Result<void> check_target_of(const std::string& where, const std::string& name, const TargetInfo& info) const;
  std::string other_role_with(const std::string& name) const;
  /// Whether it is a pointer of the time before the role was delegated, which the role takes over.
  bool moves(const std::string& name, const std::string& from) const { return from == kTopRole && is_pointer_(name); }

  const RepositoryFiles& files_;
  const DelegatedFile& role_;
  WallTime now_;
  const IsPointer& is_pointer_;
};

/// Which role that comes first lists the name already: readers would take its target, not this one.
std::string Checking::other_role_with(const std::string& name) const {
  const auto held = std::ranges::find(files_.state.targets, name, &Target::name);
  return held == files_.state.targets.end() || held->role == role_.delegation.role ? "" : held->role;
}

Result<void> Checking::check_target_of(const std::string& where, const std::string& name, const TargetInfo& info) const {
  if (!is_target_name(name)) return fail(Errc::trust, fmt::format("{}: '{}' cannot be a target's name", where, name));
  if (!role_.delegation.covers(name))
    return fail(Errc::trust, fmt::format("{}: '{}' is outside of what is delegated to {}", where, name, role_.delegation.role));
  if (const auto other = other_role_with(name); !other.empty() && !moves(name, other))
    return fail(Errc::trust, fmt::format("{}: '{}' is a target of role {} already", where, name, other));
  const auto sha256 = info.hashes.find("sha256");
  const auto is_hex = [](char c) { return ('0' <= c && c <= '9') || ('a' <= c && c <= 'f'); };
  if (sha256 == info.hashes.end() || sha256->second.size() != 64 || !std::ranges::all_of(sha256->second, is_hex))
    return fail(Errc::trust, fmt::format("{}: '{}' is listed without a SHA-256 in lower-case hex", where, name));
  return {};
}

Result<HandedIn> Checking::check(std::string bytes, std::int64_t version, const Targets& before) const {
  const std::string where = numbered_file(role_.delegation.role, version);
  BERTH_TRY(const Envelope envelope, open_envelope(bytes, where));
  BERTH_CHECK(verify(envelope, role_.delegation.keys, where));
  BERTH_TRY(Targets targets, parse_targets(envelope.content, where));
  if (targets.issue.version != version)
    return fail(Errc::trust, fmt::format("{}: says that it is version {}", where, targets.issue.version));
  if (targets.issue.expires <= now_) return fail(Errc::trust, fmt::format("{}: expired at {}", where, to_string(targets.issue.expires)));
  if (!targets.delegations.empty()) return fail(Errc::trust, fmt::format("{}: delegates further, which an app's role may not", where));

  HandedIn handed{.role = role_.delegation.role, .version = version};
  for (const auto& [name, info] : targets.targets) {
    BERTH_CHECK(check_target_of(where, name, info));
    const auto had = before.targets.find(name);
    if (had != before.targets.end() && had->second.length == info.length && had->second.hashes == info.hashes) continue;
    if (had != before.targets.end() && !is_pointer_(name))
      return fail(Errc::trust, fmt::format("{}: '{}' was published with other content, and is never replaced", where, name));
    if (moves(name, other_role_with(name))) handed.moved.push_back(name);
    handed.added.push_back({.name = name, .length = info.length, .hashes = info.hashes, .role = handed.role});
  }
  for (const auto& [name, info] : before.targets)
    if (!targets.targets.contains(name)) return fail(Errc::trust, fmt::format("{}: leaves out '{}', which was published", where, name));
  handed.targets = std::move(targets);
  handed.bytes = std::move(bytes);
  return handed;
}

Result<void> check_order(const std::vector<std::int64_t>& versions, std::int64_t published, const std::string& role) {
  if (versions.empty()) return {};
  if (versions.back() < published)
    return fail(Errc::trust, fmt::format("{}: version {} is older than the published one, {}", role, versions.back(), published));
  std::int64_t expected = published + 1;
  for (const std::int64_t version : versions) {
    if (version <= published) continue;
    if (version != expected)
      return fail(Errc::trust, fmt::format("{}: version {} is missing between {}, which is published, and {}", role, expected, published, version));
    ++expected;
  }
  return {};
}

}  // namespace

Result<std::vector<HandedIn>> read_handed_in(const RepositoryFiles& files, const std::string& role, const HandedInFolder& folder, WallTime now,
                                             const IsPointer& is_pointer) {
  const DelegatedFile* published = files.role(role);
  if (published == nullptr)
    return fail(Errc::trust, fmt::format("{}: no role '{}' is delegated; 'berth repo delegate' does it", folder.path().string(), role));
  const std::int64_t version = files.listed_version(role);
  const auto versions = folder.versions(role);
  BERTH_CHECK(check_order(versions, version, role));
  if (!versions.empty() && versions.back() == version && version == published->version) {
    BERTH_TRY(const std::string bytes, folder.read("metadata/" + numbered_file(role, version), kMostMetadata));
    if (bytes != published->bytes)
      return fail(Errc::trust, fmt::format("{}: version {} was published with other content; release again from what the repository is now", role, version));
  }

  const Checking checking(files, *published, now, is_pointer);
  std::vector<HandedIn> chain;
  for (const std::int64_t next : versions) {
    if (next <= version) continue;
    BERTH_TRY(std::string bytes, folder.read("metadata/" + numbered_file(role, next), kMostMetadata));
    BERTH_TRY(HandedIn handed, checking.check(std::move(bytes), next, chain.empty() ? published->targets : chain.back().targets));
    chain.push_back(std::move(handed));
  }
  return chain;
}

}  // namespace berth::trust
