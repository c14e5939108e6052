#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::cli {

/// `text` with what could steer a terminal made visible: control characters (but tabs), bidirectional overrides and bytes that are
/// not UTF-8 become `\x1b`, `\u202e`, and at a terminal without UTF-8 whatever is not ASCII does. What an app or a server said is printed on a terminal only through this.
std::string printable(std::string_view text);

/// How many columns a terminal gives it; a code point counts as one.
std::size_t columns(std::string_view text);

/// At most `width` columns, the last one then being '…', or "..." at a terminal without UTF-8.
std::string shorten(std::string_view text, std::size_t width);

/// "1 file", "2 files".
std::string count_text(std::uint64_t count, std::string_view one);

/// "512 B", "1.5 kB", "12.3 MB".
std::string bytes_text(std::uint64_t bytes);

/// "4s", "3m", "2h", "5d": how long, to one unit.
std::string age_text(std::chrono::milliseconds age);

/// "850ms", "4.2s", "3m 12s", "2h 5m": how long something took.
std::string took_text(std::chrono::milliseconds took);

/// "0.8ms", "12.3ms", then as `took_text`: how long a call took.
std::string fine_time_text(std::chrono::microseconds took);

/// The age of a moment in RFC 3339: "3m". Empty where `at` is none.
std::string since_text(std::string_view at, std::chrono::system_clock::time_point now);

/// A moment in RFC 3339 to the second, for people: what berthd says of it has microseconds.
std::string short_time(std::string_view at);

/// Between two moments in RFC 3339, where both are.
std::optional<std::chrono::milliseconds> between(std::string_view from, std::string_view to);

}  // namespace berth::cli
