#pragma once

#include <filesystem>
#include <string>

#include "core/result.h"
#include "core/trust/remote.h"

namespace berth::publish {

/// Whether the metadata `there` is an earlier state of the repository, or the same: so that it may be overwritten. `where` names it in messages.
/// `Errc::conflict` where a version there is higher, or has other contents than the same version here: another publisher works with another copy.
/// What is not there, or damaged, may be overwritten. Fails as `there` does. No signatures are asked for: whoever can write there can do all this.
Result<void> check_destination(const std::filesystem::path& repository, trust::Remote& there, const std::string& where);

/// The same of what a server tells. Where it tells of no metadata, or of what is none, `where` may well be wrong, so that nothing is known of what would be
/// overwritten: `Errc::not_found` for a timestamp.json that is not there or not to be had (404, 403), `Errc::conflict` for one that is none.
Result<void> check_served(const std::filesystem::path& repository, trust::Remote& there, const std::string& where);

}  // namespace berth::publish
