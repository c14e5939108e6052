#include "daemon/follow/windows.h"

#include <algorithm>
#include <ctime>

namespace berth::follow {
namespace {

constexpr int kHour = 60, kDay = 24 * kHour, kDays = 7, kWeek = kDays * kDay;

}  // namespace

int minutes_until_open(const std::vector<config::Window>& windows, int minute_of_week) {
  if (windows.empty()) return 0;
  int least = kWeek;
  for (const config::Window& window : windows) {
    const int length = window.until > window.from ? window.until - window.from : window.until + kDay - window.from;
    for (int day = 0; day < kDays; ++day) {
      if ((window.days >> day & 1U) == 0) continue;
      const int until = (day * kDay + window.from - minute_of_week + kWeek) % kWeek;  // to its next beginning
      if (until == 0 || kWeek - until < length) return 0;                            // or the last one is not over
      least = std::min(least, until);
    }
  }
  return least;
}

int minute_of_week(std::chrono::system_clock::time_point at) {
  ::tzset();  // the time zone may have been changed
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return (local.tm_wday + kDays - 1) % kDays * kDay + local.tm_hour * kHour + local.tm_min;
}

}  // namespace berth::follow
