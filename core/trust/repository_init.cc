#include <fmt/core.h>

#include "core/files/files.h"
#include "core/trust/repository.h"
#include "core/trust/repository_files.h"
#include "core/trust/role_document.h"

namespace berth::trust {
namespace {

using Keys = std::map<std::string, crypto::SigningKey>;

std::filesystem::path key_file(const std::filesystem::path& keys, const std::string& role) { return keys / (role + ".pem"); }

/// Whether `path` is `folder` or lies in it, however they are written.
bool is_within(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto from_folder = std::filesystem::weakly_canonical(path).lexically_relative(std::filesystem::weakly_canonical(folder));
  return !from_folder.empty() && *from_folder.begin() != "..";
}

Result<void> check_new(const std::filesystem::path& folder, const std::filesystem::path& keys) {
  if (std::filesystem::exists(metadata_of(folder)))
    return fail(Errc::exists, fmt::format("{} is a repository already", folder.string()));
  if (is_within(keys, folder))
    return fail(Errc::usage, fmt::format("{}: private keys would lie in the repository, which is served to everyone; give a folder outside {}",
                                         keys.string(), folder.string()));
  for (const char* role : kKeyRoles)
    if (std::filesystem::exists(key_file(keys, role)))
      return fail(Errc::exists, fmt::format("{} exists already; give another folder for the new repository's keys", key_file(keys, role).string()));
  return {};
}

Result<Keys> make_keys(const std::filesystem::path& folder) {
  BERTH_CHECK(files::make_directories(folder, 0700));
  Keys keys;
  for (const char* role : kKeyRoles) {
    crypto::SigningKey key = crypto::SigningKey::generate();
    BERTH_CHECK(key.save(key_file(folder, role)));
    keys.emplace(role, std::move(key));
  }
  return keys;
}

std::string first_root(const Keys& keys, WallTime expires) {
  std::map<std::string, crypto::PublicKey> listed;
  for (const auto& [role, key] : keys) listed.emplace(role, key.public_key());
  json::object root = root_document(listed);
  renew(root, expires);
  return signed_file(root, {&keys.at("root")});
}

/// The first metadata: no target yet, version 1 everywhere. It is written beside its place and renamed there, so a repository is whole or absent.
Result<void> write_first(const std::filesystem::path& metadata, const Keys& keys, WallTime now, const Lifetimes& lifetimes) {
  json::object targets = role_document("targets");
  targets["targets"] = json::object();
  renew(targets, now + lifetimes.targets);
  const std::string targets_file = signed_file(targets, {&keys.at("targets")});

  json::object snapshot = role_document("snapshot");
  snapshot["meta"] = json::object{{"targets.json", listing_of(targets_file, targets)}};
  renew(snapshot, now + lifetimes.snapshot);
  const std::string snapshot_file = signed_file(snapshot, {&keys.at("snapshot")});

  json::object timestamp = role_document("timestamp");
  timestamp["meta"] = json::object{{"snapshot.json", listing_of(snapshot_file, snapshot)}};
  renew(timestamp, now + lifetimes.timestamp);

  const std::string root_file = first_root(keys, now + lifetimes.root);
  BERTH_CHECK(files::replace(metadata / "1.root.json", root_file));
  BERTH_CHECK(files::replace(metadata / "root.json", root_file));
  BERTH_CHECK(files::replace(metadata / "1.targets.json", targets_file));
  BERTH_CHECK(files::replace(metadata / "1.snapshot.json", snapshot_file));
  return files::replace(metadata / "timestamp.json", signed_file(timestamp, {&keys.at("timestamp")}));
}

}  // namespace

Result<void> init_repository(const std::filesystem::path& folder, const std::filesystem::path& keys, WallTime now, const Lifetimes& lifetimes) {
  BERTH_CHECK(check_new(folder, keys));
  BERTH_CHECK(files::make_directories(targets_of(folder)));
  const auto unfinished = folder / ".metadata-being-made";
  BERTH_CHECK(files::remove_tree(unfinished));
  BERTH_CHECK(files::make_directories(unfinished));
  BERTH_TRY(const Keys made, make_keys(keys));
  BERTH_CHECK(write_first(unfinished, made, now, lifetimes));
  return files::rename_durably(unfinished, metadata_of(folder));
}

}  // namespace berth::trust
