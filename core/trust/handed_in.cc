#include "core/trust/handed_in.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/trust/limits.h"
#include "core/trust/role_document.h"

namespace berth::trust {
namespace {

constexpr std::string_view kTopRole = "targets";

/// What a version is held against: the one before it.
struct Before {
  Targets believed;  ///< what readers took of it
  Targets listed;    ///< what it lists, believed or not
  Dropped dropped;
};

Before before_all(const DelegatedFile& published) {
  Before before{.believed = published.targets, .listed = published.targets, .dropped = dropped_in(published.document)};
  if (published.trouble.empty()) return before;
  if (auto listed = parse_targets(published.document, published.delegation.role)) before.listed = std::move(*listed);
  return before;
}

bool is_same(const TargetInfo& a, const TargetInfo& b) { return a.length == b.length && a.hashes == b.hashes; }

bool lists(const Targets& targets, const std::string& name, const TargetInfo& info) {
  const auto found = targets.targets.find(name);
  return found != targets.targets.end() && is_same(found->second, info);
}

/// The checks of one version, by the rules that `read_handed_in` names.
class Checking {
 public:
  Checking(const RepositoryFiles& files, const DelegatedFile& role, WallTime now, const IsPointer& is_pointer)
      : files_(files), role_(role), now_(now), is_pointer_(is_pointer) {}

  Result<HandedIn> check(std::string bytes, std::int64_t version, const Before& before) const;

 private:
  Result<void> check_dropped(const std::string& where, const HandedIn& handed, const Before& before) const;
  Result<void> check_target_of(const std::string& where, const std::string& name, const TargetInfo& info) const;
  std::string other_role_with(const std::string& name) const;
  bool is_shadowed(const std::string& name, const TargetInfo& info, const Before& before) const;
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

/// Whether the version changes nothing by listing what another role has: it is the same target, or it is the top-level role's, which readers take
/// anyway, and the version before listed it so. That is left of the time before the role was revoked and delegated again.
bool Checking::is_shadowed(const std::string& name, const TargetInfo& info, const Before& before) const {
  if (other_role_with(name).empty()) return false;
  const auto held = std::ranges::find(files_.state.targets, name, &Target::name);
  return (held->role == kTopRole && lists(before.listed, name, info)) || is_same({.length = held->length, .hashes = held->hashes}, info);
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

/// The list grows by what is left out, and by nothing else: whoever has the role's key can take no name out of it, and put none of others' into it.
Result<void> Checking::check_dropped(const std::string& where, const HandedIn& handed, const Before& before) const {
  Dropped left_out;
  for (const auto& [name, info] : before.listed.targets)
    if (!handed.targets.targets.contains(name)) left_out.insert(name);
  const Dropped expected = join_dropped(before.dropped, left_out);
  const auto is_missing = [&](const std::string& name) { return !handed.dropped.contains(name); };
  if (const auto name = std::ranges::find_if(expected, is_missing); name != expected.end())
    return fail(Errc::trust, fmt::format("{}: its list 'dropped' lacks '{}', which was published once; names that were dropped are kept, so that none is used "
                                         "again. Sign the next version from the published one",
                                         where, *name));
  const auto is_new = [&](const std::string& name) { return !expected.contains(name); };
  if (const auto name = std::ranges::find_if(handed.dropped, is_new); name != handed.dropped.end())
    return fail(Errc::trust, fmt::format("{}: its list 'dropped' has '{}', which the version before neither listed nor had dropped", where, *name));
  for (const Target& target : handed.added) {
    if (is_pointer_(target.name) || lists(before.listed, target.name, {.length = target.length, .hashes = target.hashes})) continue;
    if (files_.state.dropped.contains(target.name) || handed.dropped.contains(target.name))
      return fail(Errc::trust, fmt::format("{}: '{}' was published and has been dropped, and a name is never used again; publish under a new one", where,
                                           target.name));
  }
  return {};
}

Result<HandedIn> Checking::check(std::string bytes, std::int64_t version, const Before& before) const {
  const std::string where = numbered_file(role_.delegation.role, version);
  BERTH_TRY(const Envelope envelope, open_envelope(bytes, where));
  if (auto enough = verify(envelope, role_.delegation.keys, where); !enough) {
    enough.error().message += "; 'berth repo sign FILE --key KEY' adds a signature";
    return std::unexpected(std::move(enough.error()));
  }
  BERTH_TRY(Targets targets, parse_targets(envelope.content, where));
  if (targets.issue.version != version)
    return fail(Errc::trust, fmt::format("{}: says that it is version {}", where, targets.issue.version));
  if (targets.issue.expires <= now_) return fail(Errc::trust, fmt::format("{}: expired at {}", where, to_string(targets.issue.expires)));
  if (!targets.delegations.empty()) return fail(Errc::trust, fmt::format("{}: delegates further, which an app's role may not", where));

  HandedIn handed{.role = role_.delegation.role, .version = version};
  handed.dropped = dropped_in(envelope.content.get_object());
  for (const auto& [name, info] : targets.targets) {
    if (role_.delegation.covers(name) && is_shadowed(name, info, before)) continue;
    BERTH_CHECK(check_target_of(where, name, info));
    if (lists(before.believed, name, info)) continue;
    if (before.believed.targets.contains(name) && !is_pointer_(name))
      return fail(Errc::trust, fmt::format("{}: '{}' was published with other content, and is never replaced", where, name));
    if (moves(name, other_role_with(name))) handed.moved.push_back(name);
    handed.added.push_back({.name = name, .length = info.length, .hashes = info.hashes, .role = handed.role});
  }
  for (const auto& [name, info] : before.believed.targets)
    if (!targets.targets.contains(name)) return fail(Errc::trust, fmt::format("{}: leaves out '{}', which was published", where, name));
  handed.targets = std::move(targets);
  BERTH_CHECK(check_dropped(where, handed, before));
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
  Before before = before_all(*published);
  std::vector<HandedIn> chain;
  for (const std::int64_t next : versions) {
    if (next <= version) continue;
    BERTH_TRY(std::string bytes, folder.read("metadata/" + numbered_file(role, next), kMostMetadata));
    BERTH_TRY(HandedIn handed, checking.check(std::move(bytes), next, before));
    before = {.believed = handed.targets, .listed = handed.targets, .dropped = handed.dropped};
    chain.push_back(std::move(handed));
  }
  return chain;
}

}  // namespace berth::trust
