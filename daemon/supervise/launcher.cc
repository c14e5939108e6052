#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/fd.h"
#include "daemon/supervise/launcher.h"

namespace berth::supervise {
namespace {

/// In the forked child of a program with threads: nothing but system calls.
[[noreturn]] void become_keeper(const char* const* arguments, int failure) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; fd++) ::dup2(null, fd);
  ::dup2(failure, 3);  // above it, nothing of berthd's is kept
  ::fcntl(3, F_SETFD, FD_CLOEXEC);
  ::close_range(4, ~0u, 0);
  ::setsid();
  const pid_t keeper = ::fork();
  if (keeper != 0) ::_exit(keeper < 0 ? 1 : 0);
  for (int number = 1; number < 65; number++) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  char* const environment[] = {nullptr};
  ::execve(arguments[0], const_cast<char* const*>(arguments), environment);
  const int error = errno;
  (void)!::write(3, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

Result<void> start_plain(const KeeperStart& start) {
  const char* const arguments[] = {start.program.c_str(), start.socket.c_str(), start.log_directory.c_str(), nullptr};
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe");
  Fd told(ends[0]), tell(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return fail_errno("fork a keeper");
  if (child == 0) become_keeper(arguments, tell.get());
  tell.reset();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  int error = 0;
  if (::read(told.get(), &error, sizeof error) == sizeof error) return fail_errno("execute " + start.program, error);
  if (status != 0) return fail(Errc::io, "fork a keeper: the system allows no further process");
  return {};
}

std::string slice_name(const std::string& app) {
  std::string name = "berth-";
  for (const char c : app) {
    if (c == '-') name += "\\x2d";
    else name += c;
  }
  return name + ".slice";
}

}  // namespace berth::supervise
