#include "daemon/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keeper/chance.h"
#include "daemon/keeper/clock.h"
#include "daemon/keeper/processes.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr int64_t kLaunchWaitMs = 30000;
constexpr int64_t kReleaseMs = 1000;    ///< of quiet, before buffers are given back
constexpr int64_t kTellLogMs = 10000;   ///< from what an app writes to telling how much it was
constexpr int64_t kTellGapMs = 5000;    ///< between tries, while the disk takes nothing
constexpr int64_t kLookMs = 50;
constexpr int64_t kLonelyMs = 10000;    ///< for who launched a bound app to connect again, where this keeper dropped the connection
constexpr int kPipeBytes = 256 << 10;

/// Gives back the pages of the stack that deeper calls used.
void release_stack() {
  constexpr uintptr_t kPage = 4096, kCalls = 512, kDepth = 16 * kPage;
  char here;
  const uintptr_t unused = (reinterpret_cast<uintptr_t>(&here) - kCalls) & ~(kPage - 1);
  madvise(reinterpret_cast<void*>(unused - kDepth), kDepth, MADV_DONTNEED);
}

bool complain(const char* doing) {
  char line[200];
  Text text(line, sizeof line);
  text.add("berth-keeper: ").add(doing).add(": ").add(strerror(errno)).add("\n");
  (void)!write(2, line, text.size());
  return false;
}

}  // namespace

bool Keeper::begin(const char* socket, const char* log_directory, bool delegated) {
  log_directory_ = log_directory;
  if (!set_up_process()) return false;
  if (!control_.listen_at(socket)) return complain(socket);
  if (delegated) split_own_cgroup(own_cgroup_, sizeof own_cgroup_);
  for (auto& ends : pipes_) {
    if (pipe2(ends, O_CLOEXEC) != 0) return complain("pipe");
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);  // as far as allowed
  }
  launch_deadline_ = monotonic_ms() + kLaunchWaitMs;
  return true;
}

/// What every keeper's process is, whichever program it was before.
bool Keeper::set_up_process() {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return complain("forbid core files");  // what it is told has secrets; the app's own are its own
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return complain("become a subreaper");
  sigset_t set;
  sigemptyset(&set);
  const int handled[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE};
  for (int number : handled) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) return complain("signalfd");
  state_.header = {Type::state, kProtocolVersion, kStateSize};
  state_.keeper_pid = getpid();
  return true;
}

int Keeper::run() {
  while (!done_) {
    pollfd polled[] = {{pipes_[0][0], POLLIN, 0}, {pipes_[1][0], POLLIN, 0},          {executed_, POLLIN, 0},
                       {signals_, POLLIN, 0},     {control_.connection(), POLLIN, 0}, {control_.listener(), POLLIN, 0},
                       {notify_.fd(), POLLIN, 0}, {client_.connection(), POLLIN, 0}, {orphan_, POLLIN, 0}};
    const int ready = poll(polled, 9, timeout(monotonic_ms()));
    if (ready < 0 && errno != EINTR) return 1;
    if (ready > 0) {
      if (polled[0].revents) read_stream(Stream::out, 8);
      if (polled[1].revents) read_stream(Stream::err, 8);
      if (polled[2].revents) on_executed();
      if (polled[6].revents) on_notices();
      if (polled[3].revents) on_signals();
      if (polled[7].revents && polled[7].fd == client_.connection()) on_client();
      if (polled[8].revents) on_orphan_exit();
      Message message;
      if (polled[4].revents && control_.receive(&message)) on_message(&message);
      if (polled[5].revents && control_.accept_connection()) {
        lonely_at_ = 0;
        send_state(Event::hello);
        if (notify_.fd() >= 0) tell_notice();
      }
    }
    if (rules_.bound && control_.connection() < 0) on_lonely();
    on_timers(monotonic_ms());
    if (renew_to_[0] != 0) renew();
  }
  return 0;
}

int Keeper::timeout(int64_t now) const {
  int64_t first = 0;
  const int64_t deadlines[] = {launch_deadline_, kill_at_, start_at_, settled_at_, release_at_, watchdog_at_, tell_notice_at_, look_at_, tell_log_at_, tell_gap_at_, lonely_at_, trial_at_};
  for (const int64_t at : deadlines) {
    if (at != 0 && (first == 0 || at < first)) first = at;
  }
  if (first == 0) return -1;
  return first <= now ? 0 : static_cast<int>(first - now);
}

