// The app of a keeper that was killed: what still runs of it is kept on, though it is no child, and what it wrote meanwhile is read.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/keeper/clock.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/processes.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr int64_t kTicksASecond = 100;  ///< USER_HZ, in which /proc counts

uint64_t inode_of(int fd) {
  struct stat file;
  return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

}  // namespace

void Keeper::on_take_over(Message* message) {
  if (message->size < kLeastTakeOver || state_.phase != Phase::blank || message->fd_count < 3) return control_.drop();
  TakeOver whole{};  // an older berthd does not say all of it
  memcpy(&whole, message->bytes, message->size < sizeof whole ? message->size : sizeof whole);
  const TakeOver* told = &whole;
  // As a launch has them: the sockets right behind it.
  const int out = message->fds[1], err = message->fds[2];
  int launched[kMostSockets + 1] = {message->fds[0]};
  memcpy(launched + 1, message->fds + 3, sizeof(int) * static_cast<size_t>(message->fd_count - 3));
  if (!take_launch(launched, message->fd_count - 2)) return control_.drop();
  message->fd_count = 0;
  // Nothing is begun that another would have to end.
  if (!take_pipes(out, err)) return leave();

  state_.starts = told->starts;
  memcpy(state_.exits, told->exits, sizeof state_.exits);
  state_.exits_unknown = told->exits_unknown;
  state_.last_exit = told->last_exit;
  state_.last_exit.reason[sizeof state_.last_exit.reason - 1] = 0;
  state_.started_ms = told->started_ms;
  crash_loop_.looping = told->crash_loop != 0;
  log_.set_tag(rules_.log_tag, told->app_pid < 0 ? -int64_t{told->app_pid} : told->app_pid);
  log_.tell_lost_keeper();
  if (told->app_pid > 1) return keep(*told);
  drain();
  log_.finish();
  start_app();
}

/// The old read ends, and write ends of our own for the processes that are to come.
bool Keeper::take_pipes(int out, int err) {
  const int given[] = {out, err};
  for (int i = 0; i < 2; i++) {
    char path[40];
    Text(path, sizeof path).add("/proc/self/fd/").number(static_cast<uint64_t>(given[i]));
    const int write_end = open(path, O_WRONLY | O_CLOEXEC);
    if (write_end < 0 || fcntl(given[i], F_SETFL, O_NONBLOCK) != 0) return false;
    close(pipes_[i][0]);
    close(pipes_[i][1]);
    pipes_[i][0] = given[i];
    pipes_[i][1] = write_end;
  }
  return true;
}

void Keeper::keep(const TakeOver& told) {
  timespec up;
  clock_gettime(CLOCK_BOOTTIME, &up);
  const int64_t ran = int64_t{up.tv_sec} * 1000 + up.tv_nsec / 1000000 - static_cast<int64_t>(told.app_start) * 1000 / kTicksASecond;
  started_ = monotonic_ms() - (ran > 0 ? ran : 0);
  // Where its pid is another's by now, so is the session.
  const uint64_t start = start_of(told.app_pid);
  strangers_ = start == 0 || start == told.app_start ? told.app_pid : 0;
  oom_kills_ = oom_kills(rules_.cgroup);
  orphan_ = static_cast<int>(syscall(SYS_pidfd_open, told.app_pid, 0));
  state_.app_pid = told.app_pid;
  state_.phase = Phase::running;
  state_.last_exit.stage = Stage::none;
  StartFailure ignored{};  // without the socket it cannot say anything more: its probes find that
  begin_notices(&ignored);
  notice_.ready = told.ready != 0;
  notice_.reloading = told.reloading != 0;
  notice_.stopping = told.stopping != 0;
  memcpy(notice_.status, told.status, sizeof notice_.status - 1);
  if (rules_.watchdog_ms > 0 && told.watchdog_ms > 0) watchdog_ms_ = told.watchdog_ms;
  if (watchdog_first_ != 0 && ran >= rules_.watchdog_delay_ms) watchdog_first_ = 0;
  if (watchdog_ms_ > 0 && (notice_.ready || watchdog_at_ != 0)) feed_watchdog();
  if (crash_loop_.looping) settled_at_ = started_ + CrashLoop::kSettledMs;
  // The pid is that process's own as long as the pidfd was opened while it lived: its start was read after that.
  const bool lives = orphan_ >= 0 && start_of(told.app_pid) == told.app_start;
  if (!lives) {  // it ended meanwhile
    if (orphan_ < 0) orphan_ = open("/dev/null", O_RDONLY | O_CLOEXEC);  // it is no child all the same
    on_main_exit(0);
    return on_children();
  }
  write_app_file(control_.path(), told.app_pid, rules_.cgroup);
  release_at_ = monotonic_ms() + 1;
  send_state(Event::taken);
}

void Keeper::on_orphan_exit() {
  if (orphan_ < 0) return;
  on_main_exit(0);
  on_children();
}

int Keeper::signal_the_strangers(int signal) {
  if (strangers_ == 0) return 0;
  return signal_strangers({.session = strangers_, .cgroup = rules_.cgroup, .pipes = {inode_of(pipes_[0][0]), inode_of(pipes_[1][0])}}, signal);
}

}  // namespace berth::keeper
