#include "core/io/child.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fmt/core.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "core/io/exec_plan.h"
#include "core/io/readiness.h"
#include "core/io/session.h"
#include "core/reap_later.h"

namespace berth::io {
namespace {

namespace asio = boost::asio;

/// After SIGKILL; a process may sit in the kernel for longer, on a dead network disk.
constexpr std::chrono::seconds kDying{5};

/// A child that is killed and reaped at the end of scope, also when the coroutine that waits for it is destroyed.
class Running {
 public:
  explicit Running(Forked forked) : forked_(std::move(forked)) {}
  ~Running() {
    if (reaped_) return;
    kill_session(forked_.pid);
    if (::waitpid(forked_.pid, nullptr, WNOHANG) == 0) reap_later(forked_.pid, 0);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  const Forked& files() const { return forked_; }
  void kill() const { kill_session(forked_.pid); }

  bool ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(forked_.pid), &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != 0;
  }

  /// Its status, once it ended.
  Result<int> reap() {
    int status = 0;
    const pid_t got = ::waitpid(forked_.pid, &status, WNOHANG);
    if (got == 0) return fail(Errc::timeout, "still dying");
    reaped_ = true;
    if (got < 0) return fail_errno("wait for a child");
    return status;
  }

 private:
  Forked forked_;
  bool reaped_ = false;
};

/// The last bytes of what a child writes.
class Tail {
 public:
  explicit Tail(std::size_t most) : most_(most) {}

  /// Reads what is there, but not for ever. False at the end of the output.
  bool read_from(int fd) {
    char buffer[16384];
    for (int round = 0; round < 64; ++round) {
      const ssize_t got = ::read(fd, buffer, sizeof buffer);
      if (got == 0) return false;
      if (got < 0) return errno == EAGAIN || errno == EINTR;
      text_.append(buffer, static_cast<std::size_t>(got));
      if (text_.size() > most_ * 2) trim();
    }
    return true;
  }

  std::string take() {
    trim();
    return std::move(text_);
  }

 private:
  void trim() {
    if (text_.size() > most_) text_.erase(0, text_.size() - most_);
  }
  std::size_t most_;
  std::string text_;
};

/// An epoll of both: readable when the child ended or wrote.
Result<Fd> watch_both(int pidfd, int output) {
  Fd both(::epoll_create1(EPOLL_CLOEXEC));
  if (!both) return fail_errno("watch a child");
  for (const int fd : {pidfd, output}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (::epoll_ctl(both.get(), EPOLL_CTL_ADD, fd, &event) < 0) return fail_errno("watch a child");
  }
  return both;
}

std::optional<ExecFailure> read_failure(int fd) {
  char bytes[sizeof(ExecFailure)];
  if (::read(fd, bytes, sizeof bytes) != static_cast<ssize_t>(sizeof bytes)) return std::nullopt;
  ExecFailure failure;
  std::memcpy(&failure, bytes, sizeof failure);
  return failure;
}

/// Until the program runs, or why it does not.
asio::awaitable<Result<void>> wait_for_exec(const Running& child, const ChildSpec& spec, Steady::time_point deadline) {
  Readiness readiness(co_await asio::this_coro::executor, child.files().failure.get());
  const Woken woken = co_await readiness.wait(Want::read, deadline);
  if (woken != Woken::ready) co_return fail_woken(woken, "start " + spec.argv.front());
  if (const auto failure = read_failure(child.files().failure.get())) co_return std::unexpected(explain(*failure, spec));
  co_return Result<void>();
}

/// Reads its output until it ended. `Errc::timeout` when it did not in time.
asio::awaitable<Result<void>> wait_for_end(const Running& child, const ChildSpec& spec, Tail& tail, Steady::time_point deadline) {
  const Forked& files = child.files();
  auto both = watch_both(files.pidfd.get(), files.output.get());
  if (!both) co_return std::unexpected(both.error());
  Readiness readiness(co_await asio::this_coro::executor, both->get());
  bool open = true;
  while (!child.ended()) {
    const Woken woken = co_await readiness.wait(Want::read, deadline);
    if (woken != Woken::ready || Steady::now() >= deadline)
      co_return fail_woken(woken == Woken::ready ? Woken::timeout : woken, "run " + spec.argv.front());
    if (open && !tail.read_from(files.output.get())) {
      open = false;  // else its end would wake us again and again
      ::epoll_ctl(both->get(), EPOLL_CTL_DEL, files.output.get(), nullptr);
    }
  }
  co_return Result<void>();
}

}  // namespace

asio::awaitable<Result<ChildResult>> run_child(ChildSpec spec) {
  const auto deadline = deadline_in(spec.deadline);
  auto forked = fork_child(spec);
  if (!forked) co_return std::unexpected(std::move(forked.error()));
  Running child(std::move(*forked));
  if (!child.files().pidfd) co_return fail(Errc::io, fmt::format("run {}: cannot watch its process (too many open files?)", spec.argv.front()));

  Tail tail(spec.most_output);
  auto ended = co_await wait_for_exec(child, spec, deadline);
  if (ended) ended = co_await wait_for_end(child, spec, tail, deadline);
  if (!ended && ended.error().code != Errc::timeout) co_return std::unexpected(std::move(ended.error()));

  // What it left behind goes with it; what was written until then is still in the pipe.
  child.kill();
  tail.read_from(child.files().output.get());
  ChildResult result{.timed_out = !ended, .output = tail.take()};
  if (!child.ended()) {
    Readiness readiness(co_await asio::this_coro::executor, child.files().pidfd.get());
    const Woken woken = co_await readiness.wait(Want::read, deadline_in(kDying));
    if (woken == Woken::cancelled) co_return fail_woken(woken, "run " + spec.argv.front());
  }
  auto status = child.reap();
  if (!status && status.error().code == Errc::timeout)
    co_return fail(Errc::io, fmt::format("run {}: does not die by SIGKILL, it hangs in the kernel", spec.argv.front()));
  if (!status) co_return pass(status.error(), "run " + spec.argv.front());
  result.status = *status;
  co_return result;
}

}  // namespace berth::io
