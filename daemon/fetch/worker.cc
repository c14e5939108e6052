#include "daemon/fetch/worker.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/files/files.h"
#include "core/reap_later.h"
#include "daemon/fetch/worker_child.h"
#include "daemon/unpack/job.h"

namespace berth::fetch {
namespace {

using Steady = std::chrono::steady_clock;

constexpr int kTick = 100;                   ///< milliseconds between looks at the clock and at `stop`
constexpr int kDying = 10'000;               ///< milliseconds after SIGKILL
constexpr std::size_t kMostWords = 4096;
constexpr std::size_t kMostWordsKept = 600;

/// A pipe whose reading end does not block.
Result<std::pair<Fd, Fd>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno("make a pipe");
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return std::pair{Fd(ends[0]), Fd(ends[1])};
}

/// A duplicate that no step of the child can overwrite.
Result<Fd> lifted(int fd) {
  Fd higher(::fcntl(fd, F_DUPFD_CLOEXEC, 16));
  if (!higher) return fail_errno("duplicate a descriptor");
  return higher;
}

/// Empties a pipe, for a while. The bytes read; `said` gains some of them.
std::size_t drain(int fd, std::string* said) {
  char buffer[4096];
  std::size_t total = 0;
  for (int round = 0; round < 64; ++round) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got <= 0) break;
    total += static_cast<std::size_t>(got);
    if (said != nullptr) said->append(buffer, std::min(static_cast<std::size_t>(got), kMostWords - said->size()));
  }
  return total;
}

/// One line that can be shown on a terminal and put into JSON, whatever came.
std::string printable(std::string_view text) {
  std::string line(text.substr(0, std::min(text.find('\n'), kMostWordsKept)));
  std::ranges::replace_if(line, [](char byte) { return byte < 0x20 || byte > 0x7e; }, '?');
  return line;
}

std::chrono::microseconds of(const timeval& time) { return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec); }

}  // namespace

Result<Worker> Worker::start(const WorkerSpec& spec) {
  BERTH_TRY(auto progress, make_pipe());
  BERTH_TRY(auto words, make_pipe());
  BERTH_TRY(const Fd program, files::open(spec.program, O_PATH));
  WorkerFiles files;
  BERTH_TRY(files.program, lifted(program.get()));
  BERTH_TRY(files.job, lifted(spec.job));
  BERTH_TRY(files.progress, lifted(progress.second.get()));
  BERTH_TRY(files.words, lifted(words.second.get()));
  BERTH_TRY(files.blob, lifted(spec.blob));
  BERTH_TRY(files.target, lifted(spec.target));
  if (spec.scratch >= 0) {
    BERTH_TRY(files.scratch, lifted(spec.scratch));
  }

  int pidfd = -1;
  const pid_t pid = fork_worker(spec, files, pidfd);
  if (pid < 0) return fail_errno("start the unpack worker in namespaces of its own", -pid);
  Worker worker;
  worker.pid_ = pid;
  worker.pidfd_ = Fd(pidfd);
  worker.progress_ = std::move(progress.first);
  worker.words_ = std::move(words.first);
  return worker;
}

Worker::Worker(Worker&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), progress_(std::move(other.progress_)),
      words_(std::move(other.words_)), said_(std::move(other.said_)), hangs_(std::exchange(other.hangs_, false)) {}

Worker::~Worker() {
  if (pid_ < 0) return;
  if (hangs_ || !reap()) reap_later(pid_, __WALL);  // the kernel holds on to it
}

Result<void> Worker::end() {
  if (pid_ < 0) return {};
  BERTH_CHECK(reap());
  return {};
}

/// Kills what is left of it. Its namespace's first process is reaped only after all others in there are gone.
Result<Worker::End> Worker::reap() {
  const auto hung = [] { return fail(Errc::io, "the unpack worker does not die by SIGKILL, it hangs in the kernel (a disk in trouble?)"); };
  if (hangs_) return hung();
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  pollfd end{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  const auto deadline = Steady::now() + std::chrono::milliseconds(kDying);
  while (::poll(&end, 1, kTick) <= 0) {
    if (Steady::now() < deadline) continue;
    hangs_ = true;
    std::thread([pid = pid_] { ::waitpid(pid, nullptr, __WALL); }).detach();  // so that it is no zombie once the kernel lets it go
    return hung();
  }
  End ended;
  rusage used{};
  while (::wait4(pid_, &ended.status, __WALL, &used) < 0) {
    if (errno != EINTR) return fail_errno("wait for the unpack worker");
  }
  pid_ = -1;
  ended.processor = of(used.ru_utime) + of(used.ru_stime);
  return ended;
}

Result<void> Worker::watch(const Patience& patience, const std::stop_token& stop) {
  const auto deadline = Steady::now() + patience.whole;
  auto alive_until = Steady::now() + patience.stalled;
  auto look_at = Steady::now();
  while (true) {
    pollfd fds[] = {{pidfd_.get(), POLLIN, 0}, {progress_.get(), POLLIN, 0}, {words_.get(), POLLIN, 0}};
    if (::poll(fds, 3, kTick) < 0 && errno != EINTR) return fail_errno("watch the unpack worker");
    const auto now = Steady::now();
    if (drain(progress_.get(), nullptr) > 0) alive_until = now + patience.stalled;
    drain(words_.get(), &said_);
    if ((fds[0].revents & POLLIN) != 0) return {};
    // It closed its ends without dying; the clock will tell.
    if (((fds[1].revents | fds[2].revents) & POLLHUP) != 0) ::poll(fds, 1, kTick);
    if (stop.stop_requested()) return fail(Errc::cancelled, "unpacking was cancelled");
    if (now >= deadline) return fail(Errc::timeout, fmt::format("the unpack worker was not done after {} s", patience.whole.count() / 1000));
    if (now >= alive_until) return fail(Errc::timeout, fmt::format("the unpack worker made no progress for {} s", patience.stalled.count() / 1000));
    if (patience.still_fine && now >= look_at) {
      BERTH_CHECK(patience.still_fine());
      look_at = now + std::chrono::milliseconds(300);
    }
  }
}

Result<Worker::End> Worker::wait(const Patience& patience, std::stop_token stop) {
  auto ended = watch(patience, stop);
  BERTH_TRY(End end, reap());
  drain(words_.get(), &said_);
  if (!ended) return std::unexpected(std::move(ended.error()));
  end.words = printable(said_);
  return end;
}

}  // namespace berth::fetch
