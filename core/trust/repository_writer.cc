#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/trust/repository.h"
#include "core/trust/repository_files.h"
#include "core/trust/role_document.h"

namespace berth::trust {
namespace {

/// Held as long as the descriptor; a publisher that dies lets it go.
Result<Fd> take_lock(const std::filesystem::path& folder) {
  BERTH_TRY(Fd lock, files::open(folder / ".lock", O_RDWR | O_CREAT, 0600));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK)
    return fail(Errc::conflict, fmt::format("{}: another publisher is at work in this repository; try again when it is done", folder.string()));
  return fail_errno("lock " + folder.string());
}

bool is_target_character(char c) {
  return ('A' <= c && c <= 'Z') || ('a' <= c && c <= 'z') || ('0' <= c && c <= '9') || c == '.' || c == '_' || c == '-';
}

/// `web/production/<sha256>.v1.json`
std::string file_of_target(std::string_view name, std::string_view sha256) {
  const auto base = name.rfind('/') + 1;  // 0 where there is no slash
  return fmt::format("{}{}.{}", name.substr(0, base), sha256, name.substr(base));
}

json::object target_info(std::string_view bytes, const std::string& sha256) {
  return {{"length", bytes.size()}, {"hashes", {{"sha256", sha256}}}};
}

}  // namespace

bool is_target_name(std::string_view name) {
  if (name.empty() || name.size() > 512) return false;
  while (true) {
    const auto segment = name.substr(0, name.find('/'));
    if (segment.empty() || segment == "." || segment == ".." || segment.size() > 180) return false;
    if (!std::ranges::all_of(segment, is_target_character)) return false;
    if (segment.size() == name.size()) return true;
    name.remove_prefix(segment.size() + 1);
  }
}

struct RepositoryWriter::State {
  std::filesystem::path folder, keys;
  std::function<WallTime()> now;
  Lifetimes lifetimes;
  Fd lock;
  RepositoryFiles files;

  Result<crypto::SigningKey> key(const std::string& role, const RoleKeys& listed) const;
  Result<std::vector<std::string>> new_names(const std::map<std::string, std::string>& targets) const;
  Result<void> write_targets(const std::map<std::string, std::string>& targets, const std::vector<std::string>& names);
  bool targets_are_due() const;
  Result<void> publish(const crypto::SigningKey* targets_key);
};

/// Loads a role's key, and makes sure that root lists it: a file signed with another would be refused by every reader.
Result<crypto::SigningKey> RepositoryWriter::State::key(const std::string& role, const RoleKeys& listed) const {
  const auto file = keys / (role + ".pem");
  BERTH_TRY(crypto::SigningKey key, crypto::SigningKey::load(file));
  const bool known = std::ranges::any_of(listed.keys, [&](const auto& entry) { return entry.second == key.public_key(); });
  if (!known) return fail(Errc::usage, fmt::format("{}: is not a key that {} lists for its role {}", file.string(), folder.string(), role));
  if (listed.threshold > 1)
    return fail(Errc::usage, fmt::format("{}: role {} needs {} signatures, and there is one key at hand", folder.string(), role, listed.threshold));
  return key;
}

/// The names that are not in the repository yet.
Result<std::vector<std::string>> RepositoryWriter::State::new_names(const std::map<std::string, std::string>& targets) const {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : targets) {
    if (!is_target_name(name)) return fail(Errc::usage, fmt::format("'{}' cannot be a target's name", name));
    const auto held = std::ranges::find(files.state.targets, name, &Target::name);
    if (held == files.state.targets.end()) {
      names.push_back(name);
    } else if (!check_target(bytes, *held)) {
      return fail(Errc::exists, fmt::format("'{}' is in the repository with other content, and is never replaced; publish under a new name", name));
    }
  }
  return names;
}

Result<void> RepositoryWriter::State::write_targets(const std::map<std::string, std::string>& targets, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string& bytes = targets.at(name);
    const std::string sha256 = crypto::sha256_hex(bytes);
    const auto file = targets_of(folder) / file_of_target(name, sha256);
    BERTH_CHECK(files::make_directories(file.parent_path()));
    BERTH_CHECK(files::replace(file, bytes));
    files.targets["targets"].as_object()[name] = target_info(bytes, sha256);
  }
  return {};
}

