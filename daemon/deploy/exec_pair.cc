#include "daemon/deploy/exec_pair.h"

#include <cstdlib>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace berth::deploy {
namespace {

Result<std::pair<Fd, Fd>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe for a one-off command");
  return std::pair{Fd(ends[0]), Fd(ends[1])};
}

Result<Fd> another(const Fd& file) {
  Fd copy(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return fail_errno("make a terminal for a one-off command");
  return copy;
}

Result<void> give_terminal(ExecPair& pair, const ExecTerminal& terminal) {
  Fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  char name[128];
  if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0 || ::ptsname_r(master.get(), name, sizeof name) != 0)
    return fail_errno("make a terminal for a one-off command");
  Fd slave(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return fail_errno("open the terminal of a one-off command");
  winsize size{};
  size.ws_row = terminal.rows;
  size.ws_col = terminal.columns;
  ::ioctl(master.get(), TIOCSWINSZ, &size);
  for (int i = 0; i < 2; ++i) {
    BERTH_TRY(Fd copy, another(slave));
    pair.client.files.push_back(std::move(copy));
  }
  pair.client.files.push_back(std::move(slave));
  BERTH_TRY(pair.ends.out, another(master));
  pair.ends.in = std::move(master);
  pair.client.terminal = pair.ends.terminal = true;
  return {};
}

Result<void> give_pipes(ExecPair& pair) {
  BERTH_TRY(auto in, make_pipe());
  BERTH_TRY(auto out, make_pipe());
  BERTH_TRY(auto err, make_pipe());
  pair.client.files.push_back(std::move(in.first));
  pair.client.files.push_back(std::move(out.second));
  pair.client.files.push_back(std::move(err.second));
  pair.ends.in = std::move(in.second);
  pair.ends.out = std::move(out.first);
  pair.ends.err = std::move(err.first);
  return {};
}

}  // namespace

Result<ExecPair> make_exec_pair(const std::optional<ExecTerminal>& terminal) {
  ExecPair pair;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return fail_errno("make a connection to a one-off command");
  pair.client.connection.reset(ends[0]);
  pair.ends.connection.reset(ends[1]);
  BERTH_CHECK(terminal ? give_terminal(pair, *terminal) : give_pipes(pair));
  return pair;
}

}  // namespace berth::deploy
