#include "core/trust/metadata.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "core/trust/key.h"

namespace berth::trust {
namespace {

using json::ObjectReader;
using Keys = std::map<std::string, crypto::PublicKey>;

constexpr std::string_view kSuffix = ".json";

bool is_top_level(std::string_view role) {
  return role == "root" || role == "timestamp" || role == "snapshot" || role == "targets";
}

/// Reads what all roles share. `type` must be the file's own: a snapshot is no timestamp, whoever signed it.
Issue read_issue(ObjectReader& reader, std::string_view type) {
  if (const auto found = reader.string("_type"); found != type) reader.complain(fmt::format("is of type '{}', not '{}'", found, type));
  const std::string specification = reader.string("spec_version");
  if (!specification.starts_with("1.")) reader.complain(fmt::format("is of TUF specification '{}'; berth knows 1.x", specification));
  Issue issue{.version = reader.integer("version", 1)};
  if (const auto expires = parse_time(reader.string("expires"))) {
    issue.expires = *expires;
  } else {
    reader.complain("member 'expires': " + expires.error().message);
  }
  return issue;
}

std::vector<std::string> read_strings(ObjectReader& reader, std::string_view name) {
  std::vector<std::string> strings;
  for (const json::value& item : reader.list_or_empty(name)) {
    if (const auto* text = item.if_string()) {
      strings.emplace_back(*text);
    } else {
      reader.complain(fmt::format("member '{}' holds something else than strings", name));
    }
  }
  return strings;
}

Hashes read_hashes(ObjectReader& reader) {
  Hashes hashes;
  for (const auto& member : reader.members_or_empty("hashes")) {
    const auto* hex = member.value().if_string();
    if (hex == nullptr) {
      reader.complain("member 'hashes' holds something else than strings");
    } else {
      hashes.emplace(member.key(), *hex);
    }
  }
  return hashes;
}

/// Keys that berth cannot use are left out.
Keys read_keys(const json::object& listed) {
  Keys keys;
  for (const auto& member : listed)
    if (auto key = read_key(member.value())) keys.emplace(member.key(), std::move(*key));
  return keys;
}

/// Reads `keyids` and `threshold`. A threshold that cannot be reached is allowed: the files of that role will then fail.
RoleKeys read_role_keys(ObjectReader& reader, const Keys& keys) {
  reader.list("keyids");
  RoleKeys role{.keys = {}, .threshold = reader.integer("threshold", 1)};
  for (const std::string& keyid : read_strings(reader, "keyids"))
    if (const auto key = keys.find(keyid); key != keys.end()) role.keys.insert(*key);
  return role;
}

Result<FileInfo> read_file_info(const json::value& listed, std::string where) {
  ObjectReader reader(listed, std::move(where));
  FileInfo info{.version = reader.integer("version", 1), .length = {}, .hashes = read_hashes(reader)};
  if (reader.maybe("length") != nullptr) info.length = reader.integer("length");
  BERTH_CHECK(reader.done(true));
  return info;
}

Result<Delegation> read_delegation(const json::value& listed, const Keys& keys, std::string_view where) {
  ObjectReader reader(listed, fmt::format("{}: delegation", where));
  Delegation delegation{
      .role = reader.string("name"),
      .keys = read_role_keys(reader, keys),
      .paths = read_strings(reader, "paths"),
      .hash_prefixes = read_strings(reader, "path_hash_prefixes"),
      .terminating = reader.boolean_or("terminating", false),
  };
  // Files of roles lie beside those of the top level: a delegated `snapshot` would take the real one's place.
  if (delegation.role.empty() || is_top_level(delegation.role)) reader.complain(fmt::format("of a role named '{}'", delegation.role));
  const bool has_paths = reader.maybe("paths") != nullptr;
  const bool has_prefixes = reader.maybe("path_hash_prefixes") != nullptr;
  if (has_paths == has_prefixes) reader.complain(fmt::format("of '{}' needs either 'paths' or 'path_hash_prefixes'", delegation.role));
  BERTH_CHECK(reader.done(true));
  return delegation;
}

Result<std::vector<Delegation>> read_delegations(const json::value& listed, std::string_view where) {
  ObjectReader reader(listed, fmt::format("{}: delegations", where));
  const Keys keys = read_keys(reader.members("keys"));
  std::vector<Delegation> delegations;
  std::set<std::string> names;
  for (const json::value& item : reader.list_or_empty("roles")) {
    BERTH_TRY(Delegation delegation, read_delegation(item, keys, where));
    if (!names.insert(delegation.role).second) reader.complain(fmt::format("name role '{}' twice", delegation.role));
    delegations.push_back(std::move(delegation));
  }
  BERTH_CHECK(reader.done(true));
  return delegations;
}

Result<TargetInfo> read_target(const json::value& listed, std::string where) {
  ObjectReader reader(listed, std::move(where));
  TargetInfo info{.length = static_cast<std::uint64_t>(reader.integer("length")), .hashes = read_hashes(reader)};
  BERTH_CHECK(reader.done(true));
  return info;
}

}  // namespace

Result<Root> parse_root(const json::value& content, std::string_view where) {
  ObjectReader reader(content, std::string(where));
  Root root{.issue = read_issue(reader, "root"), .consistent_snapshot = reader.boolean_or("consistent_snapshot", false)};
  const Keys keys = read_keys(reader.members("keys"));
  const json::value roles = reader.members("roles");
  BERTH_CHECK(reader.done(true));

  ObjectReader role_reader(roles, fmt::format("{}: roles", where));
  const auto read_role = [&](const char* name, RoleKeys& role) -> Result<void> {
    const json::value listed = role_reader.members(name);
    BERTH_CHECK(role_reader.done(true));
    ObjectReader inside(listed, fmt::format("{}: role '{}'", where, name));
    role = read_role_keys(inside, keys);
    return inside.done(true);
  };
  BERTH_CHECK(read_role("root", root.root));
  BERTH_CHECK(read_role("timestamp", root.timestamp));
  BERTH_CHECK(read_role("snapshot", root.snapshot));
  BERTH_CHECK(read_role("targets", root.targets));
  return root;
}

Result<Timestamp> parse_timestamp(const json::value& content, std::string_view where) {
  ObjectReader reader(content, std::string(where));
  Timestamp timestamp{.issue = read_issue(reader, "timestamp"), .snapshot = {}};
  const json::value meta = reader.members("meta");
  BERTH_CHECK(reader.done(true));
  const json::value* snapshot = meta.get_object().if_contains("snapshot.json");
  if (snapshot == nullptr) return fail(Errc::trust, fmt::format("{}: lists no snapshot.json", where));
  BERTH_TRY(timestamp.snapshot, read_file_info(*snapshot, fmt::format("{}: snapshot.json", where)));
  return timestamp;
}

Result<Snapshot> parse_snapshot(const json::value& content, std::string_view where) {
  ObjectReader reader(content, std::string(where));
  Snapshot snapshot{.issue = read_issue(reader, "snapshot"), .roles = {}};
  const json::value meta = reader.members("meta");
  BERTH_CHECK(reader.done(true));
  for (const auto& member : meta.get_object()) {
    std::string_view role = member.key();
    if (!role.ends_with(kSuffix)) return fail(Errc::trust, fmt::format("{}: lists '{}', which is no metadata file", where, role));
    role.remove_suffix(kSuffix.size());
    BERTH_TRY(FileInfo info, read_file_info(member.value(), fmt::format("{}: {}", where, std::string_view(member.key()))));
    snapshot.roles.emplace(role, std::move(info));
  }
  return snapshot;
}

Result<Targets> parse_targets(const json::value& content, std::string_view where) {
  ObjectReader reader(content, std::string(where));
  Targets targets{.issue = read_issue(reader, "targets"), .targets = {}, .delegations = {}};
  const json::object& listed = reader.members("targets");
  const json::value* delegations = reader.maybe("delegations");
  BERTH_CHECK(reader.done(true));
  for (const auto& member : listed) {
    BERTH_TRY(TargetInfo info, read_target(member.value(), fmt::format("{}: target '{}'", where, std::string_view(member.key()))));
    targets.targets.emplace(member.key(), std::move(info));
  }
  if (delegations != nullptr) {
    BERTH_TRY(targets.delegations, read_delegations(*delegations, where));
  }
  return targets;
}

}  // namespace berth::trust
