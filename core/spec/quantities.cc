#include "core/spec/quantities.h"

#include <charconv>

#include <fmt/core.h>

#include "core/spec/app_spec.h"

namespace berth::spec {
namespace {

constexpr std::int64_t kLongestDuration = 24LL * 3600 * 1000;  // milliseconds
constexpr std::uint64_t kLargest = 1'000'000'000'000;  // bytes

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr Unit kTimes[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};
constexpr Unit kSizes[] = {{"B", 1},          {"KB", 1'000},     {"MB", 1'000'000}, {"GB", 1'000'000'000},
                           {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}};

/// A whole number and one of `units`, at most `most` in all; 0 and false where it is not so.
template <std::size_t N>
bool read(std::string_view text, const Unit (&units)[N], std::uint64_t most, std::uint64_t& out) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (name != unit.name) continue;
    if (number > most / unit.factor) return false;
    out = number * unit.factor;
    return true;
  }
  return false;
}

}  // namespace

Result<milliseconds> parse_duration(std::string_view text) {
  std::uint64_t count = 0;
  if (!read(text, kTimes, kLongestDuration, count))
    return fail(Errc::usage,
                fmt::format("'{}' is no duration: write a whole number and its unit, such as 500ms, 10s, 5m or 1h, at most 24h", text));
  return milliseconds(static_cast<std::int64_t>(count));
}

std::string to_string(milliseconds duration) {
  const auto count = duration.count();
  if (count == 0) return "0s";
  for (const Unit& unit : kTimes) {
    const auto factor = static_cast<std::int64_t>(unit.factor);
    if (count % factor == 0) return fmt::format("{}{}", count / factor, unit.name);
  }
  return fmt::format("{}ms", count);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t bytes = 0;
  if (!read(text, kSizes, kLargest, bytes))
    return fail(Errc::usage,
                fmt::format("'{}' is no size: write a whole number and its unit, such as 512KB, 10MB, 10MiB or 1GB, at most 1000GB", text));
  return bytes;
}

}  // namespace berth::spec
