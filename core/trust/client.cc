#include "core/trust/client.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/trust/limits.h"
#include "core/trust/lookup.h"
#include "core/trust/metadata_folder.h"
#include "core/trust/role_name.h"
#include "core/trust/trusted_set.h"

namespace berth::trust {
namespace {

constexpr int kMostRoots = 256;  ///< in one refresh

/// The digest that stands in a target's file name: hex only, since what a role lists becomes a part of a path. Empty where there is none.
std::string file_hash(const Target& target) {
  for (const auto& [algorithm, digits] : {std::pair<const char*, std::size_t>{"sha256", 64}, {"sha512", 128}}) {
    const auto hash = target.hashes.find(algorithm);
    if (hash != target.hashes.end() && hash->second.size() == digits && crypto::from_hex(hash->second)) return hash->second;
  }
  return {};
}

std::uint64_t most_of(const FileInfo& listed, std::uint64_t usual) {
  return listed.length ? std::min<std::uint64_t>(static_cast<std::uint64_t>(*listed.length), kMostMetadata) : usual;
}

}  // namespace

Error of_listed_file(Error error, std::string_view file, std::string_view why) {
  if (error.code != Errc::not_found) return error;
  return {Errc::trust, fmt::format("{}: the repository does not have {}, {}; compare its url (it is that of the folder that holds 'metadata' and 'targets') "
                                   "and upload all of it: it is another place, it is not whole, or somebody withholds it",
                                   error.message, file, why)};
}

struct Client::State {
  MetadataFolder folder;
  Remote& remote;
  std::function<WallTime()> now;
  std::optional<TrustedSet> set{};
  bool ready = false;    ///< a refresh or load_local succeeded
  WallTime start{};      ///< of the refresh: the time that every expiry is held against, however long it takes (5.1)
  bool relaxed = false;  ///< an expired timestamp or snapshot is taken
  bool offline = false;  ///< ask nobody, and take what is held, expired or not

  Result<void> load_root();
  Result<void> update_roots();
  void recall_timestamp_and_snapshot();
  Result<void> update_timestamp();
  Result<void> update_snapshot();
  Result<const Targets*> role(const std::string& name, const std::string& delegator, const RoleKeys& keys);
  Result<void> load_role(const std::string& name, const RoleKeys& keys);
  Result<void> fetch_role(const std::string& name, const RoleKeys& keys);

  Result<std::string> get(const std::string& path, std::uint64_t most, std::string_view why);

