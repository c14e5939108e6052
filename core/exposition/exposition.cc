#include "core/exposition/exposition.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "core/exposition/series.h"

namespace berth::exposition {
namespace {

/// A value, a timestamp where there is one, and an exemplar behind '#'.
Result<double> read_value(std::string_view rest) {
  const std::string_view word = take_word(rest);
  const auto value = number_of(word);
  if (!value) return fail(Errc::protocol, "its value is no number");
  if (!std::isfinite(*value) || *value < 0) return fail(Errc::protocol, fmt::format("its value is {}, and a counter is 0 or more", word.substr(0, 40)));
  const std::string_view next = take_word(rest);
  if (next.empty() || next.starts_with('#')) return *value;
  if (!number_of(next)) return fail(Errc::protocol, "behind its value is no timestamp");
  const std::string_view last = take_word(rest);
  if (!last.empty() && !last.starts_with('#')) return fail(Errc::protocol, "something is behind its timestamp");
  return *value;
}

bool means(const Selector& selector, const Series& series) {
  return std::ranges::all_of(selector.labels, [&](const auto& wanted) {
    const auto found = series.labels.find(wanted.first);
    // As in Prometheus, a label that is not there is empty.
    return found == series.labels.end() ? wanted.second.empty() : found->second == wanted.second;
  });
}

}  // namespace

Result<Sum> sum_of(std::string_view page, const Selector& selector) {
  Sum sum;
  std::size_t number = 0;
  const auto wrong = [&](const Error& error) { return fail(Errc::protocol, fmt::format("line {} of its metrics, {}: {}", number, selector.name, error.message)); };
  while (!page.empty()) {
    ++number;
    std::string_view line = page.substr(0, page.find('\n'));
    page.remove_prefix(std::min(page.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = without_spaces(line);
    if (name_at(line) != selector.name) continue;
    const auto series = take_series(line);
    if (!series) return wrong(series.error());
    sum.named = true;
    if (!means(selector, *series)) continue;
    const auto value = read_value(line);
    if (!value) return wrong(value.error());
    sum.value += *value;
    ++sum.series;
  }
  if (!std::isfinite(sum.value)) return fail(Errc::protocol, fmt::format("the sum of {} is beyond all numbers", selector.name));
  return sum;
}

}  // namespace berth::exposition
