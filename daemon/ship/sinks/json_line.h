#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/logs/record_time.h"
#include "daemon/ship/sink.h"

namespace berth::ship {

/// What a line of JSON says in the fields that loggers agree on.
struct JsonLine {
  std::optional<Severity> severity;  ///< `level`, `severity`, `lvl`, …, as logs::level_in_json finds it
  std::optional<logs::Time> time;    ///< `time`, `timestamp`, `ts`, …; RFC 3339, or seconds to nanoseconds since 1970
  std::optional<std::string> text;   ///< `msg`, `message`, …, with the other fields after it as `key=value`; empty without such a field
};

/// Empty where the line is no object of JSON.
std::optional<JsonLine> read_json_line(std::string_view line);

}  // namespace berth::ship
