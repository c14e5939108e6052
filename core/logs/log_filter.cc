#include "core/logs/log_filter.h"

#include <regex.h>

#include <algorithm>

#include <fmt/core.h>

#include "core/logs/pattern_cost.h"

namespace berth::logs {

/// The C library's engine: std::regex recurses by the length of the text, and a long line would overflow the stack.
struct Pattern::Compiled {
  regex_t engine{};
  bool valid = false;
  ~Compiled() {
    if (valid) regfree(&engine);
  }
};

Pattern Pattern::fixed(std::string text) {
  Pattern pattern;
  pattern.text_ = std::move(text);
  return pattern;
}

Result<Pattern> Pattern::regex(const std::string& expression) {
  BERTH_CHECK(check_cost(expression));
  auto compiled = std::make_shared<Compiled>();
  if (const int error = regcomp(&compiled->engine, expression.c_str(), REG_EXTENDED | REG_NOSUB); error != 0) {
    char reason[256];
    regerror(error, &compiled->engine, reason, sizeof reason);
    return fail(Errc::usage, fmt::format("regular expression '{}': {}", expression, reason));
  }
  compiled->valid = true;
  Pattern pattern;
  pattern.compiled_ = std::move(compiled);
  return pattern;
}

bool Pattern::found_in(std::string_view text) const {
  if (!compiled_) return text.find(text_) != std::string_view::npos;
  regmatch_t range{.rm_so = 0, .rm_eo = static_cast<regoff_t>(text.size())};
  return regexec(&compiled_->engine, text.data(), 0, &range, REG_STARTEND) == 0;
}

std::optional<LineSearch> Pattern::line_search() const {
  if (compiled_ || text_.empty() || text_.find('\n') != std::string::npos) return {};
  return LineSearch(text_);
}

std::optional<Level> LevelMemory::of(const Record& record) {
  const auto known = std::ranges::find_if(last_, [&](const Last& one) {
    return one.stream == record.stream && one.pid == record.pid && one.release == record.release && one.deployment == record.deployment && one.keeper == record.keeper;
  });
  if (known == last_.end()) {
    if (last_.size() == LineJoiner::kMostOpen) last_.erase(last_.begin());
    last_.push_back({record.stream, record.release, record.deployment, record.pid, record.keeper, {}});
  } else {
    std::rotate(known, known + 1, last_.end());
  }
  Last& last = last_.back();
  if (!continues_line(record.text)) last.level = level_of(record.text);
  return last.level;
}

Result<void> LogFilter::go_on() const {
  if (give_up && give_up()) return fail(Errc::cancelled, "reading the log was given up");
  return {};
}

bool LogFilter::wants(const Record& record) const {
  const auto is_of = [&record](const Run& one) { return record.pid == one.pid && record.release == one.release && record.deployment == one.deployment; };
  return (!since || record.time >= *since) && (!until || record.time < *until) && (!stream || record.stream == *stream) &&
         (!release || record.release == *release) && (!run || is_of(*run)) && (!level || (record.level && *record.level >= *level)) && !(app_only && record.keeper) &&
         (!pattern || pattern->found_in(record.text));
}

}  // namespace berth::logs
