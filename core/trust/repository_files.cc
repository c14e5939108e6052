#include "core/trust/repository_files.h"

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/trust/lookup.h"

namespace berth::trust {
namespace {

constexpr std::size_t kMostFile = 8u << 20;

/// Reads one metadata file of the repository and verifies it with `keys`.
Result<json::object> read_role(const std::filesystem::path& file, const RoleKeys& keys) {
  BERTH_TRY(const std::string bytes, files::read(file, kMostFile));
  BERTH_TRY(Envelope envelope, open_envelope(bytes, file.string()));
  BERTH_CHECK(verify(envelope, keys, file.string()));
  return std::move(envelope.content.get_object());
}

/// The newest root. The chain is not walked: whoever can write here holds the repository anyway; readers walk it.
Result<Root> read_root(const std::filesystem::path& metadata) {
  std::int64_t version = 0;
  while (std::filesystem::exists(metadata / fmt::format("{}.root.json", version + 1))) ++version;
  if (version == 0) return fail(Errc::not_found, fmt::format("{} is no repository; make one with `berth repo init`", metadata.parent_path().string()));
  const auto file = metadata / fmt::format("{}.root.json", version);
  BERTH_TRY(const std::string bytes, files::read(file, kMostFile));
  BERTH_TRY(const Envelope envelope, open_envelope(bytes, file.string()));
  BERTH_TRY(Root root, parse_root(envelope.content, file.string()));
  BERTH_CHECK(verify(envelope, root.root, file.string()));
  return root;
}

RoleState state_of(std::string role, const Issue& issue) { return {.role = std::move(role), .version = issue.version, .expires = issue.expires}; }

}  // namespace

std::filesystem::path metadata_of(const std::filesystem::path& folder) { return folder / "metadata"; }
std::filesystem::path targets_of(const std::filesystem::path& folder) { return folder / "targets"; }

Result<RepositoryFiles> read_repository_files(const std::filesystem::path& folder) {
  const auto metadata = metadata_of(folder);
  RepositoryFiles files;
  BERTH_TRY(files.root, read_root(metadata));
  BERTH_TRY(files.timestamp, read_role(metadata / "timestamp.json", files.root.timestamp));
  BERTH_TRY(const Timestamp timestamp, parse_timestamp(files.timestamp, "timestamp.json"));
  BERTH_TRY(files.snapshot, read_role(metadata / fmt::format("{}.snapshot.json", timestamp.snapshot.version), files.root.snapshot));
  BERTH_TRY(const Snapshot snapshot, parse_snapshot(files.snapshot, "snapshot.json"));
  const auto listed = snapshot.roles.find("targets");
  if (listed == snapshot.roles.end()) return fail(Errc::trust, fmt::format("{}: snapshot.json lists no targets.json", metadata.string()));
  BERTH_TRY(files.targets, read_role(metadata / fmt::format("{}.targets.json", listed->second.version), files.root.targets));
  BERTH_TRY(const Targets targets, parse_targets(files.targets, "targets.json"));

  files.state.roles = {state_of("root", files.root.issue), state_of("timestamp", timestamp.issue), state_of("snapshot", snapshot.issue),
                       state_of("targets", targets.issue)};
  for (const auto& [name, info] : targets.targets)
    files.state.targets.push_back({.name = name, .length = info.length, .hashes = info.hashes, .role = "targets"});
  return files;
}

Result<RepositoryState> read_repository(const std::filesystem::path& folder) {
  BERTH_TRY(RepositoryFiles files, read_repository_files(folder));
  return std::move(files.state);
}

}  // namespace berth::trust
