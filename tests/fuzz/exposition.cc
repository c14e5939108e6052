// What an app says at its metrics endpoint, and what a spec asks of it: the first line is the query, the rest the page.

#include <algorithm>
#include <cmath>
#include <string>

#include "core/exposition/exposition.h"
#include "core/exposition/merge.h"
#include "tests/fuzz/fuzz.h"

using namespace berth;

namespace {

/// What is served of a page is a page: read again, it has as many samples.
void check_merging(std::string_view page) {
  exposition::Merger merger;
  const auto added = merger.add(page, {{"app", "web"}, {"number", "1"}});
  const std::string text = merger.text();
  if (!added) return fuzz::must(text.empty(), "a part of a page that was refused");
  exposition::Merger again;
  const auto read = again.add(text, {{"node", "edge"}});
  fuzz::must(read && *read == *added, "what is served is not read as it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const std::string_view query = text.substr(0, text.find('\n'));
  const std::string_view page = text.substr(std::min(text.size(), query.size() + 1));
  check_merging(page);
  const auto selector = exposition::parse_selector(query);
  if (!selector) return 0;
  fuzz::must(query.starts_with(selector->name), "a name that was not asked for");
  const auto sum = exposition::sum_of(page, *selector);
  if (!sum) return 0;
  fuzz::must(sum->value >= 0 && std::isfinite(sum->value), "a counter is a number that is not below 0");
  fuzz::must(sum->named || sum->series == 0, "series of a name that is not there");
  const auto all = exposition::sum_of(page, exposition::Selector{.name = selector->name, .labels = {}});
  if (all) fuzz::must(all->series >= sum->series && all->value >= sum->value, "fewer labels mean fewer series");
  // A page is read line by line: what stands in front of it changes nothing.
  const auto again = exposition::sum_of("# a comment\n" + std::string(page), *selector);
  fuzz::must(again && again->value == sum->value && again->series == sum->series, "a comment counts");
  return 0;
}
