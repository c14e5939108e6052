#include "daemon/ship/sinks/json_line.h"

#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "core/json/json.h"
#include "core/logs/level.h"
#include "daemon/ship/sinks/line_text.h"
#include "daemon/ship/sinks/severity.h"

namespace berth::ship {
namespace {

constexpr json::Limits kLineLimits{.most_bytes = 1u << 20, .most_depth = 32};

/// The first of `names` that is there, and which one.
const json::value* first_of(const json::object& line, std::initializer_list<std::string_view> names, std::string_view& which) {
  for (const std::string_view name : names) {
    const json::value* found = line.if_contains(name);
    if (found == nullptr) continue;
    which = name;
    return found;
  }
  return nullptr;
}

/// Its unit is told by its size: from 1973 to 2128 each has a range of its own.
std::optional<logs::Time> time_of_number(double number) {
  std::int64_t nanoseconds_each = 1'000'000'000;
  for (double lowest = 1e8; nanoseconds_each >= 1; lowest *= 1e3, nanoseconds_each /= 1000) {
    if (number < lowest || number >= lowest * 50) continue;
    const double whole = std::floor(number);
    const auto rest = static_cast<std::int64_t>((number - whole) * static_cast<double>(nanoseconds_each));
    return logs::Time(std::chrono::nanoseconds(static_cast<std::int64_t>(whole) * nanoseconds_each + rest));
  }
  return {};
}

std::optional<logs::Time> time_in(const json::value& said) {
  if (const auto* text = said.if_string()) return logs::parse_rfc3339({text->data(), text->size()});
  if (const auto* number = said.if_double()) return time_of_number(*number);
  const auto* number = said.if_int64();
  if (number == nullptr) return {};
  if (*number >= 100'000'000'000'000'000) return logs::Time(std::chrono::nanoseconds(*number));  // a double would not hold it
  return time_of_number(static_cast<double>(*number));
}

/// As logfmt has it: what has no space in it stands as it is.
void append_field(std::string& out, std::string_view key, const json::value& field) {
  out += ' ';
  out += key;
  out += '=';
  const auto* text = field.if_string();
  const std::string_view plain = text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
  const bool needs_quotes = plain.empty() || plain.find_first_of(" =\"\\\t\r\n") != std::string_view::npos;
  if (text == nullptr) out += json::text(field);
  else if (needs_quotes) json::append_quoted(out, plain);
  else out += plain;
}

}  // namespace

std::optional<JsonLine> read_json_line(std::string_view line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\t')) line.remove_suffix(1);
  if (!line.starts_with('{') || !line.ends_with('}')) return {};
  const auto parsed = json::parse(line, kLineLimits, true);
  if (!parsed) return {};
  const json::object& fields = parsed->as_object();
  JsonLine read;
  std::string_view time_key, text_key;
  const auto level = logs::level_in_json(line);
  if (level) read.severity = severity_of(level->said, level->level);
  const json::value* time = first_of(fields, {"time", "timestamp", "ts", "@timestamp", "datetime", "@t"}, time_key);
  if (time != nullptr) read.time = time_in(*time);
  const json::value* message = first_of(fields, {"msg", "message", "@m"}, text_key);
  if (message == nullptr || !message->is_string()) return read;
  read.text = std::string(message->as_string());
  for (const auto& field : fields) {
    const std::string_view key(field.key().data(), field.key().size());
    const bool is_used = key == text_key || (level && key == level->key) || (read.time && key == time_key);
    if (!is_used) append_field(*read.text, key, field.value());
  }
  return read;
}

}  // namespace berth::ship
