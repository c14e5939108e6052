// How a keeper becomes another program without its app's notice: by exec, so that it stays the parent of its app. All that it knows goes over in a memfd, all
// that it holds as open descriptors. The program is tried before, in a child that reads everything and does nothing: where that fails, this one goes on. Meanwhile
// the app is served as ever, so what is handed over in the end is written down anew. Where the app ends or is to end, or its launch changes, it is tried again.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keeper/clock.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr int64_t kTrialMs = 2000;

/// The arguments of a keeper that goes on with a handover.
struct Arguments {
  Arguments(const char* program, const char* socket, const char* logs, const char* how, int handover) {
    Text(number, sizeof number).number(static_cast<uint64_t>(handover));
    const char* all[] = {program, socket, logs, how, number, nullptr};
    memcpy(list, all, sizeof all);
  }
  void execute() const {
    const char* const environment[] = {nullptr};
    execve(list[0], const_cast<char* const*>(list), const_cast<char* const*>(environment));
  }
  char number[12];
  const char* list[6];
};

}  // namespace

/// Everything that lasts. The monotonic clock goes on over an exec, and so do all its times.
template <class Exchange>
void Keeper::exchange(Exchange& with) {
  int listener = control_.listener(), connection = control_.connection(), notify = notify_.fd();
  unsigned long refused = notify_.refused();
  with.value("listener", listener);
  with.value("connection", connection);
  with.value("notify", notify);
  with.value("notify_refused", refused);
  control_.go_on_with(control_.path(), listener, connection);
  notify_.go_on_with(notify, refused);
  with.value("out_read", pipes_[0][0]);
  with.value("out_write", pipes_[0][1]);
  with.value("err_read", pipes_[1][0]);
  with.value("err_write", pipes_[1][1]);
  with.value("launch", launch_);
  with.value("orphan", orphan_);
  with.value("strangers", strangers_);
  with.value("socket_count", socket_count_);
  if (socket_count_ < 0 || socket_count_ > kMostSockets) socket_count_ = 0;
  const auto each = [&with](const char* name, int n, auto& value) {
    char key[32];
    Text(key, sizeof key).add(name).number(static_cast<uint64_t>(n));
    with.value(key, value);
  };
  for (int i = 0; i < socket_count_; i++) each("socket", i, sockets_[i]);
  with.text("own_cgroup", own_cgroup_, sizeof own_cgroup_);

  with.value("phase", state_.phase);
  with.value("app_pid", state_.app_pid);
  with.value("started_ms", state_.started_ms);
  with.value("wait_ms", state_.wait_ms);
  with.value("starts", state_.starts);
  for (int i = 0; i < kCauses; i++) each("exits", i, state_.exits[i]);
  with.value("exits_unknown", state_.exits_unknown);
  LastExit& last = state_.last_exit;
  with.value("last_cause", last.cause);
  with.value("last_stage", last.stage);
  with.value("last_killed", last.killed);
  with.value("last_error", last.error);
  with.value("last_status", last.status);
  with.value("last_at_ms", last.at_ms);
  with.value("last_ran_ms", last.ran_ms);
  with.text("last_reason", last.reason, sizeof last.reason);

  with.value("crash_next", crash_loop_.next);
  with.value("crash_count", crash_loop_.count);
  with.value("crash_looping", crash_loop_.looping);
  for (int i = 0; i < CrashLoop::kExits; i++) each("crash_at", i, crash_loop_.at[i]);
  with.value("early_exits", early_exits_);
  with.value("oom_kills", oom_kills_);
  with.value("started", started_);
  with.value("start_at", start_at_);
  with.value("settled_at", settled_at_);

  with.value("ready", notice_.ready);
  with.value("reloading", notice_.reloading);
  with.value("says_stopping", notice_.stopping);
  with.text("says", notice_.status, sizeof notice_.status);
  with.value("watchdog_ms", watchdog_ms_);
  with.value("watchdog_at", watchdog_at_);
  with.value("watchdog_first", watchdog_first_);
  with.value("triggered", triggered_);
  with.value("notice_told", notice_told_);
  with.value("tell_notice_at", tell_notice_at_);
  with.value("extended_until", extended_until_);
  with.value("hold", hold_);
  with.value("dropped_told", dropped_told_);
  log_.exchange(with);
}

/// Not in the middle of something: what is begun is ended by the program that began it.
bool Keeper::may_renew() const {
  const Phase phase = state_.phase;
  return !want_stop_ && !want_restart_ && executed_ < 0 && rules_.attached == Attached::no && (phase == Phase::running || phase == Phase::waiting || phase == Phase::ended);
}

void Keeper::on_renew(const Renew& asked) {
  end_trial();
  Text(renew_to_, sizeof renew_to_).add(asked.program, strnlen(asked.program, sizeof asked.program));
}

/// Goes on with what was asked for, as far as that can be now.
void Keeper::renew() {
  if (!may_renew()) return end_trial();
  if (trial_passed_) return become_next();
  if (trial_ == 0) begin_trial();
}

