#include "core/logs/record_time.h"

#include <charconv>

#include <fmt/core.h>

namespace berth::logs {
namespace {

using namespace std::chrono;

/// Takes exactly `digits` decimal digits from the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return {};
  int number = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return {};
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<sys_days> take_date(std::string_view& text) {
  const auto y = take_number(text, 4);
  if (!y || !take(text, "-")) return {};
  const auto m = take_number(text, 2);
  if (!m || !take(text, "-")) return {};
  const auto d = take_number(text, 2);
  if (!d) return {};
  const year_month_day date{year(*y), month(static_cast<unsigned>(*m)), day(static_cast<unsigned>(*d))};
  if (!date.ok() || *y < 1970 || *y > 2261) return {};
  return sys_days(date);
}

std::optional<nanoseconds> take_fraction(std::string_view& text) {
  if (!take(text, ".,")) return nanoseconds(0);
  std::int64_t value = 0;
  int digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), ++digits)
    if (digits < 9) value = value * 10 + (text.front() - '0');
  if (digits == 0) return {};
  for (; digits < 9; ++digits) value *= 10;
  return nanoseconds(value);
}

std::optional<minutes> take_offset(std::string_view& text) {
  if (take(text, "Zz")) return minutes(0);
  if (text.empty()) return {};
  const int sign = text.front() == '-' ? -1 : 1;
  if (!take(text, "+-")) return {};
  const auto h = take_number(text, 2);
  if (!h || *h > 23 || !take(text, ":")) return {};
  const auto m = take_number(text, 2);
  if (!m || *m > 59) return {};
  return sign * (hours(*h) + minutes(*m));
}

}  // namespace

std::optional<Time> parse_rfc3339(std::string_view text) {
  const auto date = take_date(text);
  if (!date || !take(text, "Tt ")) return {};
  const auto h = take_number(text, 2);
  if (!h || *h > 23 || !take(text, ":")) return {};
  const auto m = take_number(text, 2);
  if (!m || *m > 59 || !take(text, ":")) return {};
  const auto s = take_number(text, 2);
  if (!s || *s > 60) return {};  // 60: a leap second, which counts as the next minute's first
  const auto fraction = take_fraction(text);
  if (!fraction) return {};
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return {};
  return Time(*date) + hours(*h) + minutes(*m) + seconds(*s) + *fraction - *offset;
}

std::string format_rfc3339(Time time, int digits) {
  const auto date = floor<days>(time);
  const year_month_day ymd(date);
  const hh_mm_ss<nanoseconds> clock(time - date);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", int(ymd.year()), unsigned(ymd.month()), unsigned(ymd.day()),
                                 clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  if (digits > 0) text += "." + fmt::format("{:09}", clock.subseconds().count()).substr(0, static_cast<std::size_t>(digits));
  return text + "Z";
}

Result<milliseconds> parse_span(std::string_view text) {
  const auto wrong = [&] {
    return fail(Errc::usage, fmt::format("'{}' is no length of time: write a number and a unit (ms, s, m, h, d), such as 90s, 10m or 1h30m", text));
  };
  constexpr std::int64_t most = 3650LL * 86'400'000;
  std::int64_t total = 0;
  std::string_view rest = text;
  if (rest.empty()) return wrong();
  while (!rest.empty()) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc() || number < 0 || rest.front() == '-') return wrong();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    std::int64_t unit = 0;
    if (rest.starts_with("ms")) {
      unit = 1;
      rest.remove_prefix(2);
    } else if (!rest.empty()) {
      switch (rest.front()) {
        case 's': unit = 1'000; break;
        case 'm': unit = 60'000; break;
        case 'h': unit = 3'600'000; break;
        case 'd': unit = 86'400'000; break;
        default: return wrong();
      }
      rest.remove_prefix(1);
    } else {
      return wrong();
    }
    if (number > most / unit) return wrong();
    total += number * unit;
    if (total > most) return wrong();
  }
  return milliseconds(total);
}

Result<Time> parse_moment(std::string_view text, Time now) {
  if (const auto time = parse_rfc3339(text)) return *time;
  std::string_view rest = text;
  if (const auto date = take_date(rest); date && rest.empty()) return Time(*date);
  if (const auto span = parse_span(text)) return now - *span;
  return fail(Errc::usage, fmt::format("'{}' is no moment: write how long ago (90s, 10m, 2h, 7d), a time (2026-11-24T09:00:00Z) or a day (2026-11-24)",
                                       text));
}

}  // namespace berth::logs
