#include "daemon/fetch/retry.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

namespace berth::fetch {

using std::chrono::milliseconds;

bool is_passing(const Error& error) {
  return error.code == Errc::unreachable || error.code == Errc::timeout || error.code == Errc::refused;
}

Result<void> sleep_unless_stopped(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
  if (stop.stop_requested()) return fail(Errc::cancelled, "fetching was cancelled");
  return {};
}

milliseconds retry_wait(const Retries& retries, int failures) {
  const int doublings = std::clamp(failures - 1, 0, 20);
  const auto longest = std::min(retries.first_wait * (1 << doublings), retries.longest_wait);
  thread_local std::minstd_rand chance(std::random_device{}());
  const auto half = longest.count() / 2;
  return milliseconds(half + std::uniform_int_distribution<long>(0, half)(chance));
}

Result<void> wait_before_retry(const Retries& retries, int failures, const std::stop_token& stop) {
  return sleep_unless_stopped(retry_wait(retries, failures), stop);
}

}  // namespace berth::fetch
