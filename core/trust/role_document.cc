#include "core/trust/role_document.h"

#include <algorithm>
#include <functional>
#include <set>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/trust/key.h"
#include "core/trust/limits.h"

namespace berth::trust {
namespace {

/// What clients take of a file of that type.
std::uint64_t most_that_clients_take(std::string_view type) { return type == "root" ? kMostRoot : type == "timestamp" ? kMostTimestamp : kMostMetadata; }

}  // namespace

json::object role_document(std::string_view type) {
  return {{"_type", type}, {"spec_version", "1.0.33"}, {"version", 0}, {"expires", to_string(WallTime())}};
}

void renew(json::object& document, WallTime expires) {
  document["version"] = version_of(document) + 1;
  document["expires"] = to_string(expires);
}

std::int64_t version_of(const json::object& document) { return document.at("version").to_number<std::int64_t>(); }

std::string list_key(json::object& keys, const crypto::PublicKey& key) {
  const json::object object = key_object(key);
  const std::string id = keyid(object);
  keys[id] = object;
  return id;
}

void drop_unused_keys(json::object& keys_and_roles) {
  std::set<std::string, std::less<>> used;
  const auto use = [&](const json::value& role) {
    for (const json::value& id : role.at("keyids").as_array()) used.emplace(id.as_string());
  };
  const json::value& roles = keys_and_roles["roles"];
  if (roles.is_array()) std::ranges::for_each(roles.as_array(), use);
  else for (const auto& role : roles.as_object()) use(role.value());
  json::object kept;
  for (const auto& key : keys_and_roles["keys"].as_object())
    if (used.contains(std::string_view(key.key()))) kept[key.key()] = key.value();
  keys_and_roles["keys"] = std::move(kept);
}

json::object root_document(const std::map<std::string, ListedKeys>& roles) {
  json::object root = role_document("root");
  json::object keys;
  json::object listed;
  for (const auto& [role, of_role] : roles) {
    json::array ids;
    for (const crypto::PublicKey& key : of_role.keys) ids.emplace_back(list_key(keys, key));
    listed[role] = json::object{{"keyids", std::move(ids)}, {"threshold", of_role.threshold}};
  }
  root["consistent_snapshot"] = true;
  root["keys"] = std::move(keys);
  root["roles"] = std::move(listed);
  return root;
}

Result<std::string> signed_file(const json::object& document, const std::vector<RoleSigner>& signers) {
  BERTH_TRY(const std::string bytes, json::canonical(document));
  json::array signatures;
  for (const RoleSigner& one : signers) {
    BERTH_TRY(const std::string signature, one.signer->sign(bytes));
    signatures.emplace_back(json::object{{"keyid", one.keyid}, {"sig", crypto::to_hex(signature)}});
  }
  std::string file = json::text(json::object{{"signatures", std::move(signatures)}, {"signed", document}});
  const std::string_view type(document.at("_type").as_string());
  if (const std::uint64_t most = most_that_clients_take(type); file.size() > most) {
    return fail(Errc::usage, fmt::format("the {} file would have {} bytes, and clients take {} at most; roles of their own for apps ('berth repo delegate') "
                                         "keep each file small",
                                         type, file.size(), most));
  }
  return file;
}

json::object listing_of(std::string_view bytes, const json::object& document) {
  return {{"version", document.at("version")}, {"length", bytes.size()}, {"hashes", {{"sha256", crypto::sha256_hex(bytes)}}}};
}

}  // namespace berth::trust
