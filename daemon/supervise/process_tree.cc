#include "daemon/supervise/process_tree.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string_view>

#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/files/fd.h"
#include "core/files/files.h"
#include "core/in_parallel.h"

namespace berth::supervise {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWorthAThread = 128;  ///< processes
constexpr std::size_t kMostStat = 1024;     ///< bytes: 52 numbers and a name of 15

std::string read_small(const fs::path& path) { return proc_text(path); }

/// The pids that name the folders of /proc.
std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  std::error_code ignored;
  for (fs::directory_iterator it("/proc", ignored), end; it != end; it.increment(ignored)) {
    const auto name = it->path().filename().string();
    pid_t pid = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && rest == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

/// What one read of a file gives, which is all of one that the kernel makes as a single short line.
std::string_view first_piece(const char* path, std::span<char> room) {
  const Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  const ssize_t got = file ? ::read(file.get(), room.data(), room.size()) : 0;
  return {room.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

std::string link_text(const std::string& path) {
  char text[512];
  const auto n = ::readlink(path.c_str(), text, sizeof text);
  return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : std::string();
}

}  // namespace

std::string proc_text(const fs::path& path) {
  constexpr std::size_t kMost = 16u << 20;
  return files::read(path, kMost).value_or(std::string());
}

std::uint64_t open_descriptors(pid_t pid) {
  const std::string folder = fmt::format("/proc/{}/fd", pid);
  if (struct stat told {}; ::stat(folder.c_str(), &told) == 0 && told.st_size > 0) return static_cast<std::uint64_t>(told.st_size);
  std::uint64_t count = 0;
  std::error_code ended;
  for (fs::directory_iterator it(folder, ended), end; !ended && it != end; it.increment(ended)) ++count;
  return pid == ::getpid() && count > 0 ? count - 1 : count;  // without the one that lists them
}

std::optional<ProcessInfo> process_info(pid_t pid) {
  char path[32], line[kMostStat];
  *fmt::format_to_n(path, sizeof path - 1, "/proc/{}/stat", pid).out = '\0';
  const std::string_view stat = first_piece(path, line);
  const auto name_end = stat.rfind(')');  // a name may contain anything
  if (name_end == std::string::npos || name_end + 2 >= stat.size()) return std::nullopt;
  ProcessInfo info{.pid = pid, .state = stat[name_end + 2]};
  std::array<std::int64_t, 25> fields{};  // by their numbers in proc(5), of which the third, the state, is no number
  const char* at = stat.data() + name_end + 3;
  const char* const end = stat.data() + stat.size();
  for (std::size_t field = 4; field < fields.size(); ++field) {
    while (at != end && *at == ' ') ++at;
    const auto [rest, error] = std::from_chars(at, end, fields[field]);
    if (error != std::errc()) return std::nullopt;
    at = rest;
  }
  info.parent = static_cast<pid_t>(fields[4]);
  info.session = static_cast<pid_t>(fields[6]);
  info.cpu_ticks = static_cast<std::uint64_t>(fields[14] + fields[15]);
  info.ended_children_ticks = static_cast<std::uint64_t>(fields[16] + fields[17]);
  info.start = static_cast<std::uint64_t>(fields[22]);
  info.resident_pages = static_cast<std::uint64_t>(fields[24]);
  return info;
}

std::optional<std::chrono::milliseconds> age_of(pid_t pid) {
  using std::chrono::milliseconds;
  const auto info = pid > 0 ? process_info(pid) : std::nullopt;
  if (!info) return std::nullopt;
  timespec up{};
  ::clock_gettime(CLOCK_BOOTTIME, &up);
  const auto now = std::chrono::duration_cast<milliseconds>(std::chrono::seconds(up.tv_sec) + std::chrono::nanoseconds(up.tv_nsec));
  const milliseconds began(info->start * 1000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
  return std::max(now - began, milliseconds(0));
}

std::vector<ProcessInfo> all_processes() {
  const std::vector<pid_t> pids = all_pids();
  std::vector<std::optional<ProcessInfo>> found(pids.size());
  const auto look = [&](std::size_t number, std::size_t) -> Result<void> {
    found[number] = process_info(pids[number]);
    return {};
  };
  static_cast<void>(in_parallel(pids.size(), std::min(threads_worthwhile(), 1 + pids.size() / kWorthAThread), look));
  std::vector<ProcessInfo> all;
  for (const auto& info : found)
    if (info) all.push_back(*info);
  std::ranges::sort(all, {}, &ProcessInfo::parent);
  return all;
}

std::vector<pid_t> descendants(pid_t root, const std::vector<ProcessInfo>& all) {
  std::vector<pid_t> pids, parents = {root};
  std::set<pid_t> found = {root};  // what was read one after the other may go round in a circle
  for (std::size_t next = 0; next < parents.size(); ++next) {
    for (const auto& process : std::ranges::equal_range(all, parents[next], {}, &ProcessInfo::parent)) {
      if (!found.insert(process.pid).second) continue;
      parents.push_back(process.pid);
      if (process.alive()) pids.push_back(process.pid);
    }
  }
  return pids;
}

std::vector<pid_t> cgroup_processes(const std::string& cgroup) {
  std::vector<pid_t> pids;
  if (cgroup.empty()) return pids;
  const auto add = [&pids](const fs::path& folder) {
    std::istringstream procs(read_small(folder / "cgroup.procs"));
    for (pid_t pid = 0; procs >> pid;) pids.push_back(pid);
  };
  add(cgroup);
  std::error_code ignored;
  for (fs::recursive_directory_iterator it(cgroup, ignored), end; it != end; it.increment(ignored)) {
    if (it->is_directory(ignored)) add(it->path());
  }
  return pids;
}

std::optional<Orphan> read_app_file(const std::string& path) {
  std::istringstream text(read_small(path));
  Orphan orphan;
  if (!(text >> orphan.pid >> orphan.start) || orphan.pid <= 1) return std::nullopt;
  text >> std::ws;
  std::getline(text, orphan.cgroup);
  return orphan;
}

std::vector<ProcessInfo> living_processes(const Orphan& orphan) {
  std::set<pid_t> pids;
  // Starts are read before anything else of a process: whoever still has that start when it is killed is who was found.
  const auto all = all_processes();
  for (const pid_t pid : cgroup_processes(orphan.cgroup)) pids.insert(pid);
  const auto main = std::ranges::find(all, orphan.pid, &ProcessInfo::pid);
  // A session's id is not given to a new process while any process of that session lives, so only the leader itself may be another one.
  const bool same = main == all.end() || orphan.start == 0 || main->start == orphan.start;
  if (same && orphan.pid > 1) {
    for (const pid_t pid : descendants(orphan.pid, all)) pids.insert(pid);
    for (const auto& process : all) {
      if (process.session == orphan.pid && process.alive()) pids.insert(process.pid);
    }
  }
  // This program holds the pipes itself, and so does a child of it that has not executed its own program yet.
  const auto own_program = link_text("/proc/self/exe");
  for (const auto& process : all) {
    const auto holds_one = [&](const std::string& pipe) { return holds(process.pid, pipe); };
    if (!std::ranges::any_of(orphan.pipes, holds_one)) continue;
    if (link_text(fmt::format("/proc/{}/exe", process.pid)) != own_program) pids.insert(process.pid);
  }
  std::vector<ProcessInfo> living;
  for (const pid_t pid : pids) {
    const auto known = std::ranges::find(all, pid, &ProcessInfo::pid);
    living.push_back(known != all.end() ? *known : ProcessInfo{.pid = pid});
  }
  return living;
}

bool kill_process(pid_t pid, std::uint64_t start) {
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const bool cannot_open = !process && errno != ESRCH;
  const auto now = process_info(pid);
  if (!now || !now->alive() || now->start != start) return false;
  if (process) ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  else if (cannot_open) ::kill(pid, SIGKILL);  // too many open files
  return true;
}

bool kill_orphan(const Orphan& orphan) {
  if (!orphan.cgroup.empty()) std::ofstream(orphan.cgroup + "/cgroup.kill") << "1";
  const auto living = living_processes(orphan);
  for (const ProcessInfo& one : living) kill_process(one.pid, one.start);  // one that began meanwhile the next time
  return living.empty();
}

bool runs_other_program(pid_t pid, const std::string& program) {
  const std::string running = fmt::format("/proc/{}/exe", pid);
  std::error_code failed;
  if (fs::equivalent(running, program, failed) || failed) return false;
  std::ifstream one(running, std::ios::binary), other(program, std::ios::binary);
  if (!one || !other) return false;
  std::array<char, 1 << 16> a, b;
  for (;;) {
    one.read(a.data(), a.size());
    other.read(b.data(), b.size());
    if (one.bad() || other.bad()) return false;
    if (one.gcount() != other.gcount() || std::memcmp(a.data(), b.data(), static_cast<std::size_t>(one.gcount())) != 0) return true;
    if (one.gcount() == 0) return false;
  }
}

std::string file_name_of(int fd) { return link_text(fmt::format("/proc/self/fd/{}", fd)); }

bool holds(pid_t pid, const std::string& name) {
  std::error_code ignored;
  for (fs::directory_iterator it(fmt::format("/proc/{}/fd", pid), ignored), end; it != end; it.increment(ignored)) {
    if (link_text(it->path().string()) == name) return true;
  }
  return false;
}

}  // namespace berth::supervise
