#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "core/files/fd.h"
#include "core/resources.h"
#include "core/result.h"
#include "daemon/keeper/restart_policy.h"
#include "daemon/secrets/values.h"

namespace berth::keeper {

/// What a process whose root is its image sees of the node.
struct Mount {
  enum class Kind {
    writable, read_only,  ///< folders
    file,                 ///< read-only; passed over where either side has none
  } kind = Kind::read_only;
  std::string path;    ///< below the root, without a slash in front, without spaces; at most 250 bytes
  std::string source;  ///< on the node

  bool operator==(const Mount&) const = default;
};

/// What a process is to find at a path of the node instead of what lies there; see daemon/keeper/sandbox.h.
struct Confinement {
  enum class Kind { read_only, writable, hidden, memory, empty, devices } kind = Kind::read_only;
  std::string path;        ///< absolute
  bool optional = false;   ///< passed over where it is not there

  bool operator==(const Confinement&) const = default;
};
/// As the keeper is told: "ro? /boot".
std::string to_string(const Confinement& one);

/// A process whose files another one is to see, by its mount namespace, of which there is only one of that number while somebody has it open.
struct SeenProcess {
  pid_t pid = 0;
  std::uint64_t mounts = 0;  ///< inode

  bool operator==(const SeenProcess&) const = default;
};

/// What a keeper is told to run.
struct Launch {
  std::string id;                                  ///< "web/worker.2@v42"
  std::vector<std::string> argv;                   ///< argv[0] is absolute
  secrets::WipedValues environment;
  std::string root;                                ///< a folder that becomes the process's root, with `mounts`; empty: the node's
  std::vector<Mount> mounts;
  std::vector<Confinement> confinement;            ///< in this order; without a root of its own
  std::optional<SeenProcess> sees;                 ///< in the place of `root`, `mounts` and `confinement`: the files that this one sees
  std::vector<int> address_families;               ///< of its sockets; empty: all
  bool deny_write_execute = false;                 ///< of memory
  int umask = 022;
  std::string directory = "/";                     ///< in that root
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;                       ///< supplementary ones
  bool may_gain_privileges = false;                ///< else PR_SET_NO_NEW_PRIVS
  std::uint64_t bounding = ~std::uint64_t{0};      ///< capabilities that it, and what descends from it, can ever have: 1 << number
  std::uint64_t ambient = 0;                       ///< those that it has though it is not root; in `bounding`, too
  int stop_signal = 15;
  std::int64_t grace_ms = 10'000;
  RestartWhen restart = RestartWhen::always;
  std::int64_t retries = -1;                       ///< starts after the first one; -1: as many as it takes
  RestartPolicy policy;
  std::uint64_t segment_bytes = 10u << 20;
  std::uint64_t keep_bytes = 100u << 20;
  std::int64_t segment_age_ms = 0;                 ///< a log file is rotated at the next line when its first one is older; 0: never for its age
  std::string log_tag;                             ///< `RELEASE:DEPLOYMENT`, which each line of its log tells; at most 95 bytes; empty: none
  std::string cgroup;                              ///< folder that the app's processes enter; empty: none
  std::string notify;                              ///< path at which the keeper receives what the app says by sd_notify; empty: it does not
  std::int64_t watchdog_ms = 0;                    ///< the app is to say WATCHDOG=1 so often, or is restarted; 0: it need not
  std::int64_t watchdog_delay_ms = 0;              ///< from its start, before that counts; -1: from its first READY=1
  std::vector<std::pair<std::string, std::string>> cgroup_values;  ///< file of the cgroup → what is written there at each start; passed over where it is not there
  std::vector<std::pair<std::string, int>> sockets;  ///< name → listening socket; the app gets them as 3, 4, …
  std::optional<bool> attached;                    ///< whether a client is at its stdin, stdout and stderr, and then, whether they are a terminal
  bool bound = false;                              ///< the app is stopped when the connection to its keeper ends, and killed when its keeper does
  ResourceLimits resources;
  bool usual_files = false;                        ///< it may have as many files open as is usual, as far as allowed, where `resources` do not say how many
  std::optional<int> nice;                         ///< -20 to 19; without it as the keeper
  std::optional<int> oom_score_adjust;             ///< without it 0, as far as allowed
  bool listen_variables = true;                    ///< LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID, when there are sockets
};

/// A launch as the keeper reads it: a sealed memfd.
struct LaunchMemory {
  Fd fd;
  std::uint64_t digest = 0;  ///< as the keeper's state tells it
};

/// Fails with `Errc::usage` for text with a NUL in it, a variable without a name, or more than a keeper takes.
Result<LaunchMemory> make_launch(const Launch& launch);

/// Why starting failed at `stage`, for a person: "execute /x/server: No such file or directory".
std::string describe_failure(int stage, int error, const std::string& program);

}  // namespace berth::keeper
