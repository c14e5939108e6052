#include "core/spec/words.h"

#include <charconv>

#include <fmt/core.h>

namespace berth::spec {
namespace {

bool read_status(std::string_view text, int& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return text.size() == 3 && error == std::errc() && end == text.data() + text.size() && out >= 100;
}

}  // namespace

Result<void> parse_statuses(std::string_view text, Probe& probe) {
  const std::size_t dash = text.find('-');
  const std::string_view from = text.substr(0, dash);
  const std::string_view to = dash == std::string_view::npos ? from : text.substr(dash + 1);
  if (!read_status(from, probe.lowest) || !read_status(to, probe.highest))
    return fail(Errc::usage,
                fmt::format("'{}' names no HTTP statuses: write the lowest and the highest, such as 200-399, or one, such as 204", text));
  return {};
}

std::string statuses(const Probe& probe) {
  return probe.lowest == probe.highest ? fmt::format("{}", probe.lowest) : fmt::format("{}-{}", probe.lowest, probe.highest);
}

}  // namespace berth::spec
