#include "core/trust/fake_repository.h"

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/trust/key.h"
#include "core/trust/role_name.h"

namespace berth::trust {
namespace {

json::object content_of(const char* type) {
  return {{"_type", type}, {"spec_version", "1.0.31"}, {"version", 1}, {"expires", kLater}};
}

json::object& keys_of(json::object& root, const std::string& role) { return root["roles"].as_object()[role].as_object(); }

Result<std::string> answer(std::string bytes, std::uint64_t most, std::string_view path) {
  if (bytes.size() > most) return fail(Errc::protocol, fmt::format("{}: longer than {}", path, most));
  return bytes;
}

}  // namespace

json::object key_of(const crypto::SigningKey& key) { return key_object(key.public_key()); }

std::string keyid_of(const crypto::SigningKey& key) { return keyid(key_of(key)); }

FakeRepository::FakeRepository() {
  for (const char* role : {"root", "timestamp", "snapshot", "targets"}) roles[role].content = content_of(role);
  json::object& root = roles["root"].content;
  root["consistent_snapshot"] = true;
  root["keys"] = json::object();
  root["roles"] = json::object();
  for (const char* role : {"root", "timestamp", "snapshot", "targets"}) {
    root["roles"].as_object()[role] = json::object{{"keyids", json::array()}, {"threshold", 1}};
    add_key(role, new_key());
  }
  roles["targets"].content["targets"] = json::object();
  roles["snapshot"].content["meta"] = {{"targets.json", {{"version", 1}}}};
  roles["timestamp"].content["meta"] = {{"snapshot.json", {{"version", 1}}}};
  roots.push_back(sign(roles["root"]));
}

const crypto::SigningKey* FakeRepository::new_key() {
  return keys_.emplace_back(std::make_unique<crypto::SigningKey>(crypto::SigningKey::generate())).get();
}

void FakeRepository::add_key(const std::string& role, const crypto::SigningKey* key) {
  json::object& root = roles["root"].content;
  root["keys"].as_object()[keyid_of(*key)] = key_of(*key);
  keys_of(root, role)["keyids"].as_array().emplace_back(keyid_of(*key));
  roles[role].signers.push_back(key);
}

void FakeRepository::clear_keys(const std::string& role) {
  keys_of(roles["root"].content, role)["keyids"] = json::array();
  roles[role].signers.clear();
}

void FakeRepository::publish_root(const std::vector<const crypto::SigningKey*>& also) {
  FakeRole root = roles["root"];
  raise(root.content);
  roles["root"].content["version"] = root.content["version"];
  for (const auto* key : also) root.signers.push_back(key);
  roots.push_back(sign(root));
}

void FakeRepository::update_snapshot() {
  json::object meta = roles["snapshot"].content["meta"].as_object();
  for (auto& [role, held] : roles)
    if (role != "root" && role != "timestamp" && role != "snapshot") meta[role + ".json"] = {{"version", held.content["version"]}};
  roles["snapshot"].content["meta"] = std::move(meta);
  raise(roles["snapshot"].content);
  update_timestamp();
}

void FakeRepository::update_timestamp() {
  roles["timestamp"].content["meta"] = {{"snapshot.json", {{"version", roles["snapshot"].content["version"]}}}};
  raise(roles["timestamp"].content);
}

void FakeRepository::add_target(const std::string& role, const std::string& name, const std::string& bytes) {
  roles.at(role).content["targets"].as_object()[name] = {{"length", bytes.size()}, {"hashes", {{"sha256", crypto::sha256_hex(bytes)}}}};
}

json::object& FakeRepository::delegate(const std::string& from, const std::string& to, json::array paths, bool terminating) {
  FakeRole& role = roles[to];
  if (role.content.empty()) {
    role.content = content_of("targets");
    role.content["targets"] = json::object();
    role.signers.push_back(new_key());
  }
  json::object& content = roles.at(from).content;
  if (!content.contains("delegations")) content["delegations"] = {{"keys", json::object()}, {"roles", json::array()}};
  json::object& delegations = content["delegations"].as_object();
  const crypto::SigningKey& key = *role.signers.front();
  delegations["keys"].as_object()[keyid_of(key)] = key_of(key);
  json::object delegation{
      {"name", to}, {"keyids", json::array{json::value(keyid_of(key))}}, {"threshold", 1}, {"terminating", terminating}, {"paths", std::move(paths)}};
  return delegations["roles"].as_array().emplace_back(std::move(delegation)).as_object();
}

void FakeRepository::raise(json::object& content) { content["version"] = content["version"].to_number<std::int64_t>() + 1; }

std::string FakeRepository::sign(const FakeRole& role) {
  const std::string bytes = *json::canonical(role.content);
  json::array signatures;
  for (const auto* key : role.signers) signatures.emplace_back(json::object{{"keyid", keyid_of(*key)}, {"sig", crypto::to_hex(key->sign(bytes))}});
  return json::text(json::object{{"signatures", std::move(signatures)}, {"signed", role.content}});
}

Result<std::string> FakeRepository::get(std::string_view path, std::uint64_t most) {
  requests.emplace_back(path);
  if (const auto own = instead.find(std::string(path)); own != instead.end()) return own->second();
  if (path == "timestamp.json") return answer(sign(roles["timestamp"]), most, path);
  for (std::size_t at = 0; at < roots.size(); ++at)
    if (path == fmt::format("{}.root.json", at + 1)) return answer(roots[at], most, path);
  const bool consistent = roles["root"].content["consistent_snapshot"].as_bool();
  for (auto& [name, role] : roles) {
    const std::string file = encode_role(name) + ".json";
    const json::value* listed = role.content.if_contains("version");
    const auto version = listed == nullptr ? 0 : listed->to_number<std::int64_t>();
    if (name != "root" && path == (consistent ? fmt::format("{}.{}", version, file) : file)) return answer(sign(role), most, path);
  }
  return fail(Errc::not_found, fmt::format("{}: 404", path));
}

Result<std::string> FakeTargets::get(std::string_view path, std::uint64_t most) {
  requests.emplace_back(path);
  const auto file = files.find(std::string(path));
  if (file == files.end()) return fail(Errc::not_found, fmt::format("{}: 404", path));
  return answer(file->second, most, path);
}

}  // namespace berth::trust
