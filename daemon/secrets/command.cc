#include "daemon/secrets/command.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/crypto/secret.h"
#include "core/files/fd.h"
#include "core/io/session.h"

namespace berth::secrets {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMostPieces = 64;               ///< of stderr that are read once the program has ended: more than a pipe has room for
constexpr std::size_t kMostComplaint = 4096;  ///< bytes of stderr that are kept: the last ones
constexpr std::size_t kLongestLine = 300;

struct Pipe {
  Fd to_read, to_write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe");
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return pipe;
}

/// What the child does between fork and exec.
class Preparation {
 public:
  Preparation(int out, int err) {
    ::posix_spawn_file_actions_init(&files_);
    ::posix_spawn_file_actions_addopen(&files_, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files_, out, 1);
    ::posix_spawn_file_actions_adddup2(&files_, err, 2);
    ::posix_spawn_file_actions_addclosefrom_np(&files_, 3);
    ::posix_spawn_file_actions_addchdir_np(&files_, "/");
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Preparation() {
    ::posix_spawn_file_actions_destroy(&files_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  Preparation(const Preparation&) = delete;
  Preparation& operator=(const Preparation&) = delete;

  const posix_spawn_file_actions_t* files() const { return &files_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

Result<pid_t> start(const std::vector<std::string>& argv, int out, int err) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::string path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", language = "LANG=C.UTF-8", home = "HOME=/root", credentials;
  if (::geteuid() != 0) {  // somebody at his workstation, whose tools and keys these are
    if (const char* own = std::getenv("HOME"); own != nullptr) home = std::string("HOME=") + own;
    if (const char* own = std::getenv("PATH"); own != nullptr) path = std::string("PATH=") + own;
  }
  std::vector<char*> environment{path.data(), language.data(), home.data()};
  if (const char* directory = std::getenv("CREDENTIALS_DIRECTORY")) {  // where it may have its own password from
    credentials = std::string("CREDENTIALS_DIRECTORY=") + directory;
    environment.push_back(credentials.data());
  }
  environment.push_back(nullptr);
  const Preparation preparation(out, err);
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, argv.front().c_str(), preparation.files(), preparation.attributes(), words.data(), environment.data());
  if (failed != 0) return fail_errno("run " + argv.front(), failed);
  return pid;
}

/// Appends what is there to `text`. False at the end.
bool take(int fd, std::string& text, std::size_t room) {
  char piece[4096];
  const ssize_t got = ::read(fd, piece, std::min(sizeof piece, room));
  if (got > 0) text.append(piece, static_cast<std::size_t>(got));
  ::explicit_bzero(piece, sizeof piece);
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

/// One line that can stand in a message: the last that says something.
std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (const auto newline = text.rfind('\n'); newline != std::string_view::npos) text.remove_prefix(newline + 1);
  std::string line(text.substr(0, kLongestLine));
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
  return line;
}

/// A program that runs. It is killed, with its session, and reaped at the end of scope.
class Running {
 public:
  Running(pid_t pid, Pipe out, Pipe err, std::size_t most)
      : out_(std::move(out)), err_(std::move(err)), pid_(pid), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))), most_(most) {
    out_.to_write.reset();
    err_.to_write.reset();
    output.reserve(most_ + 1);  // it must not leave copies where it grows
  }
  ~Running() {
    crypto::wipe(output);
    if (!reaped_) end();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  /// Until it is gone, says too much, or `end` is there.
  bool wait(Clock::time_point end) {
    while (output.size() < most_) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
      if (left <= 0) return false;
      pollfd items[] = {{.fd = pidfd_.get(), .events = POLLIN, .revents = 0},
                        {.fd = out_.to_read.get(), .events = POLLIN, .revents = 0},
                        {.fd = err_.to_read.get(), .events = POLLIN, .revents = 0}};
      if (::poll(items, 3, static_cast<int>(left)) < 0) continue;
      if (items[1].revents != 0 && !take(out_.to_read.get(), output, most_ - output.size())) out_.to_read.reset();
      if (items[2].revents != 0) hear();
      if (items[0].revents != 0) return true;
    }
    return true;
  }

  /// Kills what is left, takes what is still in the pipes, and gives its status.
  int end() {
    io::kill_session(pid_);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    reaped_ = true;
    for (std::size_t before = output.size() + 1; out_.to_read && output.size() < most_ && output.size() != before;) {
      before = output.size();
      take(out_.to_read.get(), output, most_ - before);
    }
    std::size_t before = complaint_.size() + 1;
    for (int piece = 0; err_.to_read && complaint_.size() != before && piece < kMostPieces; ++piece) {
      before = complaint_.size();
      hear();
    }
    return status;
  }

  bool too_much() const { return output.size() >= most_; }
  std::string said() const { return last_line(complaint_); }

  std::string output;

 private:
  void hear() {
    if (!take(err_.to_read.get(), complaint_, kMostComplaint)) err_.to_read.reset();
    if (complaint_.size() > 2 * kMostComplaint) complaint_.erase(0, complaint_.size() - kMostComplaint);
  }

  Pipe out_, err_;
  std::string complaint_;
  pid_t pid_;
  Fd pidfd_;
  std::size_t most_;
  bool reaped_ = false;
};

}  // namespace

Result<std::string> output_of(const std::vector<std::string>& argv, std::chrono::milliseconds deadline, std::size_t most) {
  const auto end = Clock::now() + deadline;
  const std::string& name = argv.front();
  BERTH_TRY(Pipe out, make_pipe());
  BERTH_TRY(Pipe err, make_pipe());
  BERTH_TRY(const pid_t pid, start(argv, out.to_write.get(), err.to_write.get()));
  Running program(pid, std::move(out), std::move(err), most);
  const bool in_time = program.wait(end);
  const int status = program.end();

  const std::string said = program.said().empty() ? std::string() : ": " + program.said();
  if (!in_time) return fail(Errc::timeout, fmt::format("{} took over {} ms{}", name, deadline.count(), said));
  if (program.too_much()) return fail(Errc::usage, fmt::format("{} prints more than a secret may have", name));
  if (WIFSIGNALED(status)) return fail(Errc::io, fmt::format("{} was killed by SIG{}{}", name, ::sigabbrev_np(WTERMSIG(status)), said));
  if (WEXITSTATUS(status) != 0) return fail(Errc::io, fmt::format("{} exited with {}{}", name, WEXITSTATUS(status), said));
  return std::move(program.output);
}

}  // namespace berth::secrets
