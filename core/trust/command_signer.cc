#include "core/trust/command_signer.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/crypto/pem.h"
#include "core/crypto/sha256.h"
#include "core/files/fd.h"

namespace berth::trust {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kMostOutput = 64u << 10;

/// A shell command in a process group of its own, its stdin and stdout one socket. Killed with what it started at the end of scope.
class Program {
 public:
  ~Program() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  Result<void> start(const std::string& command);
  int socket() const { return socket_.get(); }
  /// What it ended with, as waitpid gives it; it must have closed its stdout.
  Result<int> wait(Steady::time_point deadline);

 private:
  pid_t pid_ = -1;
  Fd socket_;
};

Result<void> Program::start(const std::string& command) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("socketpair");
  socket_ = Fd(ends[0]);
  const Fd theirs(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const char* const argv[] = {"sh", "-c", command.c_str(), nullptr};
  const int error = ::posix_spawn(&pid_, "/bin/sh", &actions, &attributes, const_cast<char* const*>(argv), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error == 0) return {};
  pid_ = -1;
  return fail_errno("start /bin/sh", error);
}

Result<int> Program::wait(Steady::time_point deadline) {
  while (true) {
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_) {
      ::kill(-pid_, SIGKILL);  // what it left behind; the group's number is not reused while it lives
      pid_ = -1;
      return status;
    }
    if (got < 0) return fail_errno("wait for the signer");
    if (Steady::now() >= deadline) return fail(Errc::timeout, "");
    ::poll(nullptr, 0, 5);
  }
}

/// Writes `bytes` to the program and reads what it prints, whichever it does first.
Result<std::string> exchange(int socket, std::string_view bytes, Steady::time_point deadline) {
  ::fcntl(socket, F_SETFL, O_NONBLOCK);
  std::string output;
  bool writing = true;
  while (true) {
    if (writing && bytes.empty()) {
      ::shutdown(socket, SHUT_WR);
      writing = false;
    }
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Steady::now());
    if (left.count() <= 0) return fail(Errc::timeout, "");
    pollfd poll{.fd = socket, .events = static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN), .revents = 0};
    if (::poll(&poll, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000))) < 0 && errno != EINTR) return fail_errno("wait for the signer");
    if (writing && (poll.revents & POLLOUT) != 0) {
      const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      if (sent < 0 && errno == EPIPE) bytes = {};  // it read as much as it wanted
    }
    if ((poll.revents & (POLLIN | POLLHUP)) == 0) continue;
    char buffer[4096];
    const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
    if (got == 0 || (got < 0 && errno == ECONNRESET)) return output;
    if (got > 0) output.append(buffer, static_cast<std::size_t>(got));
    if (output.size() > kMostOutput) return fail(Errc::io, fmt::format("prints more than {} bytes", kMostOutput));
  }
}

std::string without_space(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  return text;
}

class CommandSigner : public Signer {
 public:
  explicit CommandSigner(SigningCommand command) : command_(std::move(command)) {}

  const crypto::PublicKey& public_key() const override { return command_.key; }
  Result<std::string> sign(std::string_view bytes) const override;

 private:
  Result<std::string> run(std::string_view bytes) const;
  SigningCommand command_;
};

Result<std::string> CommandSigner::run(std::string_view bytes) const {
  const auto deadline = Steady::now() + command_.deadline;
  Program program;
  BERTH_CHECK(program.start(command_.command));
  BERTH_TRY(std::string output, exchange(program.socket(), bytes, deadline));
  BERTH_TRY(const int status, program.wait(deadline));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  return fail(Errc::io, WIFEXITED(status) ? fmt::format("ended with {}", WEXITSTATUS(status)) : fmt::format("was killed by signal {}", WTERMSIG(status)));
}

Result<std::string> CommandSigner::sign(std::string_view bytes) const {
  auto output = run(bytes);
  if (!output && output.error().code == Errc::timeout)
    return fail(Errc::timeout, fmt::format("signer '{}': did not sign within {} s", command_.command, command_.deadline.count() / 1000.0));
  if (!output) return fail(output.error().code, fmt::format("signer '{}': {}", command_.command, output.error().message));
  const std::string text = without_space(std::move(*output));
  // A signature in hex is one in base64 too, of other bytes: the key tells which was meant.
  if (auto raw = crypto::from_hex(text); raw && command_.key.verifies(bytes, *raw)) return raw;
  const auto raw = crypto::from_pem("SIGNATURE", "-----BEGIN SIGNATURE-----\n" + text + "\n-----END SIGNATURE-----\n");
  if (raw && command_.key.verifies(bytes, *raw)) return raw;
  return fail(Errc::trust, fmt::format("signer '{}': what it printed is no signature of its key over what it was given, in hex or base64", command_.command));
}

}  // namespace

std::shared_ptr<const Signer> signer_of(SigningCommand command) { return std::make_shared<CommandSigner>(std::move(command)); }

}  // namespace berth::trust
