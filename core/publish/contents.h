#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/manifest.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/trust/repository.h"

namespace berth::publish {

/// Which release a target is the manifest of; none where it is something else.
std::optional<ReleaseRef> release_of(std::string_view target);

/// The file of a target in a repository's folder.
std::filesystem::path file_of(const std::filesystem::path& repository, const trust::Target& target);

/// Folders that hold targets: a repository's, and perhaps that of what waits to be accepted.
using Folders = std::vector<std::filesystem::path>;

/// A target's bytes, out of the first folder that has its file, verified. `Errc::trust` where they are not what is signed, or missing.
Result<std::string> read_target(const Folders& folders, const trust::Target& target);

/// The manifest that a target's bytes are; of that very release.
Result<bundle::Manifest> manifest_in(std::string_view bytes, std::string_view target);

/// A release's manifest, its hash and its name verified against what is signed. `Errc::trust` where they do not hold.
Result<bundle::Manifest> read_manifest(const Folders& folders, const trust::Target& target);

/// The manifests of an app, in one environment or, where it is empty, in all; of all apps where that is empty. Newest first.
Result<std::vector<bundle::Manifest>> read_releases(const Folders& folders, const trust::RepositoryState& state,
                                                    const std::string& app, const std::string& environment);

/// `Errc::not_found` of a release that is not in the repository; lists the newest ones there are.
std::unexpected<Error> no_such_release(const std::filesystem::path& repository, const trust::RepositoryState& state, const ReleaseRef& ref);

/// The one release of that full name; `Errc::not_found` lists the newest ones there are.
Result<bundle::Manifest> find_release(const std::filesystem::path& repository, const ReleaseRef& ref);

/// The release that a new one follows: the one that no other names as its previous one. Clocks of publishers do not count, but between several such.
std::string newest_release(const std::vector<bundle::Manifest>& releases);

/// The ids that an app had in an environment and that no release has any more.
std::vector<std::string> dropped_ids(const trust::RepositoryState& state, const std::string& app, const std::string& environment);

/// `v1`, or one more than the highest `v<number>` of releases that are there and of ids that were dropped. Other ids do not count.
std::string next_id(const std::vector<bundle::Manifest>& releases, const std::vector<std::string>& dropped);

}  // namespace berth::publish
