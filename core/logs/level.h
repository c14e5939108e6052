#pragma once

#include <optional>
#include <string_view>

#include "core/result.h"

namespace berth::logs {

/// How bad what a line tells is, as its app says.
enum class Level { trace, debug, info, notice, warning, error, critical };

std::string_view to_string(Level level);

/// `debug`, `warn`, `ERROR`, `fatal`, …: what loggers call them, in any case. Empty for other words.
std::optional<Level> level_named(std::string_view word);
/// The same for an option; `Errc::usage` lists the names.
Result<Level> parse_level(std::string_view word);

/// The level that a line gives itself: a JSON object's `level`, `severity`, … (words, the numbers of bunyan and of syslog), `level=` of logfmt, `<3>`, `E1124 09:00:00`,
/// a word such as `ERROR` or `[warn]` near its beginning, `error: …`, `SomeError: …`. Empty where it gives none.
std::optional<Level> level_of(std::string_view text);

/// Where the level stands in a line that is a JSON object.
struct JsonLevel {
  std::string_view key;   ///< as it stands there
  std::string_view said;  ///< the word or the number, without quotes
  Level level{};
};

/// The level of a JSON object, from the first of its own keys that loggers use for it; what is in objects in it is passed over. `level_of` takes the same one.
std::optional<JsonLevel> level_in_json(std::string_view text);

/// Whether a line goes on with what the one before began, as those of a stack trace do.
bool continues_line(std::string_view text);

}  // namespace berth::logs
