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

/// The same for the `berth` at `self`: `built_for` counts where it is installed in `bin`, which it was built for; else what packages have does.
fs::path find_config_of_client(const fs::path& self, const fs::path& bin, const fs::path& built_for);

/// Whether both can be executed. Fails with `Errc::usage`, naming the option that tells another place.
Result<void> check_programs(const Programs& programs);

/// The user that the unpack worker runs as where there is one; else it runs as nobody, as other programs may.
inline constexpr const char* kWorkerUser = "berth-unpack";
struct WorkerUser {
  uid_t uid = 65534;
  gid_t gid = 65534;
  bool is_nobody = true;
};
WorkerUser worker_user(const char* name = kWorkerUser);

/// What to do where it is nobody.
inline constexpr const char* kMakeWorkerUser =
    "make it by 'systemd-sysusers', or 'useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin berth-unpack', and restart berthd";
/// Why it should not be nobody, and what to do; empty where it is not.
std::string complaint_of(const WorkerUser& user);

}  // namespace berth::host
