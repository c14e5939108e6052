#pragma once

#include <filesystem>
#include <vector>

#include <sys/types.h>

#include "core/result.h"

namespace berth::host {

/// Lets the owner of a Unix socket connect to it, the group that it belongs to where `its_group` says so, and members of `more` by an access list; nobody else. Fails with
/// `Errc::usage` where the file system has no access lists.
Result<void> share_socket(const std::filesystem::path& socket, bool its_group, std::vector<gid_t> more);

}  // namespace berth::host
