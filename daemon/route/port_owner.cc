#include "daemon/route/port_owner.h"

#include <filesystem>

#include <fmt/core.h>
#include <netinet/tcp.h>

#include "core/files/files.h"
#include "daemon/route/sock_diag.h"
#include "daemon/route/socket_files.h"

namespace berth::route {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostName = 4096;

std::string name_of(const fs::path& process) {
  auto name = files::read(process / "comm", kMostName).value_or("a program");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return fmt::format("{} (pid {})", name, process.filename().string());
}

}  // namespace

std::string holder_of(std::uint32_t socket_inode, const fs::path& proc) {
  std::string first;  // of all processes: systemd has what it passes to services, too
  for (const pid_t pid : holders_of(socket_inode, proc)) {
    const std::string name = name_of(proc / std::to_string(pid));
    if (pid != 1) return name;
    first = name;
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
