#include "core/publish/verify_repository.h"

#include <set>

#include <fmt/core.h>

#include "core/bundle/channel.h"
#include "core/bundle/layer.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/publish/blob_folder.h"
#include "core/publish/contents.h"
#include "core/publish/hash_file.h"
#include "core/trust/limits.h"
#include "core/trust/repository.h"

namespace berth::publish {
namespace {

namespace fs = std::filesystem;

class Verifying {
 public:
  Verifying(const fs::path& repository, const trust::RepositoryState& state) : repository_(repository), blobs_(repository) {
    for (const trust::Target& target : state.targets)
      if (release_of(target.name)) releases_.insert(target.name);
  }

  void check(const trust::Target& target);
  Verification take() { return std::move(found_); }
  void fault(std::string text) { found_.faults.push_back(std::move(text)); }

 private:
  void check_release(const std::string& name, const bundle::Manifest& manifest);
  void check_channel(const std::string& name, const std::string& bytes);
  void check_layer(const std::string& of, const bundle::LayerRef& layer);
  void check_patch(const std::string& of, const bundle::PatchRef& patch);
  bool check_blob(const std::string& of, const bundle::BlobRef& blob, std::vector<std::string>* chunks = nullptr);

  const fs::path& repository_;
  BlobFolder blobs_;
  std::set<std::string> releases_;  // targets
  std::set<std::string> good_;  // blobs that were read: many releases share one
  Verification found_;
};

/// Whether the file is the blob. `chunks` gets the hash of each MiB.
bool Verifying::check_blob(const std::string& of, const bundle::BlobRef& blob, std::vector<std::string>* chunks) {
  if (chunks == nullptr && good_.contains(blob.sha256)) return true;
  const auto note_chunk = [&](std::string_view piece) -> Result<void> {
    if (chunks != nullptr) chunks->push_back(crypto::sha256_hex(piece));
    return {};
  };
  const auto hash = hash_file(blobs_.path_of(blob.sha256), note_chunk);
  if (!hash) {
    fault(fmt::format("{}: {}", of, hash.error().message));
    return false;
  }
  ++found_.blobs;
  found_.bytes += hash->size;
  if (*hash != blob) {
    fault(fmt::format("{}: blob {} has {} bytes instead of {}, and the SHA-256 {}", of, blob.sha256, hash->size, blob.size, hash->sha256));
    return false;
  }
  good_.insert(blob.sha256);
  return true;
}

void Verifying::check_layer(const std::string& of, const bundle::LayerRef& layer) {
  if (good_.contains(layer.blob.sha256) && good_.contains(layer.index.sha256)) return;
  std::vector<std::string> chunks;
  const bool blob_is_good = check_blob(of, layer.blob, &chunks);
  if (!check_blob(of, layer.index) || !blob_is_good) return;
  const auto text = files::read(blobs_.path_of(layer.index.sha256), bundle::kLargestIndex);
  if (!text) return fault(fmt::format("{}: {}", of, text.error().message));
  const auto index = bundle::parse_index(*text, layer);
  if (!index) return fault(fmt::format("{}: index {}: {}", of, layer.index.sha256, index.error().message));
  if (index->chunks != chunks) fault(fmt::format("{}: index {} lists other bytes than blob {} has", of, layer.index.sha256, layer.blob.sha256));
}

void Verifying::check_patch(const std::string& of, const bundle::PatchRef& patch) {
  std::vector<std::string> chunks;
  if (!good_.contains(patch.blob.sha256) && check_blob(of, patch.blob, &chunks) && chunks != patch.chunks)
    fault(fmt::format("{}: the manifest lists other bytes than its blob {} has", of, patch.blob.sha256));
}

void Verifying::check_release(const std::string& name, const bundle::Manifest& manifest) {
  ++found_.releases;
  for (const auto& [platform, build] : manifest.builds) {
    check_layer(fmt::format("{}, build for {}", name, platform), build.layer);
    for (const bundle::PatchRef& patch : build.patches) check_patch(fmt::format("{}, patch for {}", name, platform), patch);
  }
  check_layer(name + ", configuration", manifest.config);
  for (const bundle::Attachment& attachment : manifest.attachments) check_blob(fmt::format("{}, {}", name, attachment.name), attachment.blob);
}

void Verifying::check_channel(const std::string& name, const std::string& bytes) {
  const auto channel = bundle::parse_channel(bytes);
  if (!channel) return fault(fmt::format("{}: {}", name, channel.error().message));
  if (!releases_.contains(bundle::target_name(channel->app, channel->environment, channel->release)))
    fault(fmt::format("{}: points to {}/{}@{}, which is not here", name, channel->app, channel->environment, channel->release));
}

void Verifying::check(const trust::Target& target) {
  if (const auto ref = release_of(target.name)) {
    const auto manifest = read_manifest({repository_}, target);
    if (!manifest) return fault(manifest.error().message);
    return check_release(to_string(*ref), *manifest);
  }
  const auto bytes = files::read(file_of(repository_, target), trust::kMostTarget);
  if (!bytes) return fault(fmt::format("{}: {}", target.name, bytes.error().message));
  if (const auto good = trust::check_target(*bytes, target); !good) return fault(fmt::format("{}: {}", target.name, good.error().message));
  if (bundle::channel_of(target.name)) check_channel(target.name, *bytes);
}

}  // namespace

Result<Verification> verify_repository(const fs::path& repository, trust::WallTime now) {
  BERTH_TRY(const auto state, trust::read_repository(repository));
  Verifying verifying(repository, state);
  for (const trust::RoleState& role : state.roles)
    if (role.expires <= now)
      verifying.fault(fmt::format("{} expired at {}: no node takes a release from here", role.role, trust::to_string(role.expires)));
  for (const trust::DelegatedRole& role : state.delegations)
    if (!role.trouble.empty()) verifying.fault(fmt::format("role {}: {}", role.role, role.trouble));
  for (const trust::Target& target : state.targets) verifying.check(target);
  return verifying.take();
}

}  // namespace berth::publish
