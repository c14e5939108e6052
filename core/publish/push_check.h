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

}  // namespace berth::publish
