#include "core/trust/publication.h"

#include <algorithm>

#include "core/files/files.h"
#include "core/trust/role_document.h"

namespace berth::trust {
namespace {

namespace fs = std::filesystem;

/// Signed files that wait to be written, by their names in `metadata/`.
struct Signed {
  std::map<std::string, std::string> numbered;
  std::string timestamp;            ///< empty where it stays
  bool good_under_both_roots = true;
};

class Signing {
 public:
  Signing(const Workplace& place, RepositoryFiles& files, const Changes& changes) : place_(place), files_(files), changes_(changes) {}

  Result<Signed> sign();

 private:
  Result<std::string> sign_role(const char* role, json::object& document, WallTime expires, RoleKeys Root::* keys);

  const Workplace& place_;
  RepositoryFiles& files_;
  const Changes& changes_;
  Signed signed_;
};

Result<std::string> Signing::sign_role(const char* role, json::object& document, WallTime expires, RoleKeys Root::* keys) {
  const RoleKeys& present = files_.root.*keys;
  const RoleKeys& listed = changes_.root ? changes_.root->root.*keys : present;
  const std::string whose = (changes_.root ? "the new root of " : "") + place_.folder.string();
  BERTH_TRY(auto signers, place_.keys.enough_for(role, listed, whose));
  if (changes_.root) {
    const auto before = place_.keys.signers_of(role, present);
    for (const RoleSigner& one : before)
      if (std::ranges::find(signers, one.keyid, &RoleSigner::keyid) == signers.end()) signers.push_back(one);
    if (static_cast<std::int64_t>(before.size()) < present.threshold) signed_.good_under_both_roots = false;
  }
  renew(document, expires);
  return signed_file(document, signers);
}

Result<Signed> Signing::sign() {
  const WallTime now = place_.now();
  json::object& meta = files_.snapshot["meta"].as_object();
  for (const auto& [role, bytes] : changes_.roles) {
    BERTH_TRY(const Envelope envelope, open_envelope(bytes, role));
    const json::object& document = envelope.content.get_object();
    signed_.numbered[numbered_file(role, version_of(document))] = bytes;
    meta[role + ".json"] = listing_of(bytes, document);
  }
  if (changes_.targets) {
    BERTH_TRY(std::string bytes, sign_role("targets", files_.targets, now + place_.lifetimes.targets, &Root::targets));
    meta["targets.json"] = listing_of(bytes, files_.targets);
    signed_.numbered[numbered_file("targets", version_of(files_.targets))] = std::move(bytes);
  }
  if (changes_.snapshot) {
    BERTH_TRY(std::string bytes, sign_role("snapshot", files_.snapshot, now + place_.lifetimes.snapshot, &Root::snapshot));
    files_.timestamp["meta"].as_object()["snapshot.json"] = listing_of(bytes, files_.snapshot);
    signed_.numbered[numbered_file("snapshot", version_of(files_.snapshot))] = std::move(bytes);
  }
  if (changes_.timestamp) {
    BERTH_TRY(signed_.timestamp, sign_role("timestamp", files_.timestamp, now + place_.lifetimes.timestamp, &Root::timestamp));
  }
  return std::move(signed_);
}

Result<void> write_root(const fs::path& metadata, const NextRoot& next) {
  BERTH_CHECK(files::replace(metadata / numbered_file("root", next.root.issue.version), next.bytes));
  return files::replace(metadata / "root.json", next.bytes);
}

Result<void> write(const fs::path& metadata, const Signed& to_write, const Changes& changes) {
  for (const auto& [name, bytes] : to_write.numbered) BERTH_CHECK(files::replace(metadata / name, bytes));
  if (changes.root && !to_write.good_under_both_roots) BERTH_CHECK(write_root(metadata, *changes.root));
  if (!to_write.timestamp.empty()) BERTH_CHECK(files::replace(metadata / "timestamp.json", to_write.timestamp));
  if (changes.root && to_write.good_under_both_roots) BERTH_CHECK(write_root(metadata, *changes.root));
  return {};
}

}  // namespace

Result<void> publish(const Workplace& place, RepositoryFiles files, Changes changes) {
  changes.targets = changes.targets || files.unfinished.contains("targets");
  changes.snapshot = changes.snapshot || changes.targets || !changes.roles.empty() || files.unfinished.contains("snapshot");
  changes.timestamp = changes.timestamp || changes.snapshot || files.unfinished.contains("timestamp");
  BERTH_TRY(const Signed to_write, Signing(place, files, changes).sign());
  return write(metadata_of(place.folder), to_write, changes);
}

}  // namespace berth::trust
