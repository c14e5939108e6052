#include "daemon/api/exec_relay.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/attached.h"
#include "core/exec_frame.h"
#include "core/io/loop.h"
#include "core/io/pipe_end.h"
#include "core/io/task_end.h"

namespace berth::api {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::awaitable;
using exec_frame::Frame;
using exec_frame::Kind;
using io::Steady;

constexpr std::size_t kPiece = 32u << 10;
constexpr auto kRest = 2s;           ///< for what a command wrote that has ended, where something else has its files still
constexpr auto kLeaving = 5s;        ///< for a client to leave that was told of the end
constexpr auto kLookAgain = 20ms;    ///< whether the command has taken its terminal: nothing tells
constexpr std::size_t kTellRoom = exec_frame::kWindow / 4;  ///< so much of stdin is taken before its client is told

/// A command, its client, and what goes on between the two: several coroutines, which end when the line is closed.
struct Relay {
  Relay(const asio::any_io_executor& its_executor, std::shared_ptr<io::Duplex> its_line, deploy::ExecEnds& ends, std::shared_ptr<void> its_place)
      : executor(its_executor), line(std::move(its_line)), place(std::move(its_place)), in(executor, std::move(ends.in)), out(executor, std::move(ends.out)),
        err(executor, std::move(ends.err)), connection(std::move(ends.connection)), terminal(ends.terminal), changed(executor), sent(executor) {}

  awaitable<bool> send(std::string frame);
  Result<void> take(Frame frame);
  void hang_up();

