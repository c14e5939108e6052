#include "core/trust/delegation_change.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "core/ids.h"
#include "core/trust/dropped.h"
#include "core/trust/glob.h"
#include "core/trust/key.h"
#include "core/trust/role_document.h"

namespace berth::trust {
namespace {

bool is_top_level(std::string_view role) { return role == "root" || role == "timestamp" || role == "snapshot" || role == "targets"; }

json::object& delegations_of(json::object& targets) {
  json::value& delegations = targets["delegations"];
  if (!delegations.is_object()) delegations = json::object{{"keys", json::object()}, {"roles", json::array()}};
  return delegations.as_object();
}

json::object* find_role(json::object& delegations, std::string_view role) {
  for (json::value& one : delegations["roles"].as_array())
    if (one.as_object()["name"].as_string() == role) return &one.as_object();
  return nullptr;
}

Result<void> check_name(const std::string& role) {
  if (is_top_level(role))
    return fail(Errc::usage, fmt::format("'{}' is the name of a role that every repository has; choose another and give its paths", role));
  if (!is_name(role))
    return fail(Errc::usage, fmt::format("role '{}': must be a lower-case letter, then at most 30 of a-z, 0-9 and -", role));
  return {};
}

Result<void> check_paths(json::object& delegations, const DelegationChange& change) {
  for (const json::value& other : delegations["roles"].as_array()) {
    if (other.at("name").as_string() == change.role) continue;
    for (const json::value& path : other.at("paths").as_array())
      if (std::ranges::find(change.paths, std::string_view(path.as_string())) != change.paths.end())
        return fail(Errc::usage, fmt::format("'{}' is delegated to role {} already", std::string_view(path.as_string()),
                                             std::string_view(other.at("name").as_string())));
  }
  return {};
}

/// Those that a role listed and readers found: what no other path leads to is found no more.
Dropped names_of(const DelegatedFile& role) {
  Dropped names;
  const json::value* listed = role.document.if_contains("targets");
  if (listed == nullptr || !listed->is_object()) return names;
  for (const auto& target : listed->get_object())
    if (role.delegation.covers(target.key())) names.emplace(target.key());
  return names;
}

/// What a role lists and can have no more, since it is delegated to it no longer.
Dropped names_outside_of(const DelegatedFile& role, const std::vector<std::string>& paths) {
  Dropped names = names_of(role);
  std::erase_if(names, [&](const std::string& name) {
    return std::ranges::any_of(paths, [&](const std::string& path) { return matches_glob(path, name); });
  });
  return names;
}

/// Whether the role's present file is signed by enough of the keys that are left.
bool still_believed(const json::object& targets, const DelegatedFile& role) {
  if (role.version == 0) return true;
  const auto read = parse_targets(targets, "targets");
  if (!read) return false;
  const auto envelope = open_envelope(role.bytes, role.delegation.role);
  const auto left = std::ranges::find(read->delegations, role.delegation.role, &Delegation::role);
  return envelope && left != read->delegations.end() && verify(*envelope, left->keys, role.delegation.role).has_value();
}

Result<void> take_keys(json::object& role, const Revocation& revocation) {
  json::array left;
  std::set<std::string> taken;
  for (const crypto::PublicKey& key : revocation.keys) taken.insert(keyid(key_object(key)));
  for (const json::value& id : role["keyids"].as_array())
    if (taken.erase(std::string(id.as_string())) == 0) left.push_back(id);
  if (!taken.empty()) return fail(Errc::not_found, fmt::format("role {} has no key {}", revocation.role, *taken.begin()));
  const auto threshold = role["threshold"].to_number<std::int64_t>();
  if (static_cast<std::int64_t>(left.size()) < threshold)
    return fail(Errc::usage, fmt::format("role {} would be left with {} keys, and needs {}; delegate it to another key first, or revoke the whole role",
                                         revocation.role, left.size(), threshold));
  role["keyids"] = std::move(left);
  return {};
}

/// Nodes refuse a role whose present file has too few signatures, and with it all of its releases.
Result<void> check_signatures_after(const RepositoryFiles& files, const DelegationChange& change, std::int64_t threshold) {
  const DelegatedFile* published = files.role(change.role);
  if (change.force || published == nullptr || !published->trouble.empty() || still_believed(files.targets, *published)) return {};
  return fail(Errc::conflict,
              fmt::format("version {0} of role {1} is not signed by {2} of its keys, so nodes would find none of its releases. First add the keys without "
                          "--threshold, sign a version with {2} of them ('berth repo refresh --role {1} --key A.pem --key B.pem', or the others by 'berth repo "
                          "sign'), accept it, and then: 'berth repo delegate DIR {1} --threshold {2}'. --force does it all the same",
                          published->version, change.role, threshold));
}

}  // namespace

Result<void> delegate(RepositoryFiles& files, const DelegationChange& change) {
  BERTH_CHECK(check_name(change.role));
  json::object& delegations = delegations_of(files.targets);
  BERTH_CHECK(check_paths(delegations, change));
  json::object* role = find_role(delegations, change.role);
  if (role == nullptr) {
    if (change.paths.empty()) return fail(Errc::usage, fmt::format("role {}: say which targets are delegated to it", change.role));
    role = &delegations["roles"].as_array().emplace_back(json::object{
        {"name", change.role}, {"keyids", json::array()}, {"threshold", 1}, {"paths", json::array()}, {"terminating", true}}).as_object();
  }
  json::array& keyids = (*role)["keyids"].as_array();
  for (const crypto::PublicKey& key : change.keys) {
    const std::string id = list_key(delegations["keys"].as_object(), key);
    if (std::ranges::find(keyids, json::value(id)) == keyids.end()) keyids.emplace_back(id);
  }
  if (const DelegatedFile* published = files.role(change.role); published != nullptr && !change.paths.empty())
    add_dropped(files.targets, names_outside_of(*published, change.paths));
  if (!change.paths.empty()) (*role)["paths"] = json::array(change.paths.begin(), change.paths.end());
  if (change.threshold) (*role)["threshold"] = *change.threshold;
  const auto threshold = (*role)["threshold"].to_number<std::int64_t>();
  if (threshold < 1 || static_cast<std::int64_t>(keyids.size()) < threshold)
    return fail(Errc::usage, fmt::format("role {} has {} keys, so {} of them cannot be needed; give its public keys", change.role, keyids.size(), threshold));
  return check_signatures_after(files, change, threshold);
}

Result<void> revoke(RepositoryFiles& files, const std::filesystem::path& folder, const Revocation& revocation) {
  json::object& delegations = delegations_of(files.targets);
  json::object* role = find_role(delegations, revocation.role);
  const DelegatedFile* published = files.role(revocation.role);
  if (role == nullptr || published == nullptr)
    return fail(Errc::not_found, fmt::format("{}: no role '{}' is delegated", folder.string(), revocation.role));
  if (!revocation.keys.empty()) {
    BERTH_CHECK(take_keys(*role, revocation));
    drop_unused_keys(delegations);
    if (revocation.force || still_believed(files.targets, *published)) return {};
    return fail(Errc::conflict, fmt::format("version {} of role {} is signed by too few of the keys that are left; have one of them sign the next "
                                            "version ('berth repo refresh --role {}'), accept it, and revoke then, or --force if the key was stolen: "
                                            "nodes find nothing of the role until then",
                                            published->version, revocation.role, revocation.role));
  }
  add_dropped(files.targets, dropped_in(published->document));
  if (!revocation.keep_targets) {
    add_dropped(files.targets, names_of(*published));
  } else {
    if (!published->trouble.empty()) return fail(Errc::trust, published->trouble);
    json::object& top = files.targets["targets"].as_object();
    if (published->version > 0)
      for (const auto& target : published->document.at("targets").as_object()) top.emplace(target.key(), target.value());
  }
  json::array& roles = delegations["roles"].as_array();
  roles.erase(std::ranges::find_if(roles, [&](const json::value& one) { return one.at("name").as_string() == revocation.role; }));
  drop_unused_keys(delegations);
  return {};
}

}  // namespace berth::trust
