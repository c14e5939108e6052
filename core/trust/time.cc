#include "core/trust/time.h"

#include <algorithm>
#include <cctype>

#include <fmt/core.h>

namespace berth::trust {
namespace {

namespace chrono = std::chrono;

constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:ddZ";

bool has_shape(std::string_view text) {
  return std::ranges::equal(text, kShape, [](char c, char shape) { return shape == 'd' ? '0' <= c && c <= '9' : c == shape; });
}

int number(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

}  // namespace

std::string to_string(WallTime time) {
  const auto second = chrono::floor<chrono::seconds>(time);
  const auto day = chrono::floor<chrono::days>(second);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss clock(second - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

Result<WallTime> parse_time(std::string_view text) {
  const auto wrong = [&] { return fail(Errc::trust, fmt::format("'{}' is not a time such as 2031-05-17T08:00:00Z", text)); };
  if (!has_shape(text)) return wrong();
  const chrono::year_month_day date(chrono::year(number(text.substr(0, 4))), chrono::month(number(text.substr(5, 2))),
                                    chrono::day(number(text.substr(8, 2))));
  const int hour = number(text.substr(11, 2));
  const int minute = number(text.substr(14, 2));
  const int second = number(text.substr(17, 2));
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return wrong();

  const auto since_epoch = chrono::sys_days(date).time_since_epoch() + chrono::hours(hour) + chrono::minutes(minute) + chrono::seconds(second);
  // system_clock counts nanoseconds in 64 bits, which end in 2262: a later expiry is as good as that end.
  const auto last = chrono::floor<chrono::seconds>(WallTime::max().time_since_epoch());
  const auto first = chrono::ceil<chrono::seconds>(WallTime::min().time_since_epoch());
  return WallTime(chrono::duration_cast<WallTime::duration>(std::clamp<chrono::seconds>(since_epoch, first, last)));
}

}  // namespace berth::trust
