#include "core/spec/json_parts.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/spec/app_spec.h"

namespace berth::spec {

milliseconds duration(json::ObjectReader& reader, std::string_view name) {
  const std::string text = reader.string(name);
  const auto parsed = parse_duration(text);
  if (parsed && to_string(*parsed) == text) return *parsed;  // one form for each duration, as for everything that is signed
  reader.complain(fmt::format("member '{}': '{}' is no duration, or not in its shortest form", name, text));
  return milliseconds(0);
}

std::size_t choice(json::ObjectReader& reader, std::string_view name, std::span<const std::string_view> words) {
  const std::string text = reader.string(name);
  const auto found = std::ranges::find(words, text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  reader.complain(fmt::format("member '{}' is '{}', which is not known", name, text));
  return 0;
}

}  // namespace berth::spec