  /// The time that the expiry of timestamp and snapshot is held against.
  WallTime freshness() const { return relaxed ? WallTime() : start; }
  /// The name of a role's file in the repository.
  std::string remote_name(std::string_view role, std::int64_t version) const;
  Result<void> check_ready() const;
  RoleSource source() {
    return [this](const std::string& name, const std::string& delegator, const RoleKeys& keys) { return role(name, delegator, keys); };
  }
};

std::string Client::State::remote_name(std::string_view role_name, std::int64_t version) const {
  const std::string encoded = encode_role(role_name);
  return set->root().consistent_snapshot ? fmt::format("{}.{}.json", version, encoded) : encoded + ".json";
}

/// A file that has to be there.
Result<std::string> Client::State::get(const std::string& path, std::uint64_t most, std::string_view why) {
  auto bytes = remote.get(path, most);
  if (!bytes) return std::unexpected(of_listed_file(std::move(bytes.error()), path, why));
  return bytes;
}

Result<void> Client::State::check_ready() const {
  if (ready) return {};
  return fail(Errc::internal, "repository metadata was not refreshed or loaded before it was asked");
}

Result<void> Client::State::load_root() {
  ready = false;
  set.reset();
  const auto bytes = folder.read("root");
  if (!bytes && bytes.error().code == Errc::not_found)
    return fail(Errc::trust, fmt::format("no root is pinned in {}; give the repository's root.json first", folder.path().string()));
  BERTH_CHECK(bytes);
  auto pinned = TrustedSet::from_root(*bytes);
  if (!pinned) return pass(pinned.error(), fmt::format("the root pinned in {}", folder.path().string()));
  set = std::move(*pinned);
  return {};
}

/// 5.3. Each root is kept before the next is asked for. Expiry counts for the last one only.
Result<void> Client::State::update_roots() {
  for (int step = 0; step < kMostRoots; ++step) {
    if (set->root().issue.version == INT64_MAX) break;
    const auto bytes = remote.get(fmt::format("{}.root.json", set->root().issue.version + 1), kMostRoot);
    if (!bytes && bytes.error().code == Errc::not_found) break;
    BERTH_CHECK(bytes);
    BERTH_CHECK(set->next_root(*bytes));
    BERTH_CHECK(folder.keep("root", *bytes));
  }
  return set->check_root_expiry(start);
}

void Client::State::recall_timestamp_and_snapshot() {
  const auto timestamp = folder.read("timestamp");
  const auto snapshot = folder.read("snapshot");
  set->recall(timestamp ? &*timestamp : nullptr, snapshot ? &*snapshot : nullptr);
}

Result<void> Client::State::update_timestamp() {
  BERTH_TRY(const std::string bytes, get("timestamp.json", kMostTimestamp, "which every repository has"));
  BERTH_TRY(const bool newer, set->update_timestamp(bytes, freshness()));
  return newer ? folder.keep("timestamp", bytes) : Result<void>();
}

Result<void> Client::State::update_snapshot() {
  if (set->recalled_snapshot_is_current(freshness())) return {};
  const FileInfo& listed = set->listed_snapshot();
  BERTH_TRY(const std::string bytes, get(remote_name("snapshot", listed.version), most_of(listed, kMostSnapshot), "which its timestamp.json lists"));
  BERTH_CHECK(set->update_snapshot(bytes, freshness()));
  return folder.keep("snapshot", bytes);
}

/// A role as `delegator` vouches for it: from memory, from disk, or fetched.
Result<const Targets*> Client::State::role(const std::string& name, const std::string& delegator, const RoleKeys& keys) {
  BERTH_TRY(const Targets* held, set->held_targets(name, delegator, keys));
  if (held != nullptr) return held;
  BERTH_CHECK(load_role(name, keys));
  return set->held_targets(name, delegator, keys);
}

Result<void> Client::State::load_role(const std::string& name, const RoleKeys& keys) {
  const auto bytes = folder.read(name);
  if (offline) {
    BERTH_CHECK(bytes);
    return set->recall_targets(name, keys, *bytes);
  }
  if (bytes && set->update_targets(name, keys, *bytes, start)) return {};
  return fetch_role(name, keys);
}

Result<void> Client::State::fetch_role(const std::string& name, const RoleKeys& keys) {
  const FileInfo* listed = set->listed_role(name);
  if (listed == nullptr) return fail(Errc::trust, fmt::format("role '{}': snapshot.json does not list it: it was withdrawn, or nothing of it is published yet, which "
                                                                     "'berth repo accept' does with what was handed in", name));
  BERTH_TRY(const std::string bytes, get(remote_name(name, listed->version), most_of(*listed, kMostTargets), "which its snapshot.json lists"));
  BERTH_CHECK(set->update_targets(name, keys, bytes, start));
  return folder.keep(name, bytes);
}

Client::Client(std::filesystem::path metadata, Remote& metadata_remote, std::function<WallTime()> now)
    : state_(new State{MetadataFolder(std::move(metadata)), metadata_remote, std::move(now)}) {}

Client::~Client() = default;

Result<void> Client::init(std::string_view root) {
  if (state_->folder.has("root")) return {};
  BERTH_CHECK(TrustedSet::from_root(root));
  BERTH_CHECK(state_->folder.make());
  return state_->folder.keep("root", root);
}

Result<void> Client::refresh() {
  state_->offline = false;
  state_->start = state_->now();
  BERTH_CHECK(state_->load_root());
  BERTH_CHECK(state_->update_roots());
  state_->recall_timestamp_and_snapshot();
  BERTH_CHECK(state_->update_timestamp());
  BERTH_CHECK(state_->update_snapshot());
  BERTH_CHECK(state_->role("targets", "root", state_->set->root().targets));
  state_->ready = true;
  return {};
}

void Client::allow_expired(bool allowed) { state_->relaxed = allowed; }

std::string Client::expired() const {
  std::string text;
  if (!state_->relaxed || !state_->set) return text;
  for (const auto& [role, issue] : state_->set->issues())
    if ((role == "timestamp" || role == "snapshot") && issue.expires <= state_->start)
      text += fmt::format("{}{}.json expired at {}", text.empty() ? "" : ", ", role, to_string(issue.expires));
  return text;
}

Result<void> Client::load_local() {
  state_->offline = true;
  BERTH_CHECK(state_->load_root());
  state_->recall_timestamp_and_snapshot();
  const auto targets = state_->role("targets", "root", state_->set->root().targets);
  if (!targets) return pass(targets.error(), "what was fetched of the repository before");
  state_->ready = true;
  return {};
}

Result<Target> Client::find(std::string_view name) {
  BERTH_CHECK(state_->check_ready());
  RoleKeys keys;  // of the role that was visited last: that is the one which has it
  const RoleSource source = [&keys, visit = state_->source()](const std::string& role, const std::string& delegator, const RoleKeys& its_keys) {
    keys = its_keys;
    return visit(role, delegator, its_keys);
  };
  auto target = find_target(name, state_->set->root().targets, source);
  if (target) target->keys = state_->set->signers_of_targets(target->role, keys);
  return target;
}

Result<std::vector<std::string>> Client::beside(std::string_view name) {
  BERTH_CHECK(state_->check_ready());
  BERTH_TRY(auto names, names_beside(name, state_->set->root().targets, state_->source()));
  std::erase_if(names, [this](const std::string& other) { return !find_target(other, state_->set->root().targets, state_->source()); });
  return names;
}

Result<std::vector<Target>> Client::list(std::vector<Error>* passed_over) {
  BERTH_CHECK(state_->check_ready());
  return list_targets(state_->set->root().targets, state_->source(), passed_over);
}

std::string Client::path_of(const Target& target) const {
  if (!state_->set || !state_->set->root().consistent_snapshot) return target.name;
  const auto base = target.name.rfind('/') + 1;  // 0 where there is no slash
  return fmt::format("{}{}.{}", target.name.substr(0, base), file_hash(target), target.name.substr(base));
}

Result<std::string> Client::download(const Target& target, Remote& targets_remote) {
  BERTH_CHECK(state_->check_ready());
  if (file_hash(target).empty())
    return fail(Errc::trust, fmt::format("target '{}' is listed without a hash that berth knows (sha256, sha512)", target.name));
  if (target.length > kMostTarget)
    return fail(Errc::trust, fmt::format("target '{}' has {} bytes; {} are allowed at most", target.name, target.length, kMostTarget));
  auto bytes = targets_remote.get(path_of(target), target.length);
  if (!bytes) return std::unexpected(of_listed_file(std::move(bytes.error()), path_of(target), "which its metadata lists"));
  BERTH_CHECK(check_target(*bytes, target));
  return bytes;
}

std::vector<RoleState> Client::roles() const {
  std::vector<RoleState> states;
  if (!state_->set) return states;
  for (const auto& [role, issue] : state_->set->issues()) states.push_back({.role = role, .version = issue.version, .expires = issue.expires});
  return states;
}

Result<void> check_target(std::string_view bytes, const Target& target) {
  const std::string where = fmt::format("target '{}'", target.name);
  if (bytes.size() != target.length)
    return fail(Errc::trust, fmt::format("{}: has {} bytes, not the {} signed for", where, bytes.size(), target.length));
  return check_hashes(bytes, target.hashes, true, where);
}

}  // namespace berth::trust
