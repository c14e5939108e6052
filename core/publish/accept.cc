#include "core/publish/accept.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "core/bundle/channel.h"
#include "core/publish/blob_folder.h"
#include "core/publish/contents.h"
#include "core/trust/handed_in.h"
#include "core/trust/limits.h"
#include "core/trust/repository.h"

namespace berth::publish {
namespace {

bool is_pointer(std::string_view name) { return bundle::channel_of(name).has_value(); }

/// A role's versions as they were handed in, and what is to be published of them.
struct Taken {
  trust::HandedIn newest;
  std::map<std::string, trust::Target> added;   ///< over all the versions
  std::map<std::string, std::string> targets;   ///< their bytes
  std::uint64_t new_bytes = 0;
};

/// Checks the content of one role's folder and brings its blobs into the repository: what no manifest there leads to yet does no harm.
class Taking {
 public:
  Taking(const fs::path& repository, const trust::RepositoryState& state, const trust::HandedInFolder& folder)
      : repository_(repository), state_(state), folder_(folder), blobs_(repository) {}

  Result<Taken> take(std::vector<trust::HandedIn> chain);

 private:
  Result<std::string> bytes_of(const trust::Target& target) const;
  Result<void> check(const std::string& name, const std::string& bytes);
  Result<void> check_release(const std::string& name, const std::string& bytes);
  Result<void> check_channel(const std::string& name, const std::string& bytes) const;
  Result<void> bring_blob(const std::string& of, const bundle::BlobRef& blob);

  const fs::path& repository_;
  const trust::RepositoryState& state_;
  const trust::HandedInFolder& folder_;
  BlobFolder blobs_;
  Taken taken_;
};

Result<std::string> Taking::bytes_of(const trust::Target& target) const {
  const std::string relative = "targets/" + trust::file_of_target(target.name, target.hashes.at("sha256"));
  auto bytes = folder_.read(relative, trust::kMostTarget);
  if (!bytes && bytes.error().code == Errc::not_found) bytes = read_target({repository_}, target);  // an interrupted acceptance brought it already
  if (!bytes) return pass(bytes.error(), target.name);
  BERTH_CHECK(trust::check_target(*bytes, target));
  return bytes;
}

Result<void> Taking::bring_blob(const std::string& of, const bundle::BlobRef& blob) {
  if (blobs_.has(blob)) return {};
  const std::string relative = bundle::blob_path(blob.sha256);
  const auto file = folder_.open_file(relative);
  if (!file) return fail(Errc::trust, fmt::format("{}: its blob {} is neither in the repository nor handed in: {}", of, blob.sha256, file.error().message));
  BERTH_TRY(const auto written, blobs_.add(blob, file->get(), (folder_.path() / relative).string()));
  taken_.new_bytes += written;
  return {};
}

Result<void> Taking::check_release(const std::string& name, const std::string& bytes) {
  BERTH_TRY(const bundle::Manifest manifest, manifest_in(bytes, name));
  for (const auto& [sha256, blob] : bundle::blobs_and_patches_of(manifest)) BERTH_CHECK(bring_blob(name, blob));
  return {};
}

Result<void> Taking::check_channel(const std::string& name, const std::string& bytes) const {
  BERTH_TRY(const bundle::Channel channel, bundle::parse_channel(bytes));
  if (bundle::channel_target(channel.app, channel.environment, channel.channel) != name)
    return fail(Errc::trust, fmt::format("{}: is the channel {} of {}/{}", name, channel.channel, channel.app, channel.environment));
  const std::string release = bundle::target_name(channel.app, channel.environment, channel.release);
  if (!taken_.newest.targets.targets.contains(release) && std::ranges::find(state_.targets, release, &trust::Target::name) == state_.targets.end())
    return fail(Errc::trust, fmt::format("{}: points to {}, which does not exist", name, release));
  const auto before = std::ranges::find(state_.targets, name, &trust::Target::name);
  if (before == state_.targets.end()) return {};
  BERTH_TRY(const std::string old_bytes, read_target({repository_}, *before));
  BERTH_TRY(const bundle::Channel old, bundle::parse_channel(old_bytes));
  if (channel.serial <= old.serial)
    return fail(Errc::trust, fmt::format("{}: its serial goes from {} to {}, and must rise", name, old.serial, channel.serial));
  return {};
}

Result<void> Taking::check(const std::string& name, const std::string& bytes) {
  if (release_of(name)) return check_release(name, bytes);
  if (is_pointer(name)) return check_channel(name, bytes);
  return fail(Errc::trust, fmt::format("'{}' is neither a release nor a channel", name));
}

Result<Taken> Taking::take(std::vector<trust::HandedIn> chain) {
  for (const trust::HandedIn& handed : chain)
    for (const trust::Target& target : handed.added) taken_.added[target.name] = target;
  taken_.newest = std::move(chain.back());
  for (const auto& [name, target] : taken_.added) {
    BERTH_TRY(std::string bytes, bytes_of(target));
    BERTH_CHECK(check(name, bytes));
    taken_.targets.emplace(name, std::move(bytes));
  }
  return std::move(taken_);
}

/// Takes away what is published now. What else lies in the folder may belong to a version that is just being handed in.
void clear(const trust::HandedInFolder& folder, const std::string& role, const Taken& taken) {
  for (const auto version : folder.versions(role))
    if (version <= taken.newest.version) folder.remove("metadata/" + trust::numbered_file(role, version));
  for (const auto& [name, target] : taken.added) {
    folder.remove("targets/" + trust::file_of_target(name, target.hashes.at("sha256")));
    if (!release_of(name)) continue;
    if (const auto manifest = manifest_in(taken.targets.at(name), name))
      for (const auto& [sha256, blob] : bundle::blobs_and_patches_of(*manifest)) folder.remove(bundle::blob_path(sha256));
  }
}

std::vector<std::string> roles_in(const fs::path& incoming) {
  std::vector<std::string> roles;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(incoming, error))
    if (const std::string name = entry.path().filename(); !name.starts_with('.')) roles.push_back(name);
  std::ranges::sort(roles);
  return roles;
}

/// A role's folder and what of it is to be published.
struct Pending {
  trust::HandedInFolder folder;
  Taken taken;
};

/// A channel that was set before its app was delegated is in the top-level role, which only the holder of the targets key can take it out of.
Result<void> check_moves(const Repository& repository, const trust::RepositoryWriter& writer, const std::vector<trust::HandedIn>& chain) {
  const auto moving = std::ranges::find_if(chain, [](const trust::HandedIn& handed) { return !handed.moved.empty(); });
  if (moving == chain.end()) return {};
  const auto has_key = repository.keys.enough_for("targets", writer.files().root.targets, repository.folder.string());
  if (has_key) return {};
  return fail(has_key.error().code,
              fmt::format("'{}' was set before {} was delegated, and has to be taken out of the role targets: accept it once where that key is at hand ({})",
                          moving->moved.front(), moving->role, has_key.error().message));
}

/// How to go on where what lies in a role's folder is refused: each version builds on the one before, so nothing later is taken either.
std::string way_out(const fs::path& incoming, const std::string& role, bool is_delegated) {
  if (!is_delegated)
    return fmt::format("; where it is left of a role that was revoked, remove it: rm -r {}", (incoming / role).string());
  return fmt::format("; nothing of it is published, nor anything later of {}, until that is mended or it is taken back: rm {}", role,
                     (incoming / role / "metadata" / ("*." + role + ".json")).string());
}

Result<std::optional<Pending>> look_at(const Repository& repository, const fs::path& incoming, const trust::RepositoryWriter& writer,
                                       const std::string& role) {
  BERTH_TRY(auto folder, trust::HandedInFolder::open(incoming / role));
  if (folder.versions(role).empty()) return std::optional<Pending>();
  BERTH_TRY(auto chain, trust::read_handed_in(writer.files(), role, folder, repository.now(), is_pointer));
  if (chain.empty()) return std::optional<Pending>();
  BERTH_CHECK(check_moves(repository, writer, chain));
  BERTH_TRY(Taken taken, Taking(repository.folder, writer.state(), folder).take(std::move(chain)));
  return std::optional<Pending>(Pending{std::move(folder), std::move(taken)});
}

}  // namespace

