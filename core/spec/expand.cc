#include <functional>

#include <fmt/core.h>

#include "core/spec/app_spec.h"

namespace berth::spec {
namespace {

/// Calls `literal` for text that stands as it is and `name` for what stands in `${…}`. A `$` before anything but `{` and `$` is a dollar
/// sign.
Result<void> walk(std::string_view text, const std::function<void(std::string_view)>& literal,
                  const std::function<Result<void>(std::string_view)>& name) {
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    literal(text.substr(0, dollar));
    if (dollar == std::string_view::npos) return {};
    const std::string_view rest = text.substr(dollar + 1);
    if (rest.starts_with('{')) {
      const std::size_t end = rest.find_first_of("}\n");
      if (end == std::string_view::npos || rest[end] != '}')
        return fail(Errc::usage, fmt::format("'{}' has no closing brace (a dollar sign of your own before a brace is written $$)",
                                             text.substr(dollar, 40)));
      if (end == 1) return fail(Errc::usage, "'${}' names nothing");
      BERTH_CHECK(name(rest.substr(1, end - 1)));
      text = rest.substr(end + 1);
    } else {
      literal("$");
      text = rest.starts_with('$') ? rest.substr(1) : rest;
    }
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> references(std::string_view text) {
  std::vector<std::string> names;
  const auto literal = [](std::string_view) {};
  const auto name = [&names](std::string_view found) -> Result<void> {
    names.emplace_back(found);
    return {};
  };
  BERTH_CHECK(walk(text, literal, name));
  return names;
}

Result<std::string> expand(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string out;
  const auto literal = [&out](std::string_view piece) { out += piece; };
  const auto name = [&out, &values](std::string_view found) -> Result<void> {
    const auto value = values.find(std::string(found));
    if (value != values.end()) {
      out += value->second;
      return {};
    }
    std::vector<std::string> known;
    for (const auto& [key, ignored] : values) known.push_back(key);
    const auto meant = nearest(found, known);
    if (found.starts_with("node.labels."))
      return fail(Errc::usage, fmt::format("nothing is known as '${{{}}}': this node has no label '{}'; its labels are in [labels] of berthd.toml", found,
                                           found.substr(std::string_view("node.labels.").size())));
    return fail(Errc::usage,
                fmt::format("nothing is known as '${{{}}}'{}", found, meant ? fmt::format(" (did you mean '${{{}}}'?)", *meant) : ""));
  };
  BERTH_CHECK(walk(text, literal, name));
  return out;
}

}  // namespace berth::spec
