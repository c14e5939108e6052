#include "tests/tools/forge/signer.h"

#include <chrono>

#include <fmt/core.h>

#include "core/crypto/keys.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/trust/key.h"
#include "core/trust/role_document.h"

namespace berth::forge {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostMetadata = 64u << 20;

Result<json::object> read_role(const fs::path& file) {
  BERTH_TRY(const std::string text, files::read(file, kMostMetadata));
  BERTH_TRY(const json::value envelope, json::parse(text, {.most_bytes = kMostMetadata}));
  return envelope.at("signed").as_object();
}

std::int64_t version_of(const json::object& listing, const char* file) { return listing.at("meta").at(file).at("version").as_int64(); }

trust::WallTime next_week() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) + std::chrono::hours(24 * 7); }

}  // namespace

Result<Signer> Signer::open(const fs::path& repository, const fs::path& keys) {
  const fs::path metadata = repository / "metadata";
  Signer signer;
  signer.repository_ = repository;
  signer.keys_ = keys;
  BERTH_TRY(signer.timestamp_, read_role(metadata / "timestamp.json"));
  BERTH_TRY(signer.snapshot_, read_role(metadata / fmt::format("{}.snapshot.json", version_of(signer.timestamp_, "snapshot.json"))));
  BERTH_TRY(signer.targets_, read_role(metadata / fmt::format("{}.targets.json", version_of(signer.snapshot_, "targets.json"))));
  return signer;
}

void Signer::add_blob(const std::string& sha256, const std::string& bytes) const {
  const fs::path file = repository_ / "blobs" / "sha256" / sha256;
  if (const auto written = files::replace(file, bytes); !written) fmt::print(stderr, "forge: {}\n", written.error().message);
}

void Signer::add(json::object& document, const std::string& name, const std::string& bytes) const {
  const std::string sha256 = crypto::sha256_hex(bytes);
  document["targets"].as_object()[name] = json::object{{"length", static_cast<std::int64_t>(bytes.size())}, {"hashes", json::object{{"sha256", sha256}}}};
  const fs::path path(name);
  const fs::path file = repository_ / "targets" / path.parent_path() / (sha256 + "." + path.filename().string());
  fs::create_directories(file.parent_path());
  if (const auto written = files::replace(file, bytes); !written) fmt::print(stderr, "forge: {}\n", written.error().message);
}

/// Raises a role's version and writes it, signed by its key.
Result<void> Signer::sign(const std::string& role, json::object& document, bool numbered) {
  BERTH_TRY(crypto::SigningKey key, crypto::SigningKey::load(keys_ / (role + ".pem")));
  trust::renew(document, next_week());
  BERTH_TRY(const std::string bytes, trust::signed_file(document, {trust::with_own_keyid(std::move(key))}));
  const std::string name = numbered ? fmt::format("{}.{}.json", document.at("version").to_number<std::int64_t>(), role) : role + ".json";
  BERTH_CHECK(files::replace(repository_ / "metadata" / name, bytes));
  if (role == "snapshot") timestamp_["meta"].as_object()["snapshot.json"] = trust::listing_of(bytes, document);
  else if (role != "timestamp") snapshot_["meta"].as_object()[role + ".json"] = trust::listing_of(bytes, document);
  return {};
}

Result<void> Signer::delegate(const std::string& role, const std::string& paths, const std::map<std::string, std::string>& targets,
                              const std::string& signed_by) {
  crypto::SigningKey key = crypto::SigningKey::generate();
  const json::object listed = trust::key_object(key.public_key());
  json::object document = trust::role_document("targets");
  document["targets"] = json::object();
  for (const auto& [name, bytes] : targets) add(document, name, bytes);
  trust::renew(document, next_week());
  delegates_[role] = trust::with_own_keyid(std::move(key));
  BERTH_TRY(const std::string bytes, trust::signed_file(document, {delegates_.at(signed_by.empty() ? role : signed_by)}));
  BERTH_CHECK(files::replace(repository_ / "metadata" / fmt::format("1.{}.json", role), bytes));
  snapshot_["meta"].as_object()[role + ".json"] = trust::listing_of(bytes, document);

  json::object& delegations = targets_["delegations"].is_object() ? targets_["delegations"].as_object() : targets_["delegations"].emplace_object();
  if (!delegations.contains("keys")) delegations["keys"] = json::object();
  if (!delegations.contains("roles")) delegations["roles"] = json::array();
  delegations["keys"].as_object()[trust::keyid(listed)] = listed;
  delegations["roles"].as_array().push_back(json::object{{"name", role},
                                                         {"keyids", json::array{trust::keyid(listed)}},
                                                         {"threshold", 1},
                                                         {"terminating", false},
                                                         {"paths", json::array{paths}}});
  return {};
}

Result<void> Signer::publish() {
  BERTH_CHECK(sign("targets", targets_, true));
  BERTH_CHECK(sign("snapshot", snapshot_, true));
  return sign("timestamp", timestamp_, false);
}

}  // namespace berth::forge
