#include "cli/output/text.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/output/charset.h"
#include "core/logs/record_time.h"
#include "core/utf8.h"

namespace berth::cli {
namespace {

bool steers(char32_t c) {
  return (c < 0x20 && c != '\t') || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E ||
         c == 0x200F || c == 0x2028 || c == 0x2029;
}

}  // namespace

std::string printable(std::string_view text) {
  const bool plain = stdout_is_ascii();
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    const std::size_t length = std::max<std::size_t>(point.length, 1);
    if (point.length == 0) {
      safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    } else if (!steers(point.value)) {
      safe += text.substr(0, length);
    } else if (point.value < 0x80) {
      safe += fmt::format("\\x{:02x}", static_cast<unsigned>(point.value));
    } else {
      safe += fmt::format("\\u{:04x}", static_cast<unsigned>(point.value));
    }
    text.remove_prefix(length);
  }
  return plain ? in_ascii(safe) : safe;
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string shorten(std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text);
  const std::string_view dots = stdout_is_ascii() ? "..." : "…";
  if (width < columns(dots)) return std::string(width, '.');
  std::size_t end = 0;
  for (std::size_t seen = columns(dots) - 1; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && ++seen == width) break;
  }
  return std::string(text.substr(0, end)) + std::string(dots);
}

std::string count_text(std::uint64_t count, std::string_view one) { return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s"); }

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  for (const char* unit : {"kB", "MB", "GB", "TB"}) {
    value /= 1000;
    if (value < 999.95) return fmt::format("{:.1f} {}", value, unit);
  }
  return fmt::format("{:.1f} PB", value / 1000);
}

std::string age_text(std::chrono::milliseconds age) {
  const std::int64_t seconds = std::max<std::int64_t>(age.count() / 1000, 0);
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

std::string took_text(std::chrono::milliseconds took) {
  const std::int64_t ms = std::max<std::int64_t>(took.count(), 0);
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (ms < 60'000) return fmt::format("{}.{}s", ms / 1000, ms / 100 % 10);
  if (ms < 3'600'000) return fmt::format("{}m {}s", ms / 60'000, ms / 1000 % 60);
  return fmt::format("{}h {}m", ms / 3'600'000, ms / 60'000 % 60);
}

std::string fine_time_text(std::chrono::microseconds took) {
  if (took < std::chrono::milliseconds(100)) return fmt::format("{:.1f}ms", static_cast<double>(took.count()) / 1000);
  return took_text(std::chrono::duration_cast<std::chrono::milliseconds>(took));
}

std::string since_text(std::string_view at, std::chrono::system_clock::time_point now) {
  const auto time = logs::parse_rfc3339(at);
  if (!time) return {};
  return age_text(std::chrono::duration_cast<std::chrono::milliseconds>(now - *time));
}

std::string short_time(std::string_view at) {
  const auto dot = at.find('.');
  if (dot == std::string_view::npos || !at.ends_with('Z')) return std::string(at);
  return std::string(at.substr(0, dot)) + "Z";
}

std::optional<std::chrono::milliseconds> between(std::string_view from, std::string_view to) {
  const auto begin = logs::parse_rfc3339(from);
  const auto end = logs::parse_rfc3339(to);
  if (!begin || !end) return {};
  return std::chrono::duration_cast<std::chrono::milliseconds>(*end - *begin);
}

}  // namespace berth::cli
