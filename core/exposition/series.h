#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::exposition {

inline constexpr std::size_t kMostLabels = 64;         ///< of one series
inline constexpr std::size_t kLongestSeries = 16u << 10;  ///< bytes of a name with its labels

/// A name with its labels, at the head of `text`; `text` is left with what follows them. In what is asked for, `=` alone compares. Fails with
/// `Errc::protocol`: "expected a label's name at byte 12".
struct Series {
  std::string_view name;  ///< points into what was read
  std::map<std::string, std::string> labels;
};
Result<Series> take_series(std::string_view& text);

/// The name at the head of `text`; empty where there is none.
std::string_view name_at(std::string_view text);

/// Without the spaces and tabs at its head.
std::string_view without_spaces(std::string_view text);

/// The word at the head of `text`, which is left with what follows it.
std::string_view take_word(std::string_view& text);

/// A value or a timestamp; NaN and the infinities are numbers. Empty where it is none, or beyond what a double can be.
std::optional<double> number_of(std::string_view word);

}  // namespace berth::exposition