bool RepositoryWriter::State::targets_are_due() const {
  const auto role = std::ranges::find(files.state.roles, "targets", &RoleState::role);
  return now() + lifetimes.targets / 2 >= role->expires;
}

/// Signs targets (if its key is given), snapshot and timestamp in new versions. After a crash in here the next publisher starts from
/// what timestamp.json still leads to, and writes the same version numbers over files that no reader was ever pointed to.
Result<void> RepositoryWriter::State::publish(const crypto::SigningKey* targets_key) {
  BERTH_TRY(const crypto::SigningKey snapshot_key, key("snapshot", files.root.snapshot));
  BERTH_TRY(const crypto::SigningKey timestamp_key, key("timestamp", files.root.timestamp));
  const auto metadata = metadata_of(folder);
  const auto write_numbered = [&](const char* role, const json::object& document, const std::string& bytes) {
    return files::replace(metadata / fmt::format("{}.{}.json", document.at("version").to_number<std::int64_t>(), role), bytes);
  };

  if (targets_key != nullptr) {
    renew(files.targets, now() + lifetimes.targets);
    const std::string bytes = signed_file(files.targets, {targets_key});
    BERTH_CHECK(write_numbered("targets", files.targets, bytes));
    files.snapshot["meta"].as_object()["targets.json"] = listing_of(bytes, files.targets);
  }
  renew(files.snapshot, now() + lifetimes.snapshot);
  const std::string snapshot_bytes = signed_file(files.snapshot, {&snapshot_key});
  BERTH_CHECK(write_numbered("snapshot", files.snapshot, snapshot_bytes));

  files.timestamp["meta"].as_object()["snapshot.json"] = listing_of(snapshot_bytes, files.snapshot);
  renew(files.timestamp, now() + lifetimes.timestamp);
  BERTH_CHECK(files::replace(metadata / "timestamp.json", signed_file(files.timestamp, {&timestamp_key})));
  BERTH_TRY(files, read_repository_files(folder));
  return {};
}

RepositoryWriter::RepositoryWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
RepositoryWriter::~RepositoryWriter() = default;
RepositoryWriter::RepositoryWriter(RepositoryWriter&&) noexcept = default;
RepositoryWriter& RepositoryWriter::operator=(RepositoryWriter&&) noexcept = default;

Result<RepositoryWriter> RepositoryWriter::open(const std::filesystem::path& folder, const std::filesystem::path& keys,
                                                std::function<WallTime()> now, const Lifetimes& lifetimes) {
  BERTH_CHECK(read_repository(folder));  // says that there is none, before a lock file is made somewhere
  auto state = std::make_unique<State>(State{folder, keys, std::move(now), lifetimes, {}, {}});
  BERTH_TRY(state->lock, take_lock(folder));
  BERTH_TRY(state->files, read_repository_files(folder));
  return RepositoryWriter(std::move(state));
}

// Both start from what is on disk: an earlier call on this writer may have failed half-way.

Result<void> RepositoryWriter::add_targets(const std::map<std::string, std::string>& targets) {
  BERTH_TRY(state_->files, read_repository_files(state_->folder));
  BERTH_TRY(const auto names, state_->new_names(targets));
  if (names.empty()) return {};
  // All keys before the first byte: nothing is half published for want of one.
  BERTH_TRY(const crypto::SigningKey key, state_->key("targets", state_->files.root.targets));
  BERTH_CHECK(state_->key("snapshot", state_->files.root.snapshot));
  BERTH_CHECK(state_->key("timestamp", state_->files.root.timestamp));
  BERTH_CHECK(state_->write_targets(targets, names));
  return state_->publish(&key);
}

Result<void> RepositoryWriter::refresh() {
  BERTH_TRY(state_->files, read_repository_files(state_->folder));
  if (state_->targets_are_due()) {
    const auto key = state_->key("targets", state_->files.root.targets);
    if (key) return state_->publish(&*key);
    if (key.error().code != Errc::not_found) return pass(key.error());
  }
  return state_->publish(nullptr);
}

const RepositoryState& RepositoryWriter::state() const { return state_->files.state; }

}  // namespace berth::trust
