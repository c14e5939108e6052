#include "daemon/deploy/log_count.h"

#include <string_view>
#include <utility>

namespace berth::deploy {
namespace {

constexpr std::size_t kMostMatched = 16u << 10;
constexpr int kMostLines = 200'000;

}  // namespace

LogCount::LogCount(std::filesystem::path logs, std::string app, const std::string& pattern, logs::Time from, std::optional<logs::Time> until)
    : logs_(std::move(logs)), app_(std::move(app)), pattern_(logs::Pattern::regex(pattern)), from_(from), until_(until) {}

Result<std::int64_t> LogCount::more() {
  if (!pattern_) return std::unexpected(pattern_.error());
  if (!reader_) {
    auto opened = logs::LogReader::open(logs_, {.selector = {.app = app_}, .filter = {.since = from_, .until = until_}, .last = {}, .follow = !until_});
    if (!opened && opened.error().code == Errc::not_found) return 0;
    if (!opened) return std::unexpected(opened.error());
    reader_.emplace(std::move(*opened));
  } else {
    BERTH_CHECK(reader_->wake());
  }
  std::int64_t found = 0;
  for (int lines = 0; lines < kMostLines; ++lines) {
    BERTH_TRY(const auto record, reader_->next());
    if (!record) break;
    // Where the engine stops is its own affair: a part of a text ends with it, as the whole one does.
    found += pattern_->found_in(std::string_view(record->text).substr(0, kMostMatched));
  }
  return found;
}

}  // namespace berth::deploy
