#include "core/logs/record_json.h"

#include <charconv>
#include <optional>

#include "core/utf8.h"

namespace berth::logs {
namespace {

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

}  // namespace

json::object to_json(const Record& record, const InstanceId& id) {
  json::object line{{"time", format_rfc3339(record.time, 9)}, {"app", id.app}, {"process", id.process}, {"instance", to_string(id)},
                    {"stream", to_string(record.stream)}, {"sequence", record.sequence}};
  if (!record.release.empty()) line["release"] = record.release;
  if (const auto number = whole_number(record.deployment)) line["deployment"] = *number;
  if (const auto number = whole_number(record.pid)) line["pid"] = *number;
  if (const auto level = record.level ? record.level : level_of(record.text)) line["level"] = to_string(*level);
  if (record.keeper) line["keeper"] = true;
  if (record.cut) line["cut"] = true;
  line["text"] = as_utf8(record.text);
  return line;
}

}  // namespace berth::logs