  asio::any_io_executor executor;
  std::shared_ptr<io::Duplex> line;
  std::shared_ptr<void> place;
  io::PipeEnd in, out, err;
  Fd connection;             ///< to its keeper, who ends the command where it is closed
  bool terminal;
  io::Event changed;
  io::Event sent;
  bool sending = false;
  std::string pending;       ///< of stdin, at most kWindow
  std::size_t owed = 0;      ///< bytes of stdin that were taken, of which the client was not told yet
  bool in_ended = false;     ///< by the client
  int writers = 0;           ///< coroutines that tell the client of stdout and stderr
  Steady::time_point told{};  ///< when the client last took what the command wrote
  bool over = false;
};
using RelayPtr = std::shared_ptr<Relay>;

/// One frame after the other, whoever has one. False where the client is gone.
awaitable<bool> Relay::send(std::string frame) {
  while (sending && !over) co_await sent.wait(1h);
  if (over) co_return false;
  sending = true;
  const auto written = co_await line->write(frame);
  sending = false;
  sent.notify();
  co_return written.has_value();
}

/// The command's end, if it has not ended, and that of everything here.
void Relay::hang_up() {
  over = true;
  if (connection) ::shutdown(connection.get(), SHUT_RDWR);  // whoever waits for it has a duplicate
  connection.reset();
  in.close();
  out.close();
  err.close();
  changed.notify();
  sent.notify();
}

Result<void> Relay::take(Frame frame) {
  switch (frame.kind) {
    case Kind::in:
      if (in_ended) return fail(Errc::protocol, "stdin goes on after its end");
      if (pending.size() + frame.bytes.size() + owed > exec_frame::kWindow) return fail(Errc::protocol, "more of stdin than there is room for");
      in_ended = frame.bytes.empty();
      pending += frame.bytes;
      changed.notify();
      return {};
    case Kind::resize: {
      BERTH_TRY(const auto size, exec_frame::size_of(frame));
      winsize window{};
      window.ws_row = size.first;
      window.ws_col = size.second;
      if (terminal) in.control(TIOCSWINSZ, &window);
      return {};
    }
    case Kind::signal: {
      BERTH_TRY(const int number, exec_frame::signal_of(frame));
      const attached::Signal signal{attached::kVersion, number};
      if (connection) static_cast<void>(!::send(connection.get(), &signal, sizeof signal, MSG_NOSIGNAL | MSG_DONTWAIT));
      return {};
    }
    case Kind::unwanted:
      if (frame.bytes == std::string(1, '\1')) out.close();
      if (frame.bytes == std::string(1, '\2')) err.close();
      return {};
    case Kind::alive: return {};
    default: return fail(Errc::protocol, "a frame that only a node sends");
  }
}

/// What the client sent, to the command.
awaitable<void> feed(RelayPtr relay) {
  while (!relay->over) {
    if (relay->pending.empty()) {
      if (relay->in_ended) break;
      co_await relay->changed.wait(1h);
      continue;
    }
    const std::string piece = relay->pending.substr(0, kPiece);
    std::size_t put = 0;
    if (relay->in.open()) put = co_await relay->in.write(piece);
    if (put == 0) {  // the command reads no more: what comes is passed over
      relay->in.close();
      put = relay->pending.size();
    }
    relay->pending.erase(0, put);
    relay->owed += put;
    if (relay->owed < kTellRoom) continue;
    const auto room = static_cast<std::uint32_t>(std::exchange(relay->owed, 0));
    const bool there = co_await relay->send(exec_frame::room_text(room));
    if (!there) co_return;
  }
  if (!relay->terminal) relay->in.close();  // of a terminal there is no end but its own
}

/// What the command writes, to the client.
awaitable<void> show(RelayPtr relay, io::PipeEnd* from, Kind kind) {
  std::string piece(kPiece, 0);
  while (!relay->over) {
    const std::size_t got = co_await from->read(piece.data(), piece.size());
    if (got == 0) break;
    std::string frame = exec_frame::text(kind, std::string_view(piece).substr(0, got));
    const bool there = co_await relay->send(std::move(frame));
    if (!there) break;
    relay->told = Steady::now();
  }
  from->close();
  --relay->writers;
  relay->changed.notify();
}

/// A sign of life now and then, and a look whether the client may still be here.
awaitable<void> stay(RelayPtr relay) {
  auto next = Steady::now() + std::chrono::seconds(exec_frame::kAliveEvery);
  while (!relay->over) {
    const auto left = std::chrono::ceil<io::milliseconds>(next - Steady::now());
    if (left > 0ms) {
      co_await relay->changed.wait(left);
      continue;
    }
    next += std::chrono::seconds(exec_frame::kAliveEvery);
    if (relay->line->gone()) {
      relay->line->close();
      co_return;
    }
    const bool there = co_await relay->send(exec_frame::text(Kind::alive));
    if (!there) co_return;
  }
}

/// Tells when keys that mean a signal reach the command.
awaitable<void> tell_begun(RelayPtr relay) {
  pid_t group = 0;
  while (!relay->over && !(relay->in.control(TIOCGPGRP, &group) && group > 0)) co_await io::sleep_for(kLookAgain);
  if (!relay->over) co_await relay->send(exec_frame::text(Kind::begun));
}

/// The end of the command, after what it wrote last.
awaitable<void> tell_end(RelayPtr relay) {
  attached::End end{};
  ssize_t got = -1;
  while (!relay->over && got < 0) {
    const auto readable = co_await io::wait_readable(relay->connection.get(), 1h);
    if (!readable || relay->over) co_return;
    if (*readable) got = ::recv(relay->connection.get(), &end, sizeof end, MSG_DONTWAIT);
  }
  const bool known = got == static_cast<ssize_t>(sizeof end) && end.version == attached::kVersion;
  end.message[sizeof end.message - 1] = 0;
  exec_frame::End told{.exit = end.exit, .message = end.message};
  if (!known) told = {.exit = attached::kNotBegun, .message = "its keeper was killed: how it ended is not known"};
  const auto ended = Steady::now();
  while (!relay->over && relay->writers > 0) {
    // A client that takes its time is waited for; what nobody writes any more is not.
    if (!relay->sending && Steady::now() - std::max(ended, relay->told) >= kRest) break;
    co_await relay->changed.wait(100ms);
  }
  if (relay->over) co_return;
  std::string frame = exec_frame::end_text(told);
  const bool there = co_await relay->send(std::move(frame));
  const auto leave = Steady::now() + kLeaving;
  while (there && !relay->over && Steady::now() < leave) co_await relay->changed.wait(kLeaving);
  relay->line->close();
}

void spawn(const RelayPtr& relay, awaitable<void> task) {
  asio::co_spawn(relay->executor, std::move(task), [relay](const std::exception_ptr& thrown) { io::end_of_task("relay of a one-off command", thrown); });
}

/// Ends everything however the coroutine that has it ends.
struct HangUp {
  RelayPtr relay;
  ~HangUp() { relay->hang_up(); }
};

}  // namespace

awaitable<void> relay_exec(std::shared_ptr<io::Duplex> line, std::shared_ptr<deploy::ExecEnds> ends, std::shared_ptr<void> place) {
  const auto executor = co_await asio::this_coro::executor;
  const auto relay = std::make_shared<Relay>(executor, line, *ends, std::move(place));
  const HangUp at_the_end{relay};
  relay->writers = relay->terminal ? 1 : 2;
  spawn(relay, feed(relay));
  spawn(relay, show(relay, &relay->out, Kind::out));
  if (relay->terminal) spawn(relay, tell_begun(relay));
  else spawn(relay, show(relay, &relay->err, Kind::err));
  spawn(relay, tell_end(relay));
  spawn(relay, stay(relay));
  std::string buffer;
  for (;;) {
    const auto got = co_await line->read(&buffer, std::chrono::seconds(exec_frame::kSilence));
    if (!got || *got == 0) co_return;
    for (;;) {
      auto frame = exec_frame::take(buffer);
      if (frame && !*frame) break;
      Result<void> taken = frame ? relay->take(std::move(**frame)) : std::unexpected(frame.error());
      if (taken) continue;
      spdlog::info("api: the client of a one-off command is let go of: {}", taken.error().message);
      co_return;
    }
  }
}

}  // namespace berth::api