/// Runs it in a child to see whether it can read what it is to go on with.
void Keeper::begin_trial() {
  log_.cut_lines();
  const int handover = hand_over();
  if (handover < 0) return refuse_renewal("what it knows could not be written down", errno);
  trial_ = fork();
  if (trial_ == 0) {
    pass_files_on(true);
    fcntl(handover, F_SETFD, 0);
    Arguments(renew_to_, control_.path(), log_directory_, "--try", handover).execute();
    _exit(errno == ENOENT ? 127 : 126);
  }
  const int error = errno;
  close(handover);
  if (trial_ > 0) trial_at_ = after(kTrialMs);
  else trial_ = 0, refuse_renewal("fork", error);
}

void Keeper::on_trial_end(int status) {
  trial_ = 0;
  trial_at_ = 0;
  trial_passed_ = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (trial_passed_) return;
  char what[sizeof state_.refusal];
  Text text(what, sizeof what);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) text.add("it is not there: ");
  else if (WIFEXITED(status) && WEXITSTATUS(status) == 126) text.add("it cannot be executed: ");
  else text.add("it does not take over what this one knows: ");
  refuse_renewal(text.add(renew_to_).c_str(), 0);
}

void Keeper::on_trial_overdue() {
  char what[sizeof state_.refusal];
  Text text(what, sizeof what);
  text.add("it did not answer within 2 s: ").add(renew_to_);
  end_trial();
  refuse_renewal(text.c_str(), 0);
}

/// Whatever it would have said: what was tried is not what is to be handed over any more. Its end is waited for as any child's.
void Keeper::end_trial() {
  if (trial_ != 0) kill(trial_, SIGKILL);
  trial_ = 0;
  trial_at_ = 0;
  trial_passed_ = false;
}

void Keeper::become_next() {
  char program[sizeof renew_to_];
  memcpy(program, renew_to_, sizeof program);
  log_.cut_lines();
  const int handover = hand_over();
  if (handover < 0) return refuse_renewal("what it knows could not be written down", errno);
  pass_files_on(true);
  fcntl(handover, F_SETFD, 0);
  Arguments(program, control_.path(), log_directory_, "--renewed", handover).execute();
  const int error = errno;
  pass_files_on(false);
  close(handover);
  refuse_renewal(program, error);
}

void Keeper::refuse_renewal(const char* what, int error) {
  renew_to_[0] = 0;
  trial_passed_ = false;
  Text text(state_.refusal, sizeof state_.refusal);
  text.add(what);
  if (error != 0) text.add(": ").add(strerror(error));
  send_state(Event::not_renewed);
}

int Keeper::hand_over() {
  HandoverWriter writer;
  exchange(writer);
  return writer.finish();
}

/// Whether the descriptors that the next program needs stay open in it.
void Keeper::pass_files_on(bool pass) {
  const auto set = [pass](int fd) {
    if (fd >= 0) fcntl(fd, F_SETFD, pass ? 0 : FD_CLOEXEC);
  };
  const int files[] = {control_.listener(), control_.connection(), notify_.fd(), launch_, orphan_, pipes_[0][0], pipes_[0][1], pipes_[1][0], pipes_[1][1]};
  for (const int fd : files) set(fd);
  for (int i = 0; i < socket_count_; i++) set(sockets_[i]);
}

/// False where it is not whole.
bool Keeper::take_handover(int handover) {
  const HandoverReader reader(handover);
  if (!reader.good()) return false;
  exchange(reader);
  const int needed[] = {control_.listener(), launch_, pipes_[0][0], pipes_[0][1], pipes_[1][0], pipes_[1][1]};
  for (const int fd : needed)
    if (fd < 0 || fcntl(fd, F_GETFD) < 0) return false;
  if (!read_rules(launch_, &rules_) || !may_renew()) return false;
  if (rules_.cgroup[0] == 0) Text(rules_.cgroup, sizeof rules_.cgroup).add(own_cgroup_);
  Text(state_.id, sizeof state_.id).add(rules_.id);
  Text(state_.cgroup, sizeof state_.cgroup).add(rules_.cgroup);
  state_.launch_digest = rules_.digest;
  log_.segment().set(log_directory_, rules_.segment_bytes, rules_.keep_bytes, rules_.segment_age_ms);
  // The program before knew of no tags.
  if (!log_.tagged() && log_.between_lines() && state_.app_pid != 0) log_.set_tag(rules_.log_tag, state_.app_pid);
  return true;
}

bool Keeper::try_to_resume(const char* socket, const char* log_directory, int handover) {
  log_directory_ = log_directory;
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // there are secrets in the launch
  control_.go_on_with(socket, -1, -1);
  return take_handover(handover);
}

bool Keeper::resume(const char* socket, const char* log_directory, int handover) {
  if (!try_to_resume(socket, log_directory, handover)) return false;
  close(handover);
  pass_files_on(false);
  if (!set_up_process()) return false;
  release_at_ = monotonic_ms() + 1;
  send_state(Event::renewed);
  on_children();  // those whose end was told to the program before
  return true;
}

}  // namespace berth::keeper
