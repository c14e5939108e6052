#include "daemon/metrics/instance_usage.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>

#include <fmt/core.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/in_parallel.h"
#include "daemon/supervise/process_tree.h"

namespace berth::metrics {
namespace {

namespace fs = std::filesystem;
using supervise::InstanceStatus;
using supervise::ProcessInfo;

constexpr std::size_t kWorthAThread = 32;     ///< instances
constexpr std::size_t kMostStat = 1u << 20;   ///< bytes

std::string text_of(const fs::path& path) { return supervise::proc_text(path); }

/// Where the usage of an instance is told.
enum class ToldBy {
  cgroup,     ///< all of it
  cpu_alone,  ///< by its cgroup: the kernel does not account for memory there
  processes,
};

/// What the processes read from disks and wrote to them so far, as /proc tells.
void fill_io(const std::vector<pid_t>& pids, InstanceUsage& usage) {
  for (const pid_t pid : pids) {
    const std::string io = text_of(fmt::format("/proc/{}/io", pid));
    if (io.empty()) continue;  // it has ended, or the kernel does not count
    usage.read_bytes = usage.read_bytes.value_or(0) + static_cast<double>(counter_in(io, "read_bytes:"));
    usage.written_bytes = usage.written_bytes.value_or(0) + static_cast<double>(counter_in(io, "write_bytes:"));
  }
}

ToldBy fill_from_cgroup(const fs::path& leaf, InstanceUsage& usage) {
  const std::string cpu = leaf.empty() ? "" : text_of(leaf / "cpu.stat");
  if (cpu.empty()) return ToldBy::processes;
  usage.cpu_seconds = static_cast<double>(counter_in(cpu, "usage_usec")) / 1e6;
  const std::string memory = text_of(leaf / "memory.stat"), processes = text_of(leaf / "pids.current");
  if (memory.empty() || processes.empty()) return ToldBy::cpu_alone;
  usage.resident_bytes = counter_in(memory, "anon") + counter_in(memory, "file_mapped");
  usage.processes = std::strtoull(processes.c_str(), nullptr, 10);
  if (const std::string events = text_of(leaf / "memory.events"); !events.empty()) usage.oom_kills = static_cast<double>(counter_in(events, "oom_kill"));
  if (const auto io = files::read(leaf / "io.stat", kMostStat)) {  // empty until something was read or written
    usage.read_bytes = static_cast<double>(sum_in(*io, "rbytes"));
    usage.written_bytes = static_cast<double>(sum_in(*io, "wbytes"));
  }
  const std::string limit = text_of(leaf / "memory.max");
  if (!limit.empty() && !limit.starts_with("max")) usage.memory_limit = std::strtod(limit.c_str(), nullptr);
  return ToldBy::cgroup;
}

void fill_from_processes(const InstanceStatus& status, const std::vector<ProcessInfo>& all, bool with_cpu, InstanceUsage& usage) {
  const std::vector<pid_t> pids = supervise::descendants(status.keeper_pid, all);
  usage.processes = pids.size();
  // Asked again, one right after the other: of one that its parent reaps in between, nobody would tell the time.
  const auto keeper = supervise::process_info(status.keeper_pid);
  std::uint64_t ticks = keeper ? keeper->ended_children_ticks : 0, pages = 0;
  for (const pid_t pid : pids) {
    const auto process = supervise::process_info(pid);
    if (!process) continue;
    ticks += process->cpu_ticks + process->ended_children_ticks;
    pages += process->resident_pages;
  }
  usage.resident_bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (with_cpu) usage.cpu_seconds = static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  if (!usage.read_bytes) fill_io(pids, usage);
}

}  // namespace

std::uint64_t sum_in(const std::string& text, const std::string& key) {
  std::istringstream words(text);
  std::uint64_t sum = 0;
  for (std::string word; words >> word;)
    if (word.starts_with(key + "=")) sum += std::strtoull(word.c_str() + key.size() + 1, nullptr, 10);
  return sum;
}

std::uint64_t counter_in(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') continue;
    line.remove_prefix(key.size() + 1);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    std::uint64_t number = 0;
    std::from_chars(line.data(), line.data() + line.size(), number);
    return number;
  }
  return 0;
}

std::map<InstanceId, InstanceUsage> instance_usages(const std::vector<InstanceStatus>& instances) {
  std::vector<const InstanceStatus*> running;
  for (const auto& status : instances)
    if (status.pid > 0 && status.keeper_pid > 0) running.push_back(&status);
  std::vector<InstanceUsage> usages(running.size());
  std::vector<ToldBy> told(running.size());
  const std::size_t threads = std::min(threads_worthwhile(), 1 + running.size() / kWorthAThread);
  const auto look = [&](std::size_t number, std::size_t) -> Result<void> {
    told[number] = fill_from_cgroup(running[number]->cgroup, usages[number]);
    usages[number].open_fds = supervise::open_descriptors(running[number]->pid);
    return {};
  };
  static_cast<void>(in_parallel(running.size(), threads, look));
  if (!std::ranges::all_of(told, [](ToldBy by) { return by == ToldBy::cgroup; })) {
    const std::vector<ProcessInfo> all = supervise::all_processes();
    const auto count = [&](std::size_t number, std::size_t) -> Result<void> {
      if (told[number] != ToldBy::cgroup) fill_from_processes(*running[number], all, told[number] == ToldBy::processes, usages[number]);
      return {};
    };
    static_cast<void>(in_parallel(running.size(), threads, count));
  }
  std::map<InstanceId, InstanceUsage> by_id;
  for (std::size_t number = 0; number < running.size(); ++number) by_id.emplace(running[number]->id, usages[number]);
  return by_id;
}

}  // namespace berth::metrics
