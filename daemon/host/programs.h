#pragma once

#include <filesystem>
#include <string>

#include <sys/types.h>

#include "core/result.h"

namespace berth::host {

namespace fs = std::filesystem;

/// The programs that berthd starts.
struct Programs {
  fs::path keeper, unpack;
};

/// Where they are: beside a berthd in a build tree (`daemon/keeper/`, `daemon/unpack/`), in `libexec/berth` of the prefix that it is installed in, else in
/// `libexec`, which it was built for. `self`: berthd's own program.
Programs find_programs(const fs::path& self, const fs::path& libexec);

/// The configuration of the berthd at `self`: where it is installed in another prefix than it was built for, and a configuration is there, that one
/// (`/etc/berth/berthd.toml` of `/usr`, else `etc/berth/berthd.toml` below the prefix); else `built_for`.
fs::path find_config(const fs::path& self, const fs::path& built_for);

/// Whether both can be executed. Fails with `Errc::usage`, naming the option that tells another place.
Result<void> check_programs(const Programs& programs);

/// Who the unpack worker runs as: the user berth-unpack where there is one, else nobody.
struct WorkerUser {
  uid_t uid = 65534;
  gid_t gid = 65534;
};
WorkerUser worker_user();

}  // namespace berth::host
