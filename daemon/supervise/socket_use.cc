#include "daemon/supervise/socket_use.h"

#include <charconv>
#include <fstream>
#include <sstream>

#include <sys/stat.h>

namespace berth::supervise {
namespace {

constexpr std::string_view kListening = "0A";

/// The listening rows at the head of a table.
std::string listening_rows(const char* path) {
  std::ifstream file(path);
  std::string rows, line, place, local, remote, state;
  if (std::getline(file, line)) rows = line + "\n";
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    fields >> place >> local >> remote >> state;
    if (state != kListening) break;
    rows += line + "\n";
  }
  return rows;
}

}  // namespace

std::optional<unsigned> waiting_connections(std::string_view table, std::string_view inode) {
  std::istringstream lines{std::string(table)};
  std::string line, place, local, remote, state, queues, timer, retransmits, uid, timeout, row_inode;
  std::getline(lines, line);  // the head
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    fields >> place >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> row_inode;
    if (!fields || state != kListening || row_inode != inode) continue;
    const auto colon = queues.find(':');
    if (colon == std::string::npos) return std::nullopt;
    unsigned waiting = 0;  // a listening socket's receive queue is its accept queue
    std::from_chars(queues.data() + colon + 1, queues.data() + queues.size(), waiting, 16);
    return waiting;
  }
  return std::nullopt;
}

std::optional<unsigned> waiting_connections(std::string_view inode) {
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    if (auto waiting = waiting_connections(listening_rows(path), inode)) return waiting;
  }
  return std::nullopt;
}

std::string inode_of(int fd) {
  struct stat st;
  return ::fstat(fd, &st) == 0 ? std::to_string(st.st_ino) : std::string();
}

}  // namespace berth::supervise