void Keeper::on_timers(int64_t now) {
  const auto over = [now](int64_t* at) { return *at != 0 && *at <= now ? (*at = 0, true) : false; };
  if (over(&launch_deadline_)) leave();
  const int64_t kill_due = kill_at_;
  if (over(&kill_at_)) {
    if (!killing_) had_ms_ = kill_due > asked_at_ ? kill_due - asked_at_ - 1 : 0;  // as `after` has it
    kill_everything();
  }
  if (over(&lonely_at_)) request_stop(-1);
  if (over(&start_at_)) start_app();
  if (over(&trial_at_)) on_trial_overdue();
  if (over(&settled_at_)) {
    crash_loop_.settled();
    send_state(Event::settled);
  }
  if (over(&watchdog_at_)) on_silence();
  if (over(&tell_notice_at_)) tell_notice();
  if (over(&look_at_)) on_children();
  if (over(&tell_gap_at_) && log_.tell_owed() && tell_log_at_ == 0) tell_log_at_ = now + kTellLogMs;
  if (!log_.owes()) tell_gap_at_ = 0;
  else if (tell_gap_at_ == 0) tell_gap_at_ = now + kTellGapMs;
  if (over(&tell_log_at_)) send_state(Event::logs_dropped);
  if (over(&release_at_)) {
    log_.release_memory();
    release_stack();
    if (log_.dropped() != dropped_told_) send_state(Event::logs_dropped);
  }
}

void Keeper::on_signals() {
  signalfd_siginfo info;
  bool children = false;
  while (read(signals_, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGCHLD) children = true;
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
      hold_ = false;
      request_stop(-1);
    }
  }
  if (children) on_children();
}

void Keeper::on_children() {
  int status = 0;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid == trial_) on_trial_end(status);
    else if (pid == state_.app_pid && orphan_ < 0) on_main_exit(status);
  }
  const bool no_child = pid < 0 && errno == ECHILD;
  const bool main_gone = state_.app_pid == 0 && (state_.phase == Phase::clearing || state_.phase == Phase::stopping);
  const bool strangers = main_gone && signal_the_strangers(0) > 0;
  if (strangers) look_at_ = monotonic_ms() + kLookMs;
  const bool none_left = no_child && !strangers;
  if (none_left && main_gone) return go_on();
  // Whoever dies leaves its own children to this process.
  if (killing_ && !none_left) kill_everything();
}

void Keeper::start_app() {
  StartFailure failure{Stage::none, 0};
  start_at_ = 0;
  want_restart_ = false;
  oom_kills_ = oom_kills(rules_.cgroup);
  started_ = monotonic_ms();
  state_.started_ms = wall_ms();
  state_.phase = Phase::starting;
  if (begin_notices(&failure) && fork_app(&failure)) return;
  state_.last_exit.stage = failure.stage;
  state_.last_exit.error = failure.error;
  on_main_exit(127 << 8);
  on_children();
}

bool Keeper::fork_app(StartFailure* failure) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return *failure = {Stage::pipe, errno}, false;
  state_.last_exit.stage = Stage::none;
  const pid_t child = fork();
  if (child == 0) {
    // Nobody would know of an app whose keeper is killed before it is written down.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != state_.keeper_pid) _exit(127);
    write_app_file(control_.path(), getpid(), rules_.cgroup);
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    const bool attached = rules_.attached != Attached::no;
    const int* files = client_.files();
    become_app({launch_, files[0], attached ? files[1] : pipes_[0][1], attached ? files[2] : pipes_[1][1], ends[1], sockets_, socket_count_, rules_.attached, state_.keeper_pid},
               rules_.cgroup);
  }
  if (child < 0) *failure = {Stage::fork, errno};
  client_.let_go_of_files();
  close(ends[1]);
  if (child < 0) return close(ends[0]), false;
  executed_ = ends[0];
  state_.app_pid = child;
  log_.set_tag(rules_.log_tag, child);
  write_app_file(control_.path(), child, rules_.cgroup);
  return true;
}

void Keeper::on_executed() {
  StartFailure failure;
  const ssize_t n = read(executed_, &failure, sizeof failure);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  close(executed_);
  executed_ = -1;
  if (n == sizeof failure) {
    state_.last_exit.stage = failure.stage;
    state_.last_exit.error = failure.error;
    return;  // its exit follows
  }
  state_.starts++;
  if (state_.phase == Phase::starting) state_.phase = Phase::running;
  if (crash_loop_.count > 0 || crash_loop_.looping) settled_at_ = started_ + CrashLoop::kSettledMs;
  release_at_ = monotonic_ms() + kReleaseMs;
  send_state(Event::started);
}

