#include "cli/exec_session.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/copying.h"
#include "cli/taken_signals.h"
#include "cli/terminal.h"
#include "core/attached.h"
#include "core/io/unix_address.h"

namespace berth::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kRest{2};  ///< for the rest of what a command wrote that has ended
constexpr int kLookAgainMs = 20;          ///< whether the command has taken its terminal: nothing tells

/// What the command gets, and what is copied for it.
struct Exchange {
  int given[attached::kFiles] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  std::vector<Fd> of_command;  ///< closed here once they are handed over
  std::vector<Fd> kept;
  std::vector<std::unique_ptr<Copying>> input, output;
  int master = -1;             ///< of the command's terminal
};

Result<std::pair<Fd, Fd>> pipe_for_command() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe for the command");
  return std::pair{Fd(ends[0]), Fd(ends[1])};
}

Result<void> with_terminal(Exchange& exchange) {
  BERTH_TRY(Pty pty, open_pty(STDIN_FILENO));
  exchange.master = pty.master.get();
  std::ranges::fill(exchange.given, pty.slave.get());
  // Where its errors go somewhere else than to the person, they go there.
  const bool apart = ::isatty(STDERR_FILENO) != 1 && ::fcntl(STDERR_FILENO, F_GETFD) >= 0;
  if (apart) exchange.given[STDERR_FILENO] = STDERR_FILENO;
  exchange.input.push_back(std::make_unique<Copying>(STDIN_FILENO, exchange.master));
  exchange.output.push_back(std::make_unique<Copying>(exchange.master, STDOUT_FILENO));
  exchange.kept.push_back(std::move(pty.master));
  exchange.of_command.push_back(std::move(pty.slave));
  return {};
}

/// The command shall not have a terminal of a person open that it does not control: it could read there what is typed later.
Result<void> with_files(Exchange& exchange, bool input) {
  if (!input) {
    Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null) return fail_errno("open /dev/null");
    exchange.given[0] = null.get();
    exchange.of_command.push_back(std::move(null));
  } else if (::isatty(STDIN_FILENO) == 1) {
    BERTH_TRY(auto ends, pipe_for_command());
    exchange.given[0] = ends.first.get();
    const int to = ends.second.get();
    ::fcntl(to, F_SETFL, O_NONBLOCK);
    exchange.input.push_back(std::make_unique<Copying>(STDIN_FILENO, to, std::move(ends.second)));
    exchange.of_command.push_back(std::move(ends.first));
  }
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::isatty(fd) != 1) continue;
    BERTH_TRY(auto ends, pipe_for_command());
    exchange.given[fd] = ends.second.get();
    const int from = ends.first.get();
    exchange.output.push_back(std::make_unique<Copying>(from, fd, std::move(ends.first)));
    exchange.of_command.push_back(std::move(ends.second));
  }
  return {};
}

Result<Fd> connect_to(const std::string& path) {
  BERTH_TRY(const io::UnixAddress address, io::unix_address(path));
  Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("make a socket");
  if (::connect(socket.get(), address.get(), address.size) == 0) return socket;
  if (errno == ENOENT || errno == ECONNREFUSED)
    return fail(Errc::unreachable, "berthd does not wait for this command any more (it was restarted?): try again");
  return fail_errno("connect to " + path);
}

Result<void> hand_over(int connection, const Exchange& exchange, bool terminal) {
  const attached::Begin begin{attached::kVersion, terminal};
  iovec part{const_cast<attached::Begin*>(&begin), sizeof begin};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof exchange.given)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof exchange.given);
  std::memcpy(CMSG_DATA(rights), exchange.given, sizeof exchange.given);
  if (::sendmsg(connection, &message, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof begin)) return fail_errno("hand the command its files");
  return {};
}

void on_signals(const TakenSignals& signals, const Exchange& exchange, int connection) {
  while (const int number = signals.next()) {
    if (number == SIGWINCH) {
      if (exchange.master >= 0) copy_window_size(STDIN_FILENO, exchange.master);
      continue;
    }
    const attached::Signal signal{attached::kVersion, number};
    static_cast<void>(!::send(connection, &signal, sizeof signal, MSG_NOSIGNAL | MSG_DONTWAIT));
  }
}

/// What came over the connection: the end, nothing yet, or that nothing will come.
Result<std::optional<ExecEnd>> hear_end(int connection) {
  attached::End end{};
  const ssize_t got = ::recv(connection, &end, sizeof end, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<ExecEnd>();
  if (got != static_cast<ssize_t>(sizeof end) || end.version != attached::kVersion)
    return fail(Errc::io, "the connection to the command ended before the command did, as far as is known: how it ended is not");
  end.message[sizeof end.message - 1] = 0;
  return std::optional(ExecEnd{end.exit, end.message});
}

/// Copies until the command has ended, and then what it wrote last.
Result<ExecEnd> carry_on(Exchange& exchange, int connection, const TakenSignals& signals, RawTerminal* raw) {
  std::optional<ExecEnd> end;
  Clock::time_point give_up{};
  for (;;) {
    const bool copies = std::ranges::any_of(exchange.output, [](const auto& copying) { return !copying->over(); });
    if (end && (!copies || Clock::now() >= give_up)) return *end;
    std::vector<pollfd> polled{{end ? -1 : connection, POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    std::vector<Copying*> copyings;
    for (auto* side : {&exchange.output, &exchange.input})
      for (const auto& copying : *side) {
        if (end && side == &exchange.input) continue;
        copyings.push_back(copying.get());
        polled.push_back(copying->wanted());
      }
    if (raw != nullptr && is_controlled(exchange.master)) {
      raw->pass_signals();
      raw = nullptr;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(give_up - Clock::now()).count();
    const int patience = end ? static_cast<int>(std::max<std::int64_t>(left, 0)) : raw != nullptr ? kLookAgainMs : -1;
    if (::poll(polled.data(), polled.size(), patience) < 0 && errno != EINTR) return fail_errno("wait for the command");
    if (polled[1].revents != 0) on_signals(signals, exchange, connection);
    for (std::size_t i = 0; i < copyings.size(); ++i)
      if (polled[i + 2].revents != 0) copyings[i]->step();
    if (polled[0].revents == 0) continue;
    BERTH_TRY(end, hear_end(connection));
    give_up = Clock::now() + kRest;
  }
}

}  // namespace

Result<ExecEnd> run_exec_session(const std::string& socket, ExecFiles files) {
  const TakenSignals signals;
  Exchange exchange;
  BERTH_CHECK(files.terminal ? with_terminal(exchange) : with_files(exchange, files.input));
  BERTH_TRY(const Fd connection, connect_to(socket));
  BERTH_CHECK(hand_over(connection.get(), exchange, files.terminal));
  exchange.of_command.clear();
  std::optional<RawTerminal> raw;
  if (files.terminal) raw.emplace(STDIN_FILENO);
  return carry_on(exchange, connection.get(), signals, raw ? &*raw : nullptr);
}

}  // namespace berth::cli
