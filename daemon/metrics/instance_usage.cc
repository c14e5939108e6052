#include "daemon/metrics/instance_usage.h"

#include <filesystem>
#include <sstream>

#include <fmt/core.h>
#include <unistd.h>

#include "daemon/supervise/process_tree.h"

namespace berth::metrics {
namespace {

namespace fs = std::filesystem;
using supervise::InstanceStatus;
using supervise::ProcessInfo;

std::string text_of(const fs::path& path) { return supervise::proc_text(path); }

/// Seconds of CPU that /proc tells of a process: its own, and of its children that ended.
struct CpuTime {
  double own = 0, ended_children = 0;
};

CpuTime cpu_time(pid_t pid) {
  const std::string text = text_of(fmt::format("/proc/{}/stat", pid));
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0, user_ended = 0, system_ended = 0;
  fields >> user >> system >> user_ended >> system_ended;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return {(user + system) / ticks, (user_ended + system_ended) / ticks};
}

std::uint64_t resident_bytes(pid_t pid) {
  std::uint64_t size = 0, resident = 0;
  std::istringstream(text_of(fmt::format("/proc/{}/statm", pid))) >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t descriptors_of(pid_t pid) {
  std::uint64_t count = 0;
  std::error_code ended;
  for (fs::directory_iterator it(fmt::format("/proc/{}/fd", pid), ended), end; !ended && it != end; it.increment(ended)) ++count;
  return count;
}

/// The folder of the app's cgroup where it is not its keeper's; empty: it has none of its own, or its files are not to be read here.
fs::path own_leaf(const InstanceStatus& status, const std::string& mount) {
  if (mount.empty()) return {};
  const std::string cgroup = unified_cgroup(text_of(fmt::format("/proc/{}/cgroup", status.pid)));
  if (cgroup.empty() || cgroup == unified_cgroup(text_of(fmt::format("/proc/{}/cgroup", status.keeper_pid)))) return {};
  const fs::path leaf = mount + cgroup;
  std::error_code error;
  return fs::exists(leaf / "cpu.stat", error) ? leaf : fs::path{};
}

/// What the processes read from disks and wrote to them so far, as /proc tells.
void fill_io(const std::vector<pid_t>& pids, InstanceUsage& usage) {
  for (const pid_t pid : pids) {
    const std::string io = text_of(fmt::format("/proc/{}/io", pid));
    if (io.empty()) continue;  // it has ended, or the kernel does not count
    usage.read_bytes = usage.read_bytes.value_or(0) + static_cast<double>(counter_in(io, "read_bytes:"));
    usage.written_bytes = usage.written_bytes.value_or(0) + static_cast<double>(counter_in(io, "write_bytes:"));
  }
}

/// True where the kernel accounts for memory and processes there; else only the CPU's time is filled in.
bool fill_from_cgroup(const fs::path& leaf, InstanceUsage& usage) {
  usage.cpu_seconds = static_cast<double>(counter_in(text_of(leaf / "cpu.stat"), "usage_usec")) / 1e6;
  const std::string memory = text_of(leaf / "memory.stat"), processes = text_of(leaf / "pids.current");
  if (memory.empty() || processes.empty()) return false;
  usage.resident_bytes = counter_in(memory, "anon") + counter_in(memory, "file_mapped");
  usage.processes = std::strtoull(processes.c_str(), nullptr, 10);
  const std::string events = text_of(leaf / "memory.events"), io = text_of(leaf / "io.stat");
  if (!events.empty()) usage.oom_kills = static_cast<double>(counter_in(events, "oom_kill"));
  std::error_code error;
  if (fs::exists(leaf / "io.stat", error)) {  // empty until something was read or written
    usage.read_bytes = static_cast<double>(sum_in(io, "rbytes"));
    usage.written_bytes = static_cast<double>(sum_in(io, "wbytes"));
  }
  const std::string limit = text_of(leaf / "memory.max");
  if (!limit.empty() && !limit.starts_with("max")) usage.memory_limit = std::strtod(limit.c_str(), nullptr);
  return true;
}

void fill_from_processes(const InstanceStatus& status, const std::vector<ProcessInfo>& all, bool with_cpu, InstanceUsage& usage) {
  const std::vector<pid_t> pids = supervise::descendants(status.keeper_pid, all);
  usage.processes = pids.size();
  double cpu = cpu_time(status.keeper_pid).ended_children;
  for (const pid_t pid : pids) {
    const CpuTime time = cpu_time(pid);
    cpu += time.own + time.ended_children;
    usage.resident_bytes += resident_bytes(pid);
  }
  if (with_cpu) usage.cpu_seconds = cpu;
  if (!usage.read_bytes) fill_io(pids, usage);
}

}  // namespace

std::string unified_cgroup(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("0::/") && line.size() > 4) return line.substr(3);
  return {};
}

std::uint64_t sum_in(const std::string& text, const std::string& key) {
  std::istringstream words(text);
  std::uint64_t sum = 0;
  for (std::string word; words >> word;)
    if (word.starts_with(key + "=")) sum += std::strtoull(word.c_str() + key.size() + 1, nullptr, 10);
  return sum;
}

std::uint64_t counter_in(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(key + " ")) return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10);
  return 0;
}

std::map<InstanceId, InstanceUsage> instance_usages(const std::vector<InstanceStatus>& instances, const std::string& cgroup_mount) {
  std::map<InstanceId, InstanceUsage> usages;
  std::optional<std::vector<ProcessInfo>> all;  // read for those only that need it
  for (const auto& status : instances) {
    if (status.pid <= 0 || status.keeper_pid <= 0) continue;
    InstanceUsage& usage = usages[status.id];
    const fs::path leaf = own_leaf(status, cgroup_mount);
    if (leaf.empty() || !fill_from_cgroup(leaf, usage)) {
      if (!all) all = supervise::all_processes();
      fill_from_processes(status, *all, leaf.empty(), usage);
    }
    usage.open_fds = descriptors_of(status.pid);
  }
  return usages;
}

}  // namespace berth::metrics
