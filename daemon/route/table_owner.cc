#include "daemon/route/table_owner.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <sstream>
#include <string_view>
#include <thread>

#include <fmt/core.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/route/port_table.h"
#include "daemon/route/socket_files.h"

namespace berth::route {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSocketName = "berth/nftables";
constexpr std::size_t kMostSockets = 64u << 20, kMostStatus = 64u << 10, kMostMark = 64;
constexpr std::chrono::milliseconds kBetweenTries{20};

/// The inodes of the sockets with our name. Whoever names a socket may put lines of others into his own, so these are claims that the processes have to bear out.
std::vector<std::uint32_t> sockets_with_our_name(const fs::path& proc) {
  std::vector<std::uint32_t> found;
  std::istringstream lines(files::read(proc / "self/net/unix", kMostSockets).value_or(""));
  const std::string end = fmt::format(" @{}", kSocketName);
  for (std::string line; std::getline(lines, line);) {
    if (!line.ends_with(end)) continue;
    line.resize(line.size() - end.size());
    const std::size_t at = line.find_last_of(' ') + 1;
    std::uint32_t inode = 0;
    if (std::from_chars(line.data() + at, line.data() + line.size(), inode).ec == std::errc()) found.push_back(inode);
  }
  return found;
}

/// Whether it runs as we do. The owner of its folder in /proc does not tell: that of a process without core files is root.
bool is_of_our_user(const fs::path& process) {
  std::istringstream lines(files::read(process / "status", kMostStatus).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("Uid:")) continue;
    std::istringstream words(line.substr(4));
    uid_t real = 0, effective = 0;
    return static_cast<bool>(words >> real >> effective) && effective == ::geteuid();
  }
  return false;
}

/// By the lock that it has of its state folder.
fs::path state_of(const fs::path& process) {
  std::error_code error;
  for (fs::directory_iterator entry(process / "fd", error), end; !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    const fs::path target = fs::read_symlink(entry->path(), gone);
    if (!gone && target.is_absolute() && target.filename() == "lock") return target.parent_path();
  }
  return {};
}

}  // namespace

std::string to_text(const TableOwner& owner) {
  if (owner.state.empty()) return fmt::format("berthd (pid {})", owner.pid);
  return fmt::format("berthd (pid {}, state {})", owner.pid, owner.state.string());
}

std::optional<TableOwner> table_owner(const fs::path& proc) {
  for (const std::uint32_t inode : sockets_with_our_name(proc))
    for (const pid_t pid : holders_of(inode, proc)) {
      const fs::path process = proc / std::to_string(pid);
      if (is_of_our_user(process)) return TableOwner{.pid = pid, .state = state_of(process)};
    }
  return std::nullopt;
}

Result<Fd> hold_table(int tries) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path + 1, kSocketName.data(), kSocketName.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + kSocketName.size());
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("make a socket");
  for (;; std::this_thread::sleep_for(kBetweenTries)) {
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), length) == 0) {
      static_cast<void>(::shutdown(socket.get(), SHUT_RDWR));  // nobody sends anything to it
      return socket;
    }
    if (errno != EADDRINUSE) return fail_errno(fmt::format("bind the socket @{}", kSocketName));
    if (--tries > 0) continue;
    if (const auto owner = table_owner()) return fail(Errc::conflict, table_refusal("another " + to_text(*owner) + " has"));
    return Fd();
  }
}

fs::path table_mark_file(const fs::path& run) { return run / "route" / "table"; }

Result<std::string> table_mark(const fs::path& run) {
  const fs::path file = table_mark_file(run);
  if (auto mark = files::read(file, kMostMark); mark && is_table_mark(*mark)) return *mark;
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) return fail_errno("ask the kernel for a random number");
  std::string mark = fmt::format("{:016x}", number);
  BERTH_CHECK(files::make_directories(file.parent_path(), 0755));
  BERTH_CHECK(files::replace(file, mark));
  return mark;
}

std::string table_refusal(const std::string& whose) {
  return fmt::format("{} nftables' table `inet {}`, which one berthd of a network namespace alone can have: let the app use `socket` in the place of `port`, or give "
                     "one of the two a network namespace of its own, or stop the other",
                     whose, kTableName);
}

}  // namespace berth::route
