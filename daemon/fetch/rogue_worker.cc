// A worker as an attacker would have it: it does what the lines of its blob say, within whatever is left to it, and tells what came of each.
// Only for tests; it is started as berth-unpack is.

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/bundle/tar_header.h"
#include "core/files/files.h"
#include "daemon/fetch/rogue_attempts.h"
#include "daemon/unpack/job.h"
#include "daemon/unpack/sandbox.h"

namespace {

using namespace berth::unpack;

/// "socket: EPERM", or "socket: done".
void tell(const std::string& order, long result) {
  const std::string words = order + ": " + (result >= 0 ? "done" : ::strerrorname_np(errno)) + "; ";
  [[maybe_unused]] const ssize_t told = ::write(kWords, words.data(), words.size());
}

long make_file(const std::string& path, unsigned mode, const std::string& content) {
  const auto file = berth::files::open_below(kTarget, path, O_WRONLY | O_CREAT | O_EXCL, mode);
  if (!file) return -1;
  const long written = ::write(file->get(), content.data(), content.size());
  if ((mode & 07000) != 0) ::fchmod(file->get(), mode);  // writing took those bits away
  return written;
}

long grab_memory(std::size_t bytes) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? -1 : 0;
}

/// Leaves a child that holds a file open and locked, to write to it when nobody looks any more. Returns once it does.
long keep_open(const std::string& path) {
  int ready[2];
  if (::pipe(ready) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto file = berth::files::open_below(kTarget, path, O_WRONLY | O_CREAT, 0644);
    const bool locked = file && ::flock(file->get(), LOCK_EX) == 0;
    if (::write(ready[1], locked ? "+" : "-", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char answer = '-';
  return child > 0 && ::read(ready[0], &answer, 1) == 1 && answer == '+' ? 0 : -1;
}

/// As an honest one would that decoded it.
long pour(const std::string& bytes) { return ::write(kTar, bytes.data(), bytes.size()); }

long pour_file(const std::string& path, unsigned mode, const std::string& content) {
  const berth::bundle::Entry entry{.path = path, .type = berth::bundle::EntryType::file, .mode = mode, .size = content.size(), .sha256 = {}, .target = {}};
  return pour(berth::bundle::tar_header(entry) + content + std::string(berth::bundle::tar_padding(content.size()), '\0'));
}

/// Until nobody takes it any more.
long pour_on() {
  const std::string much(1u << 20, 'x');
  while (pour(much) > 0) {
  }
  return -1;
}

/// More descriptors than it should have.
long open_many() {
  for (int count = 0; count < 64; ++count)
    if (::dup(kBlob) < 0) return -1;
  return 0;
}

long obey(const std::string& order, std::istream& line) {
  std::string first, second, third;
  line >> first >> second >> third;
  const auto mode = [&second] { return static_cast<unsigned>(std::strtoul(second.c_str(), nullptr, 8)); };
  if (order == "sandbox") return enter_sandbox(kTarget) ? 0 : -1;
  if (order == "file") return make_file(first, mode(), third);
  if (order == "pour_file") return pour_file(first, mode(), third);
  if (order == "pour_end") return pour(std::string(berth::bundle::kTarEnd, '\0'));
  if (order == "pour") return pour(first);
  if (order == "pour_on") return pour_on();
  if (order == "folder") return ::mkdirat(kTarget, first.c_str(), mode());
  if (order == "symlink") return ::symlinkat(second.c_str(), kTarget, first.c_str());
  if (order == "link") return ::linkat(kTarget, first.c_str(), kTarget, second.c_str(), 0);
  if (order == "keep_open") return keep_open(first);
  if (order == "open_many") return open_many();
  if (order == "memory") return grab_memory(std::strtoull(first.c_str(), nullptr, 10));
  if (order == "say") return ::write(kWords, "\x1b[2J\xff\nmore", 10);
  if (order == "progress") return ::write(kProgress, "..", 2);
  if (order == "spin") {
    while (::write(kProgress, ".", 1) == 1) {
    }
    return -1;
  }
  if (order == "stall")
    for (;;) ::pause();
  if (order == "wait_in_sandbox") {  // a call that a sandbox allows, and that does not return
    int word = 0;
    for (;;) ::syscall(SYS_futex, &word, 0 /* FUTEX_WAIT */, 0, nullptr, nullptr, 0);
  }
  if (order == "exit") ::_exit(std::atoi(first.c_str()));
  if (const auto tried = berth::fetch::attempt(order, first)) return *tried;
  errno = EINVAL;
  return -1;
}

}  // namespace

int main() {
  const auto orders = berth::files::read(kBlob, "orders", 1u << 20);
  if (!orders) return 99;
  std::istringstream lines(*orders);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string order;
    words >> order;
    const long result = obey(order, words);
    if (order != "say" && order != "progress") tell(order, result);
  }
  return 0;
}
