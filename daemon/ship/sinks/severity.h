#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/logs/level.h"
#include "daemon/ship/sink.h"

namespace berth::ship {

/// "emergency", "alert", "critical", "error", "warning", "notice", "info" or "debug".
std::string_view to_string(Severity severity);

/// What a logger says of a level, by name or by number: syslog's 0 to 7 stand for themselves. `level`: what `core/logs/level.h` takes it for.
Severity severity_of(std::string_view said, logs::Level level);

/// What a line without fields says of its own level, and how many bytes at its front only say it.
struct GuessedSeverity {
  std::optional<Severity> severity;
  std::size_t prefix = 0;  ///< of "<3>", as sd-daemon(3) has it, which is no part of the text
};

/// `<3>`, or what logs::level_of finds.
GuessedSeverity guess_severity(std::string_view line);

}  // namespace berth::ship
