// A one-off command, whose client has its stdin, stdout and stderr: it gets the client's signals, does not outlive it, and the client is told how it ended.

#include <signal.h>
#include <sys/wait.h>

#include "daemon/keeper/clock.h"
#include "daemon/keeper/keeper.h"

namespace berth::keeper {

void Keeper::on_client() {
  const int number = client_.hear();
  if (number > 0 && state_.app_pid != 0 && kill(-state_.app_pid, number) != 0) kill(state_.app_pid, number);  // it may not lead its group yet
  if (number >= 0) return;
  client_left_ = true;
  if (state_.app_pid == 0) return;  // what it left behind is being stopped
  const int64_t now = monotonic_ms();
  if (asked_at_ == 0) asked_at_ = now;
  stop_main();
  if (kill_at_ == 0) kill_at_ = now + 1 + rules_.grace_ms;
}

/// Once nothing of the command is left. One that could not be begun is berthd's to tell, which says more of it.
void Keeper::tell_client() {
  const LastExit& last = state_.last_exit;
  if (last.cause == Cause::not_started) return client_.close_connection();
  const int exit = WIFSIGNALED(last.status) ? 128 + WTERMSIG(last.status) : WEXITSTATUS(last.status);
  const char* message = last.cause == Cause::oom ? "the kernel killed it for its memory" : last.cause == Cause::stopped ? "berthd stopped it" : "";
  client_.tell(exit, message);
}

}  // namespace berth::keeper
