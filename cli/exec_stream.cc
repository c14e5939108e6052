#include "cli/exec_stream.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>

#include <fmt/core.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/api_client.h"
#include "cli/taken_signals.h"
#include "cli/terminal.h"
#include "core/exec_frame.h"
#include "core/io/http_reader.h"
#include "core/io/http_text.h"
#include "core/io/ip_address.h"
#include "core/io/line.h"
#include "core/io/proxy.h"
#include "core/json/json.h"

namespace berth::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostHead = 64u << 10;
constexpr std::size_t kMostPending = 64u << 10;  ///< of what the command wrote, before more is read
constexpr std::size_t kPiece = 16u << 10;
constexpr std::size_t kPipe = 4096;              ///< no more than a pipe takes at once that has room
constexpr std::chrono::hours kNoEnd{10 * 365 * 24};
constexpr std::chrono::seconds kAlive{exec_frame::kAliveEvery}, kSaysNothing{exec_frame::kSilence};

/// One of this program's files that the command writes to.
struct Written {
  int fd;
  std::string pending{};
  bool gone = false;  ///< nobody reads it any more

  bool waits() const { return !gone && !pending.empty(); }
  void write_some() {
    const ssize_t put = ::write(fd, pending.data(), std::min(pending.size(), kPipe));
    if (put > 0) pending.erase(0, static_cast<std::size_t>(put));
    gone = put < 0 && errno != EAGAIN && errno != EINTR;
  }
};

std::optional<winsize> size_here() {
  winsize size{};
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return size;
}

/// The head of the answer, without the empty line; the rest stays in `buffer`.
Result<std::string> read_head(io::Line& line, std::string& buffer) {
  for (;;) {
    if (const auto end = buffer.find("\r\n\r\n"); end != std::string::npos) {
      std::string head = buffer.substr(0, end + 2);
      buffer.erase(0, end + 4);
      return head;
    }
    if (buffer.size() > kMostHead) return fail(Errc::protocol, "its answer has a head without an end");
    BERTH_TRY(const auto got, line.read(&buffer));
    if (got == 0) return fail(Errc::unreachable, "the connection broke");
  }
}

/// What a node says that refuses it.
Error refusal(io::Line& line, const std::string& head, std::string buffer) {
  std::string body;
  io::ResponseReader reader({}, false, [&body](std::string_view piece) -> Result<void> {
    body += piece;
    if (body.size() > kMostHead) return fail(Errc::protocol, "its answer is too long");
    return {};
  });
  buffer.insert(0, head + "\r\n");
  for (;;) {
    if (auto taken = reader.take(buffer); !taken) return taken.error();
    if (reader.done()) return problem_error(reader.status, body);
    const auto got = line.read(&buffer);
    if (!got) return got.error();
    if (*got == 0) return {Errc::unreachable, "the connection broke"};
  }
}

class ExecCarrier {
 public:
  ExecCarrier(io::Line& line, ExecFiles files, std::string buffer) : line_(line), files_(files), buffer_(std::move(buffer)) {
    if (files_.terminal) raw_.emplace(STDIN_FILENO);
  }

  /// Copies until the command has ended, and what it wrote last was taken.
  Result<ExecEnd> run() {
    if (!files_.input) BERTH_CHECK(end_input());
    if (files_.terminal) BERTH_CHECK(tell_size());  // it may have changed before signals were taken
    for (;;) {
      BERTH_CHECK(take_frames());
      if (end_ && !out_.waits() && !err_.waits()) return ExecEnd{end_->exit, end_->message};
      BERTH_CHECK(step());
      if (given_up_) return ExecEnd{end_->exit, end_->message};
    }
  }

 private:
  bool reads() const { return !end_ && out_.pending.size() + err_.pending.size() < kMostPending; }

