#define TOML_IMPLEMENTATION
#include "core/spec/toml.h"

#include <cstddef>
#include <utility>

#include <fmt/core.h>

#include "core/spec/stray_character.h"

namespace berth::spec {
namespace {

constexpr std::size_t kMostText = 1u << 20;

}  // namespace

Result<toml::table> parse_toml_text(std::string_view text, std::string_view file) {
  if (text.size() > kMostText) return fail(Errc::usage, fmt::format("{}: is longer than 1 MiB", file));
  if (const auto stray = stray_character(text)) return fail(Errc::usage, fmt::format("{}:{}:{}: {}", file, stray->line, stray->column, kStrayCharacter));
  auto parsed = toml::parse(text, file);
  if (parsed) return std::move(parsed).table();
  const auto& place = parsed.error().source().begin;
  return fail(Errc::usage, fmt::format("{}:{}:{}: {}", file, place.line, place.column, parsed.error().description()));
}

}  // namespace berth::spec
