#include "cli/log_lines.h"

#include <cstdio>
#include <utility>

#include <fmt/core.h>

#include "cli/output/table.h"
#include "cli/output/text.h"
#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

constexpr std::size_t kMostHeld = 1u << 20;  ///< bytes

}  // namespace

void LogLines::add(logs::Record record, const InstanceId& id) {
  if (release_.empty()) release_ = record.release;
  const bool another = !record.release.empty() && record.release != release_;
  const std::size_t bytes = record.text.size() + sizeof(Line);
  Line line{.record = std::move(record), .instance = fmt::format("{}.{}", id.process, id.number)};
  several_ = several_ || another;
  if (several_ || held_bytes_ + bytes > kMostHeld) flush();
  if (!holds_) {
    write(line);
    return;
  }
  held_bytes_ += bytes;
  held_.push_back(std::move(line));
}

void LogLines::flush() {
  for (const Line& line : held_) write(line);
  held_.clear();
  holds_ = false;
}

void LogLines::write(const Line& line) const {
  const logs::Record& record = line.record;
  std::string head = fmt::format("{} {}", logs::format_rfc3339(record.time), line.instance);
  if (several_ && !record.release.empty()) head += "@" + printable(record.release);
  std::string text = console_.terminal || console_.colour ? printable(record.text) : record.text;
  if (record.stream == logs::Stream::err) text = tinted(text, Tint::warning, console_.colour);
  const std::string whole = tinted_by_number(head, static_cast<std::size_t>(record.source), console_.colour) + "  " + text + "\n";
  console_.write(whole);
}

}  // namespace berth::cli
