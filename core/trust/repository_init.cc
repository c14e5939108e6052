#include "core/trust/repository_init.h"

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/trust/metadata.h"
#include "core/trust/repository.h"
#include "core/trust/repository_files.h"

namespace berth::trust {
namespace {

namespace fs = std::filesystem;

/// Whether `path` is `folder` or lies in it, however they are written.
bool is_within(const fs::path& path, const fs::path& folder) {
  const auto from_folder = fs::weakly_canonical(path).lexically_relative(fs::weakly_canonical(folder));
  return !from_folder.empty() && *from_folder.begin() != "..";
}

fs::path key_file(const fs::path& keys, const std::string& role, std::int64_t number) {
  return keys / (number == 1 ? role + ".pem" : fmt::format("{}-{}.pem", role, number));
}

Result<void> check_new(const fs::path& folder) {
  if (fs::exists(metadata_of(folder))) return fail(Errc::exists, fmt::format("{} is a repository already", folder.string()));
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    // An attempt that was cut off leaves hidden files and targets/.
    if (name.starts_with('.') || name == "lost+found" || (name == "targets" && fs::is_empty(entry.path(), error))) continue;
    return fail(Errc::exists, fmt::format("{} is not empty: {} is in it; a repository gets a folder of its own, all of which is served", folder.string(), name));
  }
  return {};
}

Result<void> check_key_folder(const fs::path& folder, const RepositoryPlan& plan) {
  const fs::path& keys = plan.keys;
  if (is_within(keys, folder))
    return fail(Errc::usage, fmt::format("{}: private keys would lie in the repository, which is served to everyone; give a folder outside {}",
                                         keys.string(), folder.string()));
  for (const auto& [role, listed] : plan.roles)
    if (listed.keys.empty() && fs::exists(key_file(keys, role, 1)))
      return fail(Errc::exists, fmt::format("{} exists already; give another folder for the new repository's keys", key_file(keys, role, 1).string()));
  return {};
}

/// Makes as many keys as the role's threshold asks for, where it was given none.
Result<void> make_keys(RepositoryPlan& plan) {
  BERTH_CHECK(files::make_directories(plan.keys, 0700));
  for (auto& [role, listed] : plan.roles) {
    if (listed.keys.empty()) {
      for (std::int64_t number = 1; number <= listed.threshold; ++number) {
        const crypto::SigningKey key = crypto::SigningKey::generate();
        BERTH_CHECK(key.save(key_file(plan.keys, role, number), plan.passphrase));
        listed.keys.push_back(key.public_key());
      }
    }
    if (listed.threshold < 1 || static_cast<std::int64_t>(listed.keys.size()) < listed.threshold)
      return fail(Errc::usage, fmt::format("role {}: {} keys are given, so {} of them cannot be needed", role, listed.keys.size(), listed.threshold));
  }
  return {};
}

/// The first metadata: no target yet, version 1 everywhere. It is written beside its place and renamed there, so a repository is whole or absent.
Result<void> write_first(const fs::path& metadata, const Root& root, const std::string& root_file, const Keyring& keys, WallTime now,
                         const Lifetimes& lifetimes, const std::string& whose) {
  const auto sign = [&](const char* role, const RoleKeys& listed, json::object& document, WallTime expires) -> Result<std::string> {
    BERTH_TRY(const auto signers, keys.enough_for(role, listed, whose));
    renew(document, expires);
    return signed_file(document, signers);
  };
  json::object targets = role_document("targets");
  targets["targets"] = json::object();
  BERTH_TRY(const std::string targets_file, sign("targets", root.targets, targets, now + lifetimes.targets));
  json::object snapshot = role_document("snapshot");
  snapshot["meta"] = json::object{{"targets.json", listing_of(targets_file, targets)}};
  BERTH_TRY(const std::string snapshot_file, sign("snapshot", root.snapshot, snapshot, now + lifetimes.snapshot));
  json::object timestamp = role_document("timestamp");
  timestamp["meta"] = json::object{{"snapshot.json", listing_of(snapshot_file, snapshot)}};
  BERTH_TRY(const std::string timestamp_file, sign("timestamp", root.timestamp, timestamp, now + lifetimes.timestamp));

  BERTH_CHECK(files::replace(metadata / "1.root.json", root_file));
  BERTH_CHECK(files::replace(metadata / "root.json", root_file));
  BERTH_CHECK(files::replace(metadata / "1.targets.json", targets_file));
  BERTH_CHECK(files::replace(metadata / "1.snapshot.json", snapshot_file));
  return files::replace(metadata / "timestamp.json", timestamp_file);
}

}  // namespace

Result<std::string> first_root(const fs::path& folder, RepositoryPlan plan, const Keyring& keys, WallTime now, const Lifetimes& lifetimes) {
  for (const char* role : kKeyRoles) plan.roles[role];
  BERTH_CHECK(check_new(folder));
  BERTH_CHECK(check_key_folder(folder, plan));
  BERTH_CHECK(make_keys(plan));
  json::object document = root_document(plan.roles);
  renew(document, now + lifetimes.root);
  BERTH_TRY(const Root root, parse_root(document, "root.json"));
  return signed_file(document, keys.signers_of("root", root.root));
}

Result<void> create_repository(const fs::path& folder, const std::string& root_file, const Keyring& keys, WallTime now, const Lifetimes& lifetimes) {
  BERTH_CHECK(check_new(folder));
  BERTH_TRY(const Envelope envelope, open_envelope(root_file, "root.json"));
  BERTH_TRY(const Root root, parse_root(envelope.content, "root.json"));
  BERTH_CHECK(verify(envelope, root.root, "root.json"));
  if (root.issue.version != 1) return fail(Errc::usage, fmt::format("root.json is version {}; a repository begins with 1", root.issue.version));
  BERTH_CHECK(files::make_directories(targets_of(folder)));
  const fs::path unfinished = folder / ".metadata-being-made";
  BERTH_CHECK(files::remove_tree(unfinished));
  BERTH_CHECK(files::make_directories(unfinished));
  BERTH_CHECK(write_first(unfinished, root, root_file, keys, now, lifetimes, folder.string()));
  return files::rename_durably(unfinished, metadata_of(folder));
}

Result<void> init_repository(const fs::path& folder, const fs::path& keys, WallTime now, const Lifetimes& lifetimes) {
  const Keyring keyring(keys);
  BERTH_TRY(const std::string root, first_root(folder, {.keys = keys}, keyring, now, lifetimes));
  return create_repository(folder, root, keyring, now, lifetimes);
}

}  // namespace berth::trust
