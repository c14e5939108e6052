#include "core/logs/record_json.h"

#include <charconv>
#include <optional>

#include "core/utf8.h"

namespace berth::logs {
namespace {

constexpr std::size_t kMostTold = 8u << 20;  ///< a record of the longest, all of it escaped

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

Result<Told> told_record(std::string_view line) {
  BERTH_TRY(const json::value value, json::parse(line, {.most_bytes = kMostTold}, true));
  json::ObjectReader reader(value, "a line of a log", Errc::protocol);
  Told told;
  const auto time = parse_rfc3339(reader.string("time"));
  if (!time) reader.complain("'time' is no time");
  else told.record.time = *time;
  const auto selector = parse_selector(reader.string("instance"));
  if (selector && selector->process) told.id = {.app = selector->app, .process = *selector->process, .number = selector->number.value_or(1), .release = selector->release.value_or("")};
  else reader.complain("'instance' is none");
  told.record.stream = reader.string("stream") == "stderr" ? Stream::err : Stream::out;
  told.record.sequence = static_cast<std::uint64_t>(reader.integer("sequence", 0));
  told.record.release = reader.string_or("release", "");
  if (const auto number = reader.integer_or("deployment", -1, 0); number >= 0) told.record.deployment = std::to_string(number);
  if (const auto number = reader.integer_or("pid", -1, 0); number >= 0) told.record.pid = std::to_string(number);
  if (const auto level = parse_level(reader.string_or("level", ""))) told.record.level = *level;
  told.record.keeper = reader.boolean_or("keeper", false);
  told.record.cut = reader.boolean_or("cut", false);
  told.record.text = reader.string("text");
  if (auto right = reader.done(true); !right) return std::unexpected(right.error());
  return told;
}

}  // namespace berth::logs
