#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::run {

/// Reads a `.env`: `NAME=value` or `export NAME=value` on a line each; the last one of a name counts. Lines that are empty or begin with `#` say nothing.
/// - `'…'` is taken as it stands, and may go over lines,
/// - `"…"` likewise, but for `\n`, `\r`, `\t`, `\\`, `\"` and `\$`,
/// - of anything else the blanks around it are left out, and what comes after a `#` behind a blank.
/// Nothing is expanded. `Errc::usage` names `name`, the line and what is wrong there.
Result<std::map<std::string, std::string>> parse_dotenv(std::string_view text, std::string_view name);

}  // namespace berth::run