  Result<void> step() {
    const bool reads_line = reads();
    pollfd polled[] = {{reads_line ? line_.descriptor() : -1, POLLIN, 0},
                       {signals_.fd(), POLLIN, 0},
                       {!end_ && !input_over_ && room_ > 0 ? STDIN_FILENO : -1, POLLIN, 0},
                       {out_.waits() ? out_.fd : -1, POLLOUT, 0},
                       {err_.waits() ? err_.fd : -1, POLLOUT, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(alive_at_ - Clock::now()).count();
    if (::poll(polled, std::size(polled), static_cast<int>(std::max<std::int64_t>(left, 0))) < 0 && errno != EINTR) return fail_errno("wait for the command");
    if (polled[1].revents != 0) BERTH_CHECK(on_signals());
    if (polled[3].revents != 0) BERTH_CHECK(write_to(out_, '\1'));
    if (polled[4].revents != 0) BERTH_CHECK(write_to(err_, '\2'));
    if (polled[2].revents != 0) BERTH_CHECK(read_input());
    if (polled[0].revents != 0) {
      BERTH_TRY(const auto got, line_.read(&buffer_));
      if (got == 0) return fail(Errc::unreachable, "the connection to the command ended before the command did, as far as is known");
      heard_ = Clock::now();
    }
    if (!reads_line) heard_ = Clock::now();  // it may have said much that is not read yet
    if (Clock::now() - heard_ > kSaysNothing) return fail(Errc::unreachable, fmt::format("the node has said nothing for {} s", kSaysNothing.count()));
    if (Clock::now() < alive_at_) return {};
    alive_at_ = Clock::now() + kAlive;
    return end_ ? Result<void>() : line_.write(exec_frame::text(exec_frame::Kind::alive));
  }

  Result<void> take_frames() {
    while (!end_) {
      BERTH_TRY(auto frame, exec_frame::take(buffer_));
      if (!frame) return {};
      BERTH_CHECK(take(*frame));
    }
    return {};
  }

  Result<void> take(const exec_frame::Frame& frame) {
    switch (frame.kind) {
      case exec_frame::Kind::out:
        if (!out_.gone) out_.pending += frame.bytes;
        return {};
      case exec_frame::Kind::err:
        if (!err_.gone) err_.pending += frame.bytes;
        return {};
      case exec_frame::Kind::room: {
        BERTH_TRY(const auto more, exec_frame::room_of(frame));
        room_ += more;
        return {};
      }
      case exec_frame::Kind::begun:
        if (raw_) raw_->pass_signals();
        return {};
      case exec_frame::Kind::end: {
        BERTH_TRY(end_, exec_frame::end_of(frame));
        return {};
      }
      default: return {};
    }
  }

  Result<void> on_signals() {
    while (const int number = signals_.next()) {
      if (number == SIGWINCH && files_.terminal) BERTH_CHECK(tell_size());
      if (number == SIGWINCH) continue;
      if (end_) given_up_ = true;  // nobody takes what it wrote last
      else BERTH_CHECK(line_.write(exec_frame::text(exec_frame::Kind::signal, ::sigabbrev_np(number))));
    }
    return {};
  }

  Result<void> tell_size() {
    const auto size = size_here();
    if (!size || end_) return {};
    return line_.write(exec_frame::resize_text(size->ws_row, size->ws_col));
  }

  Result<void> write_to(Written& to, char which) {
    to.write_some();
    if (!to.gone) return {};
    to.pending.clear();
    return end_ ? Result<void>() : line_.write(exec_frame::text(exec_frame::Kind::unwanted, std::string_view(&which, 1)));
  }

  Result<void> read_input() {
    char piece[kPiece];
    const ssize_t got = ::read(STDIN_FILENO, piece, std::min(room_, sizeof piece));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (got <= 0) return end_input();
    room_ -= static_cast<std::size_t>(got);
    return line_.write(exec_frame::text(exec_frame::Kind::in, std::string_view(piece, static_cast<std::size_t>(got))));
  }

  Result<void> end_input() {
    input_over_ = true;
    return line_.write(exec_frame::text(exec_frame::Kind::in));
  }

  io::Line& line_;
  ExecFiles files_;
  std::string buffer_;
  TakenSignals signals_;
  std::optional<RawTerminal> raw_;
  Written out_{STDOUT_FILENO}, err_{STDERR_FILENO};
  std::size_t room_ = exec_frame::kWindow;
  bool input_over_ = false, given_up_ = false;
  std::optional<exec_frame::End> end_;
  Clock::time_point heard_ = Clock::now(), alive_at_ = Clock::now() + kAlive;
};

}  // namespace

Result<ExecEnd> run_exec_stream(const Console& console, const std::string& target, boost::json::object body, ExecFiles files) {
  const RemoteNode& node = *console.node;
  if (files.terminal) {
    body["terminal"] = true;
    if (const auto size = size_here()) {
      body["rows"] = size->ws_row;
      body["columns"] = size->ws_col;
    }
  }
  io::FetchOptions options;
  options.stall_timeout = kSaysNothing;
  options.total_timeout = kNoEnd;
  io::Patience patience(options, {});
  auto line = io::open_line({.https = true, .host = node.host, .port = node.port}, std::nullopt, tls_of(node), patience);
  if (!line) return std::unexpected(unreachable_there(node, line.error()));

  io::HttpRequest request;
  request.method = "POST";
  request.target = target;
  request.headers["content-type"] = "application/json";
  request.headers["host"] = io::with_port(node.host, node.port);
  request.body = json::text(body);
  request.upgrade = exec_frame::kProtocol;
  BERTH_TRY(const std::string head, io::request_head(request));
  console.detail(fmt::format("POST https://{}{} with {}, as {}", io::with_port(node.host, node.port), target, request.body, exec_frame::kProtocol));
  std::string buffer;
  auto written = (*line)->write(head + request.body);
  if (!written) return std::unexpected(unreachable_there(node, written.error()));
  const auto answer = read_head(**line, buffer);
  if (!answer) return std::unexpected(unreachable_there(node, answer.error()));
  console.detail("its answer: " + answer->substr(0, answer->find('\r')));
  if (!answer->starts_with("HTTP/1.1 101 ")) return std::unexpected(refusal(**line, *answer, std::move(buffer)));
  ExecCarrier carrier(**line, files, std::move(buffer));
  auto end = carrier.run();
  if (!end && end.error().code == Errc::unreachable) end.error().message += fmt::format(" (berthd at {} was restarted, or is not reached any more?): how the command ended is not known; its node ends it", node.name);
  return end;
}

}  // namespace berth::cli
