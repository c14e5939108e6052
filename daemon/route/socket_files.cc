#include "daemon/route/socket_files.h"

#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

namespace berth::route {

namespace fs = std::filesystem;

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

std::vector<pid_t> holders_of(std::uint32_t socket_inode, const fs::path& proc) {
  std::vector<pid_t> found;
  std::error_code error;
  fs::directory_iterator process(proc, error);
  for (; !error && process != fs::directory_iterator(); process.increment(error)) {
    const std::string name = process->path().filename();
    pid_t pid = 0;
    const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (failure != std::errc() || end != name.data() + name.size()) continue;
    bool holds = false;
    const std::function<bool(std::uint32_t)> look = [&](std::uint32_t inode) { return !(holds = inode == socket_inode); };
    for_sockets(process->path(), look);
    if (holds) found.push_back(pid);
  }
  return found;
}

}  // namespace berth::route
