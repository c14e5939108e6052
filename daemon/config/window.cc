#include <algorithm>
#include <array>
#include <optional>

#include <fmt/core.h>

#include "daemon/config/values.h"

namespace berth::config {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr unsigned kEachDay = (1U << kDays.size()) - 1;
constexpr int kHour = 60, kDay = 24 * kHour;
constexpr int kShortest = 15;

std::optional<std::size_t> day_of(std::string_view name) {
  for (std::size_t day = 0; day < kDays.size(); ++day)
    if (kDays[day] == name) return day;
  return std::nullopt;
}

/// "Mon-Fri", "Sat", "Sun-Tue"; 0 for anything else.
unsigned days_of(std::string_view range) {
  const auto dash = range.find('-');
  const auto first = day_of(range.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : day_of(range.substr(dash + 1));
  if (!first || !last) return 0;
  unsigned days = 0;
  for (std::size_t day = *first;; day = (day + 1) % kDays.size()) {
    days |= 1U << day;
    if (day == *last) return days;
  }
}

unsigned all_days_of(std::string_view list) {
  unsigned days = 0;
  for (std::size_t begin = 0; begin <= list.size();) {
    const auto end = std::min(list.find(',', begin), list.size());
    const unsigned some = days_of(list.substr(begin, end - begin));
    if (some == 0) return 0;
    days |= some;
    begin = end + 1;
  }
  return days;
}

/// "02:30", to "24:00": minutes of the day.
std::optional<int> minutes_of(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t place : {0, 1, 3, 4})
    if (text[place] < '0' || text[place] > '9') return std::nullopt;
  const int hours = (text[0] - '0') * 10 + (text[1] - '0'), minutes = (text[3] - '0') * 10 + (text[4] - '0');
  if (minutes >= kHour || hours * kHour + minutes > kDay) return std::nullopt;
  return hours * kHour + minutes;
}

}  // namespace

Result<Window> parse_window(std::string_view text) {
  Window window{.text = std::string(text), .days = kEachDay};
  const auto space = text.find(' ');
  if (space != std::string_view::npos) {
    window.days = all_days_of(text.substr(0, space));
    text.remove_prefix(space + 1);
  }
  const auto dash = text.find('-');
  const auto from = minutes_of(text.substr(0, dash));
  const auto until = dash == std::string_view::npos ? std::nullopt : minutes_of(text.substr(dash + 1));
  if (window.days == 0 || !from || !until || *from == kDay)
    return fail(Errc::usage, fmt::format("'{}' is no window, such as '02:00-05:00', 'Sat,Sun 22:00-04:00' or 'Mon-Fri 01:30-03:00'", window.text));
  window.from = *from;
  window.until = *until;
  const int length = window.until > window.from ? window.until - window.from : window.until + kDay - window.from;
  if (length < kShortest) return fail(Errc::usage, fmt::format("'{}' is {} minutes long; {} at least", window.text, length, kShortest));
  return window;
}

}  // namespace berth::config
