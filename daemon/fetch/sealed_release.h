#pragma once

#include <optional>
#include <string>

#include "core/ids.h"
#include "core/result.h"
#include "daemon/fetch/fetch.h"

namespace berth::fetch {

/// The SHA-256 of a release's manifest as the metadata lists it that this node trusts already. Asks nobody, and takes what is expired. Nothing where there
/// is no metadata, where it cannot be read, and where it does not list the release. Blocking.
std::optional<std::string> listed_manifest(const RepositoryOptions& options, const ReleaseRef& release);

/// Whether a sealed release is the one that is listed, or was found, under its id: both are SHA-256 of their manifests. `Errc::trust` where it is another.
Result<void> check_same_release(const ReleaseRef& release, const std::string& sealed, const std::string& listed);

}  // namespace berth::fetch
