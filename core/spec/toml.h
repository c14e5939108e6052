#pragma once

#include <string_view>

#include "core/result.h"

// toml++, as all of berth includes it: its parser is compiled once, in toml.cc, and not by each who reads a table. It asserts that a name begins as
// one should, and then says properly where it does not: what stands in a file must not end a program that was built without NDEBUG.
#define TOML_ASSERT(expression) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 0
#include <toml++/toml.h>

namespace berth::spec {

/// Parses; a syntax error is `Errc::usage` with its place ("berth.toml:12:3: …"), and so is a text longer than 1 MiB.
Result<toml::table> parse_toml_text(std::string_view text, std::string_view file);

}  // namespace berth::spec