void Keeper::on_main_exit(int status) {
  end_trial();
  if (executed_ >= 0) on_executed();
  on_notices();  // what it said last
  drain();
  const int64_t now = monotonic_ms();
  LastExit& last = state_.last_exit;
  last.status = status;
  last.at_ms = wall_ms();
  last.ran_ms = now - started_;
  last.cause = want_stop_ || client_left_                   ? Cause::stopped
               : last.stage != Stage::none                  ? Cause::not_started
               : want_restart_                              ? (restart_is_liveness_ ? Cause::liveness : Cause::asked)
               : (status != 0 || orphan_ >= 0) && oom_kills(rules_.cgroup) > oom_kills_ ? Cause::oom
               : orphan_ >= 0                               ? Cause::unknown
               : WIFSIGNALED(status)                        ? Cause::signal
                                                            : Cause::exit;
  if (last.cause != Cause::asked && last.cause != Cause::liveness) last.reason[0] = 0;
  const bool by_our_kill = orphan_ >= 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);  // how somebody else's child ended is not known
  last.killed = killing_ && asked_at_ != 0 && rules_.stop_signal != SIGKILL && by_our_kill;
  if (last.killed) last.error = had_ms_ > INT32_MAX ? INT32_MAX : static_cast<int32_t>(had_ms_);
  asked_at_ = 0;
  const bool was_to_end = last.cause == Cause::stopped || last.cause == Cause::asked;
  if (!was_to_end && rules_.attached == Attached::no) log_.note_own_end(log_directory_);
  count_exit(last.cause);
  state_.app_pid = 0;
  if (orphan_ >= 0) close(orphan_);
  orphan_ = -1;
  settled_at_ = 0;
  watchdog_at_ = 0;
  const bool by_itself = !want_stop_ && !want_restart_;
  if (by_itself) crash_loop_.exited(now, last.ran_ms);
  if (by_itself && waits_for_next_start(rules_.policy, crash_loop_, last.ran_ms)) {
    early_exits_++;
  } else {
    early_exits_ = 0;
  }
  if (state_.phase != Phase::stopping) state_.phase = Phase::clearing;
  send_state(Event::exited);
  clear_leftovers();
}

void Keeper::count_exit(Cause cause) {
  if (cause == Cause::unknown) state_.exits_unknown++;
  else state_.exits[static_cast<int>(cause)]++;
}

/// Nobody is there who launched a bound app.
void Keeper::on_lonely() {
  if (want_stop_) return;
  if (control_.peer_left()) request_stop(-1);
  else if (lonely_at_ == 0) lonely_at_ = after(kLonelyMs);
}

/// No process of the app is left.
void Keeper::go_on() {
  kill_at_ = look_at_ = 0;
  strangers_ = 0;
  killing_ = false;
  drain();
  log_.finish();
  tell_client();
  if (want_stop_) return on_stopped();
  const LastExit& last = state_.last_exit;
  if (want_restart_) return start_app();
  const uint64_t tries = state_.starts + state_.exits[static_cast<int>(Cause::not_started)];
  const bool tried_out = rules_.retries >= 0 && tries > static_cast<uint64_t>(rules_.retries);
  // Of what is not known the worse is taken.
  if (tried_out || !starts_again(rules_.restart, last.cause == Cause::not_started || last.cause == Cause::unknown || last.status != 0)) {
    state_.phase = Phase::ended;
    return send_state(Event::ended);
  }
  state_.wait_ms = wait_before_start(rules_.policy, early_exits_, chance());
  if (state_.wait_ms == 0) return start_app();
  state_.phase = Phase::waiting;
  start_at_ = after(state_.wait_ms);
  send_state(Event::waiting);
}

/// Reads at most `most` times; true when there may be more.
bool Keeper::read_stream(Stream stream, int most) {
  const int fd = pipes_[static_cast<int>(stream)][0];
  for (int i = 0; i < most; i++) {
    const size_t room = log_.room();
    const ssize_t n = read(fd, log_.input(), room);
    if (n <= 0) return false;
    log_.add(stream, log_.input(), static_cast<size_t>(n));
    const int64_t now = monotonic_ms();
    release_at_ = now + kReleaseMs;
    if (tell_log_at_ == 0) tell_log_at_ = now + kTellLogMs;
    if (static_cast<size_t>(n) < room) return false;
  }
  return true;
}

/// What the app wrote before it ended; bounded, since what it left behind may write on.
void Keeper::drain() {
  constexpr int kReads = 2 * kPipeBytes / static_cast<int>(LogWriter::kLeastRoom);
  read_stream(Stream::out, kReads);
  read_stream(Stream::err, kReads);
}

}  // namespace berth::keeper
