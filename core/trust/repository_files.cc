#include "core/trust/repository_files.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/trust/limits.h"
#include "core/trust/lookup.h"
#include "core/trust/role_name.h"

namespace berth::trust {
namespace {

namespace fs = std::filesystem;

/// The newest root, and the one before it.
struct Roots {
  Root newest, before;
  json::object document;
};

class FilesReader {
 public:
  FilesReader(const fs::path& folder, Reading reading) : metadata_(metadata_of(folder)), reading_(reading) {}

  Result<RepositoryFiles> read();

 private:
  Result<Envelope> open_file(const fs::path& file) const;
  Result<Root> read_root(std::int64_t version, json::object* document) const;
  Result<void> read_roots();
  Result<json::object> read_role(const char* role, const fs::path& file, RoleKeys Root::* keys);
  void read_delegated(const Delegation& delegation, const Snapshot& snapshot);
  void fill_state(const Timestamp& timestamp, const Snapshot& snapshot);

  fs::path metadata_;
  Reading reading_;
  Roots roots_;
  RepositoryFiles files_;
};

/// Every file that is asked for here is one that the repository must have.
Result<Envelope> FilesReader::open_file(const fs::path& file) const {
  const auto bytes = files::read(file, kMostMetadata);
  if (!bytes && bytes.error().code == Errc::not_found)
    return fail(Errc::trust, fmt::format("{} is missing, so the repository is not whole; bring it back from a copy, such as what is served", file.string()));
  BERTH_CHECK(bytes);
  return open_envelope(*bytes, file.string());
}

Result<Root> FilesReader::read_root(std::int64_t version, json::object* document) const {
  const fs::path file = metadata_ / numbered_file("root", version);
  BERTH_TRY(Envelope envelope, open_file(file));
  BERTH_TRY(Root root, parse_root(envelope.content, file.string()));
  BERTH_CHECK(verify(envelope, root.root, file.string()));
  if (document != nullptr) *document = std::move(envelope.content.get_object());
  return root;
}

/// The chain is not walked: whoever can write here holds the repository anyway; readers walk it.
Result<void> FilesReader::read_roots() {
  std::int64_t version = 0;
  while (fs::exists(metadata_ / numbered_file("root", version + 1))) ++version;
  if (version == 0)
    return fail(Errc::not_found, fmt::format("{} is no repository; make one with `berth repo init`", metadata_.parent_path().string()));
  BERTH_TRY(roots_.newest, read_root(version, &roots_.document));
  roots_.before = roots_.newest;
  if (version > 1 && reading_ == Reading::finish_rotation) {
    BERTH_TRY(roots_.before, read_root(version - 1, nullptr));
  }
  return {};
}

/// Reads one metadata file of the repository and verifies it with the keys that root gives its role, or else with those of the root before.
Result<json::object> FilesReader::read_role(const char* role, const fs::path& file, RoleKeys Root::* keys) {
  BERTH_TRY(Envelope envelope, open_file(file));
  if (auto good = verify(envelope, roots_.newest.*keys, file.string()); !good) {
    if (!verify(envelope, roots_.before.*keys, file.string())) return std::unexpected(std::move(good.error()));
    files_.unfinished.insert(role);
  }
  return std::move(envelope.content.get_object());
}

/// A role that cannot be believed hides its own targets only, as it does for a reader.
void FilesReader::read_delegated(const Delegation& delegation, const Snapshot& snapshot) {
  DelegatedFile role{.delegation = delegation};
  const auto listed = snapshot.roles.find(delegation.role);
  if (listed != snapshot.roles.end()) {
    role.version = listed->second.version;
    const fs::path file = metadata_ / numbered_file(delegation.role, role.version);
    const auto read = [&]() -> Result<void> {
      BERTH_TRY(role.bytes, files::read(file, kMostMetadata));
      BERTH_TRY(Envelope envelope, open_envelope(role.bytes, file.string()));
      const auto good = verify(envelope, delegation.keys, file.string());
      auto targets = parse_targets(envelope.content, file.string());
      role.document = std::move(envelope.content.get_object());
      BERTH_CHECK(good);
      BERTH_CHECK(targets);
      role.targets = std::move(*targets);
      return {};
    };
    if (const auto done = read(); !done) role.trouble = done.error().message;
  }
  files_.delegated.push_back(std::move(role));
}

RoleState state_of(std::string role, const Issue& issue) { return {.role = std::move(role), .version = issue.version, .expires = issue.expires}; }

/// What a reader would find: a name counts where the first role that may have it lists it.
void FilesReader::fill_state(const Timestamp& timestamp, const Snapshot& snapshot) {
  RepositoryState& state = files_.state;
  state.roles = {state_of("root", files_.root.issue), state_of("timestamp", timestamp.issue), state_of("snapshot", snapshot.issue),
                 state_of("targets", files_.top.issue)};
  std::set<std::string, std::less<>> names;
  const auto add = [&](const std::string& role, const std::string& name, const TargetInfo& info) {
    if (names.insert(name).second) state.targets.push_back({.name = name, .length = info.length, .hashes = info.hashes, .role = role});
  };
  for (const auto& [name, info] : files_.top.targets) add("targets", name, info);
  state.dropped = dropped_in(files_.targets);
  for (const DelegatedFile& role : files_.delegated) {
    DelegatedRole told{.role = role.delegation.role, .threshold = role.delegation.keys.threshold, .paths = role.delegation.paths,
                       .version = role.version, .trouble = role.trouble};
    for (const auto& [keyid, key] : role.delegation.keys.keys) told.keyids.push_back(keyid);
    state.delegations.push_back(std::move(told));
    state.dropped.merge(dropped_in(role.document));
    if (role.version > 0 && role.trouble.empty()) state.roles.push_back(state_of(role.delegation.role, role.targets.issue));
    for (const auto& [name, info] : role.targets.targets)
      if (role.delegation.covers(name)) add(role.delegation.role, name, info);
  }
  std::ranges::sort(state.targets, {}, &Target::name);
}

Result<RepositoryFiles> FilesReader::read() {
  BERTH_CHECK(read_roots());
  files_.root = roots_.newest;
  files_.root_document = std::move(roots_.document);
  BERTH_TRY(files_.timestamp, read_role("timestamp", metadata_ / "timestamp.json", &Root::timestamp));
  BERTH_TRY(const Timestamp timestamp, parse_timestamp(files_.timestamp, "timestamp.json"));
  const fs::path snapshot_file = metadata_ / numbered_file("snapshot", timestamp.snapshot.version);
  BERTH_TRY(files_.snapshot, read_role("snapshot", snapshot_file, &Root::snapshot));
  BERTH_TRY(const Snapshot snapshot, parse_snapshot(files_.snapshot, "snapshot.json"));
  const auto listed = snapshot.roles.find("targets");
  if (listed == snapshot.roles.end()) return fail(Errc::trust, fmt::format("{}: snapshot.json lists no targets.json", metadata_.string()));
  const fs::path targets_file = metadata_ / numbered_file("targets", listed->second.version);
  BERTH_TRY(files_.targets, read_role("targets", targets_file, &Root::targets));
  BERTH_TRY(files_.top, parse_targets(files_.targets, "targets.json"));
  for (const Delegation& delegation : files_.top.delegations) read_delegated(delegation, snapshot);
  fill_state(timestamp, snapshot);
  return std::move(files_);
}

}  // namespace

const DelegatedFile* RepositoryFiles::role(std::string_view name) const {
  const auto found = std::ranges::find_if(delegated, [&](const DelegatedFile& one) { return one.delegation.role == name; });
  return found == delegated.end() ? nullptr : &*found;
}

std::int64_t RepositoryFiles::listed_version(const std::string& role) const {
  const json::value* listed = snapshot.at("meta").as_object().if_contains(role + ".json");
  return listed == nullptr ? 0 : listed->at("version").to_number<std::int64_t>();
}

fs::path metadata_of(const fs::path& folder) { return folder / "metadata"; }
fs::path targets_of(const fs::path& folder) { return folder / "targets"; }
fs::path incoming_of(const fs::path& folder) { return folder / "incoming"; }

std::string numbered_file(std::string_view role, std::int64_t version) { return fmt::format("{}.{}.json", version, encode_role(role)); }

std::string file_of_target(std::string_view name, std::string_view sha256) {
  const auto base = name.rfind('/') + 1;  // 0 where there is no slash
  return fmt::format("{}{}.{}", name.substr(0, base), sha256, name.substr(base));
}

Result<RepositoryFiles> read_repository_files(const fs::path& folder, Reading reading) { return FilesReader(folder, reading).read(); }

Result<RepositoryState> read_repository(const fs::path& folder) {
  BERTH_TRY(RepositoryFiles files, read_repository_files(folder));
  return std::move(files.state);
}

}  // namespace berth::trust
