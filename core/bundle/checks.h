#pragma once

#include <string_view>

namespace berth::bundle {

/// 64 lower-case hex digits.
bool is_sha256(std::string_view text);

/// RFC 3339 in UTC, to the second: `2026-11-24T09:00:00Z`.
bool is_time(std::string_view text);

/// `1.20.3`: three numbers.
bool is_version(std::string_view text);

/// `linux/amd64`, or `any`.
bool is_platform(std::string_view text);

/// One line of at most `most` bytes.
bool is_line(std::string_view text, std::size_t most);

}  // namespace berth::bundle
