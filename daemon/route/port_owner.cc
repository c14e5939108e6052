#include "daemon/route/port_owner.h"

#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>

#include <fmt/core.h>
#include <netinet/tcp.h>

#include "core/files/files.h"
#include "daemon/route/sock_diag.h"

namespace berth::route {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostName = 4096;

/// Calls `each` with the inode of every socket a process has open, until it returns false. Nothing for a process that is gone.
void for_sockets(const fs::path& process, const std::function<bool(std::uint32_t)>& each) {
  std::error_code error;
  fs::directory_iterator entry(process / "fd", error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code gone;
    const std::string target = fs::read_symlink(entry->path(), gone).string();
    constexpr std::string_view kStart = "socket:[";
    std::uint32_t inode = 0;
    if (!target.starts_with(kStart)) continue;
    if (std::from_chars(target.data() + kStart.size(), target.data() + target.size(), inode).ec != std::errc()) continue;
    if (!each(inode)) return;
  }
}

bool is_number(const std::string& text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos; }

std::string name_of(const fs::path& process) {
  auto name = files::read(process / "comm", kMostName).value_or("a program");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return fmt::format("{} (pid {})", name, process.filename().string());
}

}  // namespace

std::string holder_of(std::uint32_t socket_inode, const fs::path& proc) {
  std::error_code error;
  std::string first;  // of all processes: systemd has what it passes to services, too
  fs::directory_iterator process(proc, error);
  for (; !error && process != fs::directory_iterator(); process.increment(error)) {
    if (!is_number(process->path().filename().string())) continue;
    bool holds = false;
    const std::function<bool(std::uint32_t)> look = [&](std::uint32_t inode) { return !(holds = inode == socket_inode); };
    for_sockets(process->path(), look);
    if (!holds) continue;
    if (process->path().filename() != "1") return name_of(process->path());
    first = name_of(process->path());
  }
  return first.empty() ? "a program that /proc does not show" : first;
}

Result<void> no_stranger_listens(std::uint16_t port, const std::function<bool(std::uint64_t)>& is_ours) {
  BERTH_TRY(const auto listening, tcp_sockets(port, 1u << TCP_LISTEN));
  for (const TcpSocket& socket : listening) {
    if (is_ours(socket.cookie)) continue;
    return fail(Errc::conflict, fmt::format("port {}: {} listens there: stop it, or give the app another port", port, holder_of(socket.inode)));
  }
  return {};
}

std::set<std::uint32_t> sockets_of(const std::vector<pid_t>& pids) {
  std::set<std::uint32_t> inodes;
  for (const pid_t pid : pids) {
    for_sockets(fmt::format("/proc/{}", pid), [&](std::uint32_t inode) { return inodes.insert(inode), true; });
  }
  return inodes;
}

}  // namespace berth::route
