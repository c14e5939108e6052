#include "core/spec/deploy.h"

#include <charconv>

#include <fmt/core.h>

#include "core/spec/words.h"

namespace berth::spec {

std::string_view to_string(Strategy strategy) { return kStrategies[static_cast<std::size_t>(strategy)]; }

int Share::of(int instances, bool up) const {
  if (!percent) return number;
  return (number * instances + (up ? 99 : 0)) / 100;
}

Result<Share> parse_share(std::string_view text) {
  Share share{.number = 0, .percent = text.ends_with('%')};
  const std::string_view digits = text.substr(0, text.size() - (share.percent ? 1 : 0));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), share.number);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size() && !digits.starts_with('-');
  const int most = share.percent ? 100 : kMostShared;
  if (!is_number || share.number > most)
    return fail(Errc::usage, fmt::format("'{}' is no share of instances: write a number of them, such as 1, or percents, such as \"25%\"", text));
  return share;
}

double Rate::per_second() const { return number / (unit == 'h' ? 3600.0 : unit == 'm' ? 60.0 : 1.0); }

Result<Rate> parse_rate(std::string_view text) {
  Rate rate{.number = -1};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate.number);
  const std::string_view unit(end, text.data() + text.size());
  const bool has_unit = unit == "/s" || unit == "/m" || unit == "/h";
  if (has_unit) rate.unit = unit[1];
  if (error != std::errc() || (!has_unit && !unit.empty()) || rate.number < 0 || rate.number > kMostRate)
    return fail(Errc::usage, fmt::format("'{}' is no rate: write a whole number for so many a second, or such as \"5/m\" or \"20/h\", at most {}", text, kMostRate));
  return rate;
}

std::string to_string(const Rate& rate) { return fmt::format("{}/{}", rate.number, rate.unit); }

std::string to_string(const Share& share) { return fmt::format("{}{}", share.number, share.percent ? "%" : ""); }

}  // namespace berth::spec