Result<Acceptance> accept_incoming(const Repository& repository) {
  const fs::path incoming = repository.incoming.empty() ? trust::incoming_of(repository.folder) : repository.incoming;
  BERTH_TRY(auto writer, trust::RepositoryWriter::open(repository.folder, repository.keys, repository.now, {}, repository.wait));
  Acceptance acceptance;
  std::vector<Pending> pending;
  std::vector<trust::HandedIn> roles;
  std::map<std::string, std::string> targets;
  for (const std::string& role : roles_in(incoming)) {
    auto found = look_at(repository, incoming, writer, role);
    if (!found) {
      if (found.error().code == Errc::no_space || found.error().code == Errc::io) return std::unexpected(std::move(found.error()));
      found.error().message += way_out(incoming, role, writer.files().role(role) != nullptr);
      acceptance.refused.push_back({.role = role, .error = std::move(found.error())});
    } else if (*found) {
      pending.push_back(std::move(**found));
      roles.push_back(pending.back().taken.newest);
      targets.insert(pending.back().taken.targets.begin(), pending.back().taken.targets.end());
    }
  }
  if (roles.empty()) return acceptance;
  BERTH_CHECK(writer.accept(roles, targets));
  for (const Pending& one : pending) {
    AcceptedRole accepted{.role = one.taken.newest.role, .version = one.taken.newest.version, .new_bytes = one.taken.new_bytes};
    for (const auto& [name, target] : one.taken.added) accepted.targets.push_back(name);
    clear(one.folder, accepted.role, one.taken);
    acceptance.accepted.push_back(std::move(accepted));
  }
  return acceptance;
}

Result<std::vector<std::int64_t>> discard_incoming(const fs::path& incoming, const std::string& role) {
  std::vector<std::int64_t> waited;
  const auto folder = trust::HandedInFolder::open(incoming / role);
  if (!folder) return folder.error().code == Errc::not_found ? Result<std::vector<std::int64_t>>(waited) : std::unexpected(folder.error());
  waited = folder->versions(role);
  BERTH_CHECK(files::remove_tree(incoming / role));
  return waited;
}

}  // namespace berth::publish
