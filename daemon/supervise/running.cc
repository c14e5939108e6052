#include "daemon/supervise/running.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <sstream>
#include <string_view>

#include <fmt/core.h>

#include "daemon/supervise/instance.h"
#include "daemon/supervise/process_tree.h"

namespace berth::supervise {
namespace {

namespace fs = std::filesystem;

template <class Number>
bool read_number(std::string_view text, Number& into, int base = 10) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), into, base);
  return failure == std::errc() && end == text.data() + text.size();
}

std::map<std::string, std::string> environment_of(pid_t pid) {
  std::map<std::string, std::string> environment;
  std::istringstream text(proc_text(fmt::format("/proc/{}/environ", pid)));
  for (std::string entry; std::getline(text, entry, '\0');)
    if (const auto equals = entry.find('='); equals != std::string::npos) environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  return environment;
}

/// The inodes of the sockets that a process has open.
std::set<std::string> sockets_of(pid_t pid) {
  constexpr std::string_view kSocket = "socket:[";
  std::set<std::string> inodes;
  std::error_code ignored;
  for (fs::directory_iterator it(fmt::format("/proc/{}/fd", pid), ignored), end; it != end; it.increment(ignored)) {
    const std::string name = fs::read_symlink(it->path(), ignored).string();
    if (name.starts_with(kSocket)) inodes.insert(name.substr(kSocket.size(), name.size() - kSocket.size() - 1));
  }
  return inodes;
}

/// Inode → port of the sockets that listen in the network of a process; proc(5) has the columns.
std::map<std::string, std::uint16_t> listening_in(pid_t pid) {
  constexpr std::string_view kListens = "0A";
  std::map<std::string, std::uint16_t> ports;
  for (const char* table : {"tcp", "tcp6"}) {
    std::istringstream text(proc_text(fmt::format("/proc/{}/net/{}", pid, table)));
    std::string line;
    std::getline(text, line);
    while (std::getline(text, line)) {
      std::istringstream words(line);
      std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
      if (!(words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode) || state != kListens) continue;
      std::uint16_t port = 0;
      if (const auto colon = local.rfind(':'); colon != std::string::npos && read_number(std::string_view(local).substr(colon + 1), port, 16)) ports.emplace(inode, port);
    }
  }
  return ports;
}

/// Of the process and of what it has started: servers often listen in a child.
std::vector<std::uint16_t> ports_of(pid_t pid, const std::vector<ProcessInfo>& all) {
  std::vector<pid_t> family = descendants(pid, all);
  family.push_back(pid);
  const auto listening = listening_in(pid);
  std::set<std::uint16_t> ports;
  for (const pid_t each : family)
    for (const std::string& inode : sockets_of(each))
      if (const auto found = listening.find(inode); found != listening.end()) ports.insert(found->second);
  return {ports.begin(), ports.end()};
}

}  // namespace

std::vector<RunningProcess> running_processes(const std::string& run_directory) {
  constexpr std::string_view kEnding = ".sock.app";
  std::vector<RunningProcess> found;
  const auto all = all_processes();
  std::error_code ignored;
  for (fs::directory_iterator it(keepers_directory(run_directory), ignored), end; it != end; it.increment(ignored)) {
    const std::string name = it->path().filename().string();
    const auto app = name.ends_with(kEnding) ? read_app_file(it->path().string()) : std::nullopt;
    if (!app) continue;
    const auto now = std::ranges::find(all, app->pid, &ProcessInfo::pid);
    if (now == all.end() || !now->alive() || (app->start != 0 && now->start != app->start)) continue;
    found.push_back({.key = name.substr(0, name.size() - kEnding.size()), .pid = app->pid, .environment = environment_of(app->pid), .listens = ports_of(app->pid, all)});
  }
  return found;
}

std::uint16_t port_of(const RunningProcess& process, const std::string& variable, std::uint16_t lowest, std::uint16_t highest) {
  std::uint16_t port = 0;
  if (const auto said = process.environment.find(variable); said != process.environment.end() && read_number(said->second, port) && lowest <= port && port <= highest) return port;
  std::vector<std::uint16_t> possible;
  for (const std::uint16_t each : process.listens)
    if (lowest <= each && each <= highest) possible.push_back(each);
  return possible.size() == 1 ? possible.front() : 0;
}

}  // namespace berth::supervise
