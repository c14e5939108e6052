#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "daemon/ship/sink.h"

namespace berth::ship {

/// "emergency", "alert", "critical", "error", "warning", "notice", "info" or "debug".
std::string_view to_string(Severity severity);

/// What a logger calls a level, in any case: "WARN", "err", "Information", "fatal", "trace".
std::optional<Severity> severity_named(std::string_view name);

/// What a line without fields says of its own level, and how many bytes at its front only say it.
struct GuessedSeverity {
  std::optional<Severity> severity;
  std::size_t prefix = 0;  ///< of "<3>", as sd-daemon(3) has it, which is no part of the text
};

/// Looks at the front of a line: `<3>`; `level=error`; glog's `E0610 `; a word in brackets, or before a colon at the beginning; a word in capitals among the first.
GuessedSeverity guess_severity(std::string_view line);

}  // namespace berth::ship
