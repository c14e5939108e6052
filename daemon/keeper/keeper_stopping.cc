// How the keeper ends its app: asked first, with a grace, then by force; and what it does when nothing of it is left for good.

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/keeper/clock.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/processes.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr int64_t kKillAgainMs = 50;  ///< for what is forked while everything is being killed

}  // namespace

/// Asks what the main process left behind to stop; it has until the grace is over. Nothing happens where nothing is left. All are asked at once: a shell
/// that ends by this does not tell what it runs.
void Keeper::clear_leftovers() {
  signal_descendants(rules_.stop_signal);
  signal_the_strangers(rules_.stop_signal);
  if (kill_at_ == 0) kill_at_ = after(rules_.grace_ms);
}

void Keeper::signal_main(int signal) {
  // The pid of a child stays its own until this process has waited for it; that of any other may be somebody else's by now.
  if (orphan_ >= 0) syscall(SYS_pidfd_send_signal, orphan_, signal, nullptr, 0);
  else if (state_.app_pid != 0) kill(state_.app_pid, signal);
}

void Keeper::stop_main() {
  signal_main(rules_.stop_signal);
  if (rules_.stop_signal != SIGKILL) signal_main(SIGCONT);  // a stopped process could not act on it
}

void Keeper::request_stop(int64_t grace_ms) {
  const bool again = want_stop_;
  want_stop_ = true;
  end_trial();
  start_at_ = 0;
  const int64_t now = monotonic_ms();
  if (asked_at_ == 0 && state_.app_pid != 0) asked_at_ = now;
  int64_t kill_at = now + 1 + (grace_ms >= 0 ? grace_ms : rules_.grace_ms);
  if (busy() && kill_at < extended_until_) kill_at = extended_until_;
  if (kill_at_ == 0 || kill_at < kill_at_) kill_at_ = kill_at;
  const bool clearing = state_.phase == Phase::clearing;
  state_.phase = Phase::stopping;
  if (!again) {
    send_state(Event::stopping);
    if (!clearing) stop_main();
  }
  on_children();  // there may be none
}

void Keeper::request_restart(bool liveness, const char* reason) {
  if (want_stop_ || state_.phase == Phase::blank) return;
  Text(state_.last_exit.reason, sizeof state_.last_exit.reason).add(reason);
  if (state_.phase == Phase::waiting || state_.phase == Phase::ended) {
    early_exits_ = 0;
    return start_app();
  }
  restart_is_liveness_ = liveness;
  if (want_restart_) return;
  want_restart_ = true;
  end_trial();
  if (!busy()) return;
  const int64_t now = monotonic_ms();
  if (state_.app_pid != 0) asked_at_ = now;
  kill_at_ = now + 1 + rules_.grace_ms;
  if (kill_at_ < extended_until_ && !liveness) kill_at_ = extended_until_;
  stop_main();
}

void Keeper::kill_everything() {
  killing_ = true;
  kill_cgroup(rules_.cgroup);
  signal_children(SIGKILL);
  if (orphan_ >= 0) signal_main(SIGKILL);
  signal_the_strangers(SIGKILL);
  kill_at_ = monotonic_ms() + kKillAgainMs;
}

/// A socket that nobody holds leaves its SO_REUSEPORT group, and the others change places: whoever directs connections by place has to know first.
void Keeper::on_stopped() {
  const bool holds = hold_ && socket_count_ > 0;
  state_.phase = holds ? Phase::holding : Phase::ended;
  remove_app_file(control_.path());
  send_state(Event::gone);
  if (!holds) leave();
}

void Keeper::leave() {
  control_.close_all();
  done_ = true;
}

}  // namespace berth::keeper
