#include "core/trust/role_document.h"

#include "core/crypto/sha256.h"
#include "core/trust/key.h"

namespace berth::trust {

json::object role_document(std::string_view type) {
  return {{"_type", type}, {"spec_version", "1.0.33"}, {"version", 0}, {"expires", to_string(WallTime())}};
}

void renew(json::object& document, WallTime expires) {
  document["version"] = document["version"].to_number<std::int64_t>() + 1;
  document["expires"] = to_string(expires);
}

json::object root_document(const std::map<std::string, crypto::PublicKey>& keys) {
  json::object root = role_document("root");
  json::object listed;
  json::object roles;
  for (const auto& [role, key] : keys) {
    const json::object object = key_object(key);
    const std::string id = keyid(object);
    listed[id] = object;
    json::array ids;
    ids.emplace_back(id);
    roles[role] = json::object{{"keyids", std::move(ids)}, {"threshold", 1}};
  }
  root["consistent_snapshot"] = true;
  root["keys"] = std::move(listed);
  root["roles"] = std::move(roles);
  return root;
}

std::string signed_file(const json::object& document, const std::vector<const crypto::SigningKey*>& keys) {
  const std::string bytes = *json::canonical(document);  // documents hold no floats
  json::array signatures;
  for (const auto* key : keys)
    signatures.emplace_back(json::object{{"keyid", keyid(key_object(key->public_key()))}, {"sig", crypto::to_hex(key->sign(bytes))}});
  return json::text(json::object{{"signatures", std::move(signatures)}, {"signed", document}});
}

json::object listing_of(std::string_view bytes, const json::object& document) {
  return {{"version", document.at("version")}, {"length", bytes.size()}, {"hashes", {{"sha256", crypto::sha256_hex(bytes)}}}};
}

}  // namespace berth::trust
