#include "core/logs/pattern_cost.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <vector>

#include <fmt/core.h>

namespace berth::logs {
namespace {

constexpr std::uint64_t kMost = 2000;  ///< states that an expression may have, its bounds multiplied out
constexpr std::size_t kDeepest = 100;  ///< groups in groups: the engine reads them by recursion

/// Behind the "]" of a bracket expression that begins at `at`; the end where there is none.
std::size_t behind_bracket(std::string_view text, std::size_t at) {
  std::size_t i = at + 1;
  if (i < text.size() && text[i] == '^') ++i;
  if (i < text.size() && text[i] == ']') ++i;
  while (i < text.size() && text[i] != ']') {
    const bool has_inner = text[i] == '[' && i + 1 < text.size() && (text[i + 1] == ':' || text[i + 1] == '.' || text[i + 1] == '=');
    const auto inner = has_inner ? text.find(std::string{text[i + 1], ']'}, i + 2) : std::string_view::npos;
    i = inner == std::string_view::npos ? i + 1 : inner + 2;
  }
  return std::min(i + 1, text.size());
}

/// How often a bound repeats what is before it: {3}, {3,}, {3,7}, {,7}; 0 where it is none. `at` is moved behind it.
std::uint64_t repeats(std::string_view text, std::size_t& at) {
  const auto end = text.find('}', at);
  if (end == std::string_view::npos) return 0;
  std::uint64_t most = 1, number = 0;
  for (const char* next = text.data() + at + 1; next < text.data() + end;) {
    const auto [behind, error] = std::from_chars(next, text.data() + end, number);
    if (error == std::errc::result_out_of_range) number = kMost + 1;
    else if (error != std::errc() && *next != ',') return 0;
    most = std::max(most, number);
    next = behind < text.data() + end ? behind + 1 : behind;
  }
  at = end + 1;
  return most;
}

}  // namespace

Result<void> check_cost(std::string_view expression) {
  struct Group {
    std::uint64_t all = 1, last = 0;  ///< states; of the last thing in it that a bound can repeat
  };
  std::vector<Group> open(1);
  const auto add = [&open](std::uint64_t states) {
    open.back().all = std::min(open.back().all + states, kMost + 1);
    open.back().last = states;
  };
  for (std::size_t at = 0; at < expression.size();) {
    const char letter = expression[at];
    if (letter == '\\' && at + 1 < expression.size()) {
      if (expression[at + 1] >= '1' && expression[at + 1] <= '9')
        return fail(Errc::usage, fmt::format("regular expression '{}': it refers back to a group (\\{}), which may take for ever to match", expression, expression[at + 1]));
      add(1);
      at += 2;
    } else if (letter == '[') {
      add(1);
      at = behind_bracket(expression, at);
    } else if (letter == '(') {
      if (open.size() > kDeepest) return fail(Errc::usage, fmt::format("regular expression of {} bytes: more than {} groups are in one another", expression.size(), kDeepest));
      open.emplace_back();
      ++at;
    } else if (letter == ')' && open.size() > 1) {
      const std::uint64_t states = open.back().all;
      open.pop_back();
      add(states);
      ++at;
    } else if (const std::uint64_t times = letter == '{' ? repeats(expression, at) : 0; times > 0) {
      const std::uint64_t once = open.back().last;
      add(std::min(once * (std::min(times, kMost + 1) - 1), kMost + 1));
      open.back().last += once;
    } else {
      add(1);
      ++at;
    }
    if (open.back().all > kMost)
      return fail(Errc::usage, fmt::format("regular expression '{}': it is too costly: with its bounds ({{…}}) multiplied out it has more than {} places", expression, kMost));
  }
  return {};
}

}  // namespace berth::logs
