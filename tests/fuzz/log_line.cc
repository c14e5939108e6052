// Lines of a log: as keepers write them, as apps say their level in them, and a text that is looked for in them. The first line is the text, the rest the log.

#include <algorithm>
#include <string>
#include <vector>

#include "core/logs/cri_line.h"
#include "core/logs/level.h"
#include "core/logs/line_search.h"
#include "tests/fuzz/fuzz.h"

using namespace berth;

namespace {

void check_lines(std::string_view log) {
  logs::LineJoiner joiner;
  std::size_t given = 0, taken = 0;
  while (!log.empty()) {
    const std::string_view line = log.substr(0, log.find('\n'));
    log.remove_prefix(std::min(log.size(), line.size() + 1));
    static_cast<void>(logs::level_of(line));
    static_cast<void>(logs::continues_line(line));
    const auto parsed = logs::parse_cri_line(line);
    if (!parsed) continue;
    static_cast<void>(logs::level_of(parsed->text));
    given += parsed->text.size();
    for (auto record = joiner.add(*parsed, 1); record; record = joiner.more()) taken += record->text.size();
  }
  while (const auto record = joiner.flush()) taken += record->text.size();
  fuzz::must(given == taken, "a joiner loses or makes text");
}

/// The fast search rules out no line that has the text, and counts all of them.
void check_search(const std::string& text, std::string_view log) {
  if (text.empty()) return;
  const std::string whole = std::string(log) + "\n";
  std::vector<logs::SearchedLine> found;
  const std::uint64_t count = logs::LineSearch(text).search(whole, found);
  fuzz::must(count == static_cast<std::uint64_t>(std::ranges::count(whole, '\n')), "lines are counted wrongly");
  std::size_t begin = 0;
  std::uint64_t number = 0;
  for (std::size_t end; begin < whole.size(); begin = end + 1, ++number) {
    end = whole.find('\n', begin);
    if (std::string_view(whole).substr(begin, end - begin).find(text) == std::string_view::npos) continue;
    const bool is_there = std::ranges::any_of(found, [&](const logs::SearchedLine& one) { return one.offset == begin && one.before == number; });
    fuzz::must(is_there, "a line with the text is passed over");
  }
  fuzz::must(logs::TextFinder(text).find(whole) == whole.find(text), "the text is found somewhere else");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::text_of(data, size);
  const std::string_view text = input.substr(0, input.find('\n'));
  const std::string_view log = input.substr(std::min(input.size(), text.size() + 1));
  check_lines(log);
  check_search(std::string(text), log);
  return 0;
}
