// What the keeper does with what its app says by sd_notify: it tells berthd, gives it time, and misses the WATCHDOG=1 that does not come.

#include <errno.h>
#include <string.h>

#include "daemon/keeper/clock.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr int64_t kBetweenTellsMs = 100;  ///< an app that talks without end does not flood berthd
constexpr int64_t kBerthdIsBusyMs = 1000; ///< until it is told again, where it does not read
constexpr int kMostMessages = 32;         ///< in a turn of the loop

}  // namespace

/// Binds the socket anew for a process that is about to start: what one before it said is forgotten.
bool Keeper::begin_notices(StartFailure* failure) {
  notice_ = Notice{};
  extended_until_ = 0;
  watchdog_at_ = watchdog_first_ = tell_notice_at_ = 0;
  triggered_ = false;
  watchdog_ms_ = rules_.watchdog_ms;
  if (rules_.notify[0] == 0) {
    notify_.close_it();
    return true;
  }
  if (!notify_.open_at(rules_.notify)) return *failure = {Stage::bind_notify, errno}, false;
  if (watchdog_ms_ > 0 && rules_.watchdog_delay_ms >= 0) watchdog_at_ = watchdog_first_ = monotonic_ms() + rules_.watchdog_delay_ms + watchdog_ms_;
  return true;
}

/// Its startup probe has passed, and it need not be waited for any longer.
void Keeper::begin_watching() {
  if (watchdog_first_ == 0 || !busy()) return;
  watchdog_first_ = 0;
  feed_watchdog();
}

void Keeper::feed_watchdog() {
  if (watchdog_ms_ == 0 || !busy() || triggered_) return;
  watchdog_at_ = monotonic_ms() + watchdog_ms_;
  if (watchdog_at_ < watchdog_first_) watchdog_at_ = watchdog_first_;  // an early one does not shorten the delay
}

void Keeper::on_notices() {
  char message[4096];
  bool tell = false;
  for (int i = 0; i < kMostMessages; i++) {
    const size_t size = notify_.receive(message, sizeof message, state_.app_pid);
    if (size == 0) break;
    const bool was_ready = notice_.ready;
    tell = take_notice(message, size, &notice_) || tell;
    if (rules_.watchdog_ms > 0 && notice_.watchdog_ms > 0 && notice_.watchdog_ms != watchdog_ms_) {
      watchdog_ms_ = notice_.watchdog_ms;
      tell = true;
    }
    if (notice_.alive || (notice_.ready && !was_ready) || (notice_.watchdog_ms > 0 && watchdog_at_ != 0)) feed_watchdog();
    if (notice_.triggered && rules_.watchdog_ms > 0) {
      triggered_ = true;
      watchdog_at_ = monotonic_ms();
    }
    if (notice_.extend_ms > 0) {
      const int64_t until = monotonic_ms() + notice_.extend_ms;
      if (until > extended_until_) extended_until_ = until;
      // Also the grace in which it is to stop.
      if (kill_at_ != 0 && !killing_ && until > kill_at_) kill_at_ = until;
    }
  }
  if (!tell || tell_notice_at_ != 0) return;
  const int64_t now = monotonic_ms();
  if (now - notice_told_ >= kBetweenTellsMs) tell_notice();
  else tell_notice_at_ = notice_told_ + kBetweenTellsMs;
}

/// It said nothing for longer than it may.
void Keeper::on_silence() {
  if (!busy() || want_restart_ || want_stop_) return;
  char reason[sizeof state_.last_exit.reason];
  Text text(reason, sizeof reason);
  if (triggered_) text.add("liveness probe failed: it said WATCHDOG=trigger");
  else text.add("liveness probe failed: no WATCHDOG=1 for ").number(static_cast<uint64_t>(watchdog_ms_)).add("ms");
  request_restart(true, reason);
}

void Keeper::tell_notice() {
  Notified told{};
  told.header = {Type::notified, kProtocolVersion, kNotifiedSize};
  told.ready = notice_.ready;
  told.reloading = notice_.reloading;
  told.stopping = notice_.stopping;
  told.app_pid = state_.app_pid;
  notice_told_ = monotonic_ms();
  told.extend_ms = extended_until_ > notice_told_ ? extended_until_ - notice_told_ : 0;
  told.refused = notify_.refused();
  told.watchdog_ms = watchdog_ms_ != rules_.watchdog_ms ? watchdog_ms_ : 0;
  memcpy(told.status, notice_.status, sizeof told.status);
  tell_notice_at_ = 0;
  if (!control_.try_send(&told, kNotifiedSize)) tell_notice_at_ = notice_told_ + kBerthdIsBusyMs;
}

}  // namespace berth::keeper
