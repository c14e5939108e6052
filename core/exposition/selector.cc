#include "core/exposition/selector.h"

#include <fmt/core.h>

#include "core/exposition/series.h"

namespace berth::exposition {

Result<Selector> parse_selector(std::string_view text) {
  const auto wrong = [text](std::string_view what) {
    return fail(Errc::usage, fmt::format("'{}' names no counter: {}; write http_errors_total or http_requests_total{{code=\"500\"}}", text, what));
  };
  if (text.size() > kLongestSeries) return wrong("it is too long");
  std::string_view rest = text;
  auto series = take_series(rest);
  if (!series) return wrong(series.error().message);
  if (!rest.empty()) return wrong(fmt::format("expected nothing more at byte {}", text.size() - rest.size()));
  return Selector{.name = std::string(series->name), .labels = std::move(series->labels)};
}

}  // namespace berth::exposition
