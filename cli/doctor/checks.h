#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "cli/doctor/finding.h"
#include "cli/doctor/subject.h"
#include "daemon/host/programs.h"

namespace berth::cli::doctor {

// Each looks at one thing and says what it found, at least one finding; none changes anything. What needs facts of the machine takes them apart from what
// judges them.

/// What berth uses of the kernel.
struct KernelFacts {
  std::string release;                ///< "6.1.0-18-amd64"
  bool cgroup2 = false;               ///< mounted
  std::set<std::string> controllers;  ///< of its root
  bool openat2 = false, pidfd = false, seccomp = false;
  int landlock = 0;                   ///< its version; 0: none
  std::set<std::string> namespaces;   ///< "net", "user"
};
KernelFacts kernel_facts(const fs::path& root);
Findings judge_kernel(const KernelFacts& facts);

/// Whom the program that unpacks releases runs as.
Findings judge_worker(const host::WorkerUser& user);

/// What routing by `port` needs, and who else writes rules. `able` tries the rules without keeping them.
Findings check_nftables(const Subject& subject, const std::function<Result<void>()>& able);
/// Asks the kernel by libnftables, where that is installed.
Result<void> can_route_by_port();

struct ClockFacts {
  Clock::time_point now;
  std::optional<Clock::time_point> last_refresh;  ///< of the repository
  std::optional<Clock::time_point> newest_event;
  bool synchronized = true;                       ///< as the kernel knows it of whoever sets the clock
};
ClockFacts clock_facts(const Subject& subject);
Findings judge_clock(const ClockFacts& facts);

struct DiskFacts {
  std::string what;  ///< "state"
  fs::path path;
  std::string kind;  ///< "ext4", "tmpfs"; empty where its name is not known
  std::uint64_t free = 0, inodes = 0, free_inodes = 0;  ///< inodes 0: the file system counts none
  std::uint64_t reserve = 0;
};
Findings judge_disk(const DiskFacts& facts);
Findings check_disks(const Subject& subject);

/// Instances that write their logs where nobody looks any more.
Findings check_log_places(const Subject& subject);

Findings check_certificates(const Subject& subject);
/// Whether the repository can be read, as berthd found when it asked it last, and what is followed there.
Findings check_repository(const Subject& subject);
Findings check_trust(const Subject& subject);
Findings check_permissions(const Subject& subject);
/// Integrity and schema; where those are right also what it knows of slots and releases.
Findings check_database(const Subject& subject);
Findings check_events(const Subject& subject);
/// The configuration, and what berthd says of itself and of its sinks. `version` is the command line's.
Findings check_daemon(const Subject& subject, const std::string& version);

/// What belongs to nobody: folders of slots and staging, processes of keepers and their cgroups, rules of nftables. `rules` gives berthd's table as JSON;
/// empty where there is none.
Findings check_orphans(const Subject& subject, const std::function<Result<std::string>()>& rules);
Result<std::string> present_rules();

/// All of them, on this machine.
Findings examine(const Subject& subject);

}  // namespace berth::cli::doctor
