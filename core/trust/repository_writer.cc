#include <algorithm>

#include <fmt/core.h>

#include "core/trust/delegation_change.h"
#include "core/trust/handed_in.h"
#include "core/trust/publication.h"
#include "core/trust/repository.h"
#include "core/trust/repository_files.h"
#include "core/trust/repository_lock.h"
#include "core/trust/role_document.h"
#include "core/trust/root_change.h"
#include "core/trust/target_files.h"

namespace berth::trust {

struct RepositoryWriter::State {
  Workplace place;
  Fd lock;
  RepositoryFiles files;

  Result<void> read();
  Result<void> publish(RepositoryFiles changed, Changes changes);
  bool targets_are_due() const;
  Result<void> need(const char* role, RoleKeys Root::* keys) const;
};

/// Every call starts from what is on disk: an earlier one on this writer may have failed half-way.
Result<void> RepositoryWriter::State::read() {
  BERTH_TRY(files, read_repository_files(place.folder, Reading::finish_rotation));
  return {};
}

Result<void> RepositoryWriter::State::publish(RepositoryFiles changed, Changes changes) {
  BERTH_CHECK(trust::publish(place, std::move(changed), std::move(changes)));
  return read();
}

bool RepositoryWriter::State::targets_are_due() const { return place.now() + place.lifetimes.targets / 2 >= files.top.issue.expires; }

/// Fails unless the role can be signed.
Result<void> RepositoryWriter::State::need(const char* role, RoleKeys Root::* keys) const {
  BERTH_CHECK(place.keys.enough_for(role, files.root.*keys, place.folder.string()));
  return {};
}

RepositoryWriter::RepositoryWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
RepositoryWriter::~RepositoryWriter() = default;
RepositoryWriter::RepositoryWriter(RepositoryWriter&&) noexcept = default;
RepositoryWriter& RepositoryWriter::operator=(RepositoryWriter&&) noexcept = default;

Result<RepositoryWriter> RepositoryWriter::open(const std::filesystem::path& folder, Keyring keys, std::function<WallTime()> now,
                                                const Lifetimes& lifetimes, std::chrono::milliseconds wait) {
  // Says that there is no repository before a lock file is made somewhere.
  BERTH_CHECK(read_repository_files(folder, Reading::finish_rotation));
  auto state = std::make_unique<State>(State{.place = {folder, std::move(keys), std::move(now), lifetimes}, .lock = {}, .files = {}});
  BERTH_TRY(state->lock, lock_folder(folder, wait));
  BERTH_CHECK(state->read());
  return RepositoryWriter(std::move(state));
}

Result<void> RepositoryWriter::add_targets(const std::map<std::string, std::string>& targets, const std::map<std::string, std::string>& pointers) {
  BERTH_CHECK(state_->read());
  BERTH_TRY(auto added, new_targets(state_->files.state, targets, pointers));
  if (added.empty()) return {};
  // All keys before the first byte.
  BERTH_CHECK(state_->need("targets", &Root::targets));
  BERTH_CHECK(state_->need("snapshot", &Root::snapshot));
  BERTH_CHECK(state_->need("timestamp", &Root::timestamp));
  RepositoryFiles changed = state_->files;
  BERTH_CHECK(write_targets(targets_of(state_->place.folder), added, changed.targets["targets"].as_object()));
  return state_->publish(std::move(changed), {.targets = true});
}

Result<void> RepositoryWriter::refresh(RefreshScope scope) {
  BERTH_CHECK(state_->read());
  Changes changes;
  const auto has_snapshot_key = state_->need("snapshot", &Root::snapshot);
  if (!has_snapshot_key && has_snapshot_key.error().code != Errc::not_found) return has_snapshot_key;
  changes.snapshot = scope == RefreshScope::all && has_snapshot_key.has_value();
  if (changes.snapshot && state_->targets_are_due()) {
    const auto has_key = state_->need("targets", &Root::targets);
    if (!has_key && has_key.error().code != Errc::not_found) return has_key;
    changes.targets = has_key.has_value();
  }
  return state_->publish(state_->files, std::move(changes));
}

Result<void> RepositoryWriter::delegate(const DelegationChange& change) {
  BERTH_CHECK(state_->read());
  RepositoryFiles changed = state_->files;
  BERTH_CHECK(trust::delegate(changed, change));
  return state_->publish(std::move(changed), {.targets = true});
}

Result<void> RepositoryWriter::revoke(const Revocation& revocation) {
  BERTH_CHECK(state_->read());
  RepositoryFiles changed = state_->files;
  BERTH_CHECK(trust::revoke(changed, state_->place.folder, revocation));
  return state_->publish(std::move(changed), {.targets = true});
}

Result<void> RepositoryWriter::accept(const std::vector<HandedIn>& roles, const std::map<std::string, std::string>& targets) {
  BERTH_CHECK(state_->need("snapshot", &Root::snapshot));
  BERTH_CHECK(state_->need("timestamp", &Root::timestamp));
  if (std::ranges::any_of(roles, [](const HandedIn& role) { return !role.moved.empty(); })) BERTH_CHECK(state_->need("targets", &Root::targets));
  json::object listed;  // by the roles themselves
  BERTH_CHECK(write_targets(targets_of(state_->place.folder), targets, listed));
  Changes changes;
  RepositoryFiles changed = state_->files;
  for (const HandedIn& role : roles) {
    changes.roles[role.role] = role.bytes;
    for (const std::string& name : role.moved) {
      changed.targets["targets"].as_object().erase(name);
      changes.targets = true;
    }
  }
  return state_->publish(std::move(changed), std::move(changes));
}

Result<std::string> RepositoryWriter::draft_root(const RootChange& change) const {
  const Workplace& place = state_->place;
  BERTH_TRY(const json::object document, next_root(state_->files, change, place.now() + place.lifetimes.root));
  BERTH_TRY(const Root root, parse_root(document, "the new root"));
  auto signers = place.keys.signers_of("root", state_->files.root.root);
  for (const RoleSigner& one : place.keys.signers_of("root", root.root))
    if (std::ranges::find(signers, one.keyid, &RoleSigner::keyid) == signers.end()) signers.push_back(one);
  return signed_file(document, signers);
}

Result<void> RepositoryWriter::replace_root(std::string_view bytes) {
  BERTH_CHECK(state_->read());
  BERTH_TRY(NextRoot next, read_next_root(state_->files, bytes));
  const Root& present = state_->files.root;
  Changes changes;
  changes.targets = differ(present.targets, next.root.targets);
  changes.snapshot = changes.targets || differ(present.snapshot, next.root.snapshot);
  changes.timestamp = changes.snapshot || differ(present.timestamp, next.root.timestamp);
  changes.root = std::move(next);
  return state_->publish(state_->files, std::move(changes));
}

const RepositoryFiles& RepositoryWriter::files() const { return state_->files; }
const RepositoryState& RepositoryWriter::state() const { return state_->files.state; }

}  // namespace berth::trust
