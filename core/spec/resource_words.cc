#include "core/spec/resource_words.h"

#include <charconv>

#include <fmt/core.h>

#include "core/spec/app_spec.h"
#include "core/spec/limits.h"

namespace berth::spec {
namespace {

using Unit = ResourceWord::Unit;

constexpr std::string_view kInfinite = "infinity";
constexpr ResourceWord kWords[] = {{"LimitCPU", RLIMIT_CPU, Unit::seconds},  {"LimitFSIZE", RLIMIT_FSIZE, Unit::bytes}, {"LimitSTACK", RLIMIT_STACK, Unit::bytes},
                                   {"LimitCORE", RLIMIT_CORE, Unit::bytes},  {"LimitNPROC", RLIMIT_NPROC},              {"LimitNOFILE", RLIMIT_NOFILE},
                                   {"LimitMEMLOCK", RLIMIT_MEMLOCK, Unit::bytes}, {"LimitAS", RLIMIT_AS, Unit::bytes}};

std::optional<std::uint64_t> plain_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > kMostOfAResource) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> value_of(Unit unit, std::string_view text) {
  if (text == kInfinite) return ResourceLimit::kInfinity;
  if (const auto number = plain_number(text)) return number;
  if (unit == Unit::bytes) {
    if (const auto bytes = parse_memory(text); bytes && *bytes <= kMostOfAResource) return *bytes;
  } else if (unit == Unit::seconds) {
    if (const auto time = parse_duration(text); time && time->count() % 1000 == 0) return static_cast<std::uint64_t>(time->count() / 1000);
  }
  return std::nullopt;
}

std::string_view example_of(Unit unit) {
  switch (unit) {
    case Unit::bytes: return "a number of bytes such as 64M";
    case Unit::seconds: return "a whole number of seconds such as 60 or 10m";
    case Unit::count: break;
  }
  return "a whole number";
}

std::string text_of(std::uint64_t value) { return value == ResourceLimit::kInfinity ? std::string(kInfinite) : fmt::format("{}", value); }

}  // namespace

std::span<const ResourceWord> resource_words() { return kWords; }

Result<ResourceLimit> parse_resource(const ResourceWord& word, std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto soft = value_of(word.unit, text.substr(0, colon));
  const auto hard = colon == std::string_view::npos ? soft : value_of(word.unit, text.substr(colon + 1));
  if (!soft || !hard)
    return fail(Errc::usage, fmt::format("'{}' is no limit: write {}, \"infinity\", or two of them as \"soft:hard\"", text, example_of(word.unit)));
  if (*soft > *hard) return fail(Errc::usage, fmt::format("'{}' has a soft limit over its hard one", text));  // infinity is the largest number
  return ResourceLimit{*soft, *hard};
}

std::string resource_text(const ResourceLimit& limit) {
  return limit.soft == limit.hard ? text_of(limit.soft) : text_of(limit.soft) + ":" + text_of(limit.hard);
}

}  // namespace berth::spec
