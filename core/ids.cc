#include "core/ids.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

namespace berth {
namespace {

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}

std::unexpected<Error> bad_name(std::string_view what, std::string_view text) {
  return fail(Errc::usage, fmt::format("{} '{}': must be a lower-case letter, then at most 30 of a-z, 0-9 and -", what, text));
}

std::unexpected<Error> bad_release(std::string_view text) {
  return fail(Errc::usage,
              fmt::format("release id '{}': must begin with a letter or digit, then at most 63 of A-Z, a-z, 0-9, '.', '_', '-'", text));
}

}  // namespace

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 31 || !is_lower(text.front())) return false;
  return std::ranges::all_of(text, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

bool is_release_id(std::string_view text) {
  if (text.empty() || text.size() > 64 || !(is_alpha(text.front()) || is_digit(text.front()))) return false;
  return std::ranges::all_of(text, [](char c) { return is_alpha(c) || is_digit(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_variable_name(std::string_view text) {
  if (text.empty() || is_digit(text.front())) return false;
  return std::ranges::all_of(text, [](char c) { return is_alpha(c) || is_digit(c) || c == '_'; });
}

Result<ReleaseRef> parse_release_ref(std::string_view text) {
  ReleaseRef ref;
  std::string_view name = text;
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    name = text.substr(0, at);
    ref.release = text.substr(at + 1);
    if (!is_release_id(ref.release)) return bad_release(ref.release);
  }
  if (const auto slash = name.find('/'); slash != std::string_view::npos) {
    ref.environment = name.substr(slash + 1);
    name = name.substr(0, slash);
    if (!is_name(ref.environment)) return bad_name("environment", ref.environment);
  }
  if (!is_name(name)) return bad_name("app", name);
  ref.app = name;
  return ref;
}

std::string to_string(const ReleaseRef& ref) {
  std::string text = ref.app;
  if (!ref.environment.empty()) text += "/" + ref.environment;
  if (!ref.release.empty()) text += "@" + ref.release;
  return text;
}

bool InstanceSelector::matches(const InstanceId& id) const {
  return id.app == app && (!process || *process == id.process) && (!number || *number == id.number) &&
         (!release || *release == id.release);
}

Result<InstanceSelector> parse_selector(std::string_view text) {
  InstanceSelector selector;
  std::string_view rest = text;
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    selector.release = rest.substr(at + 1);
    rest = rest.substr(0, at);
    if (!is_release_id(*selector.release)) return bad_release(*selector.release);
  }
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    std::string_view process = rest.substr(slash + 1);
    rest = rest.substr(0, slash);
    if (const auto dot = process.find('.'); dot != std::string_view::npos) {
      const std::string_view digits = process.substr(dot + 1);
      int number = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (error != std::errc() || end != digits.data() + digits.size() || number < 1)
        return fail(Errc::usage, fmt::format("instance '{}': after the '.' comes its number, from 1, as in web/worker.2", text));
      selector.number = number;
      process = process.substr(0, dot);
    }
    if (!is_name(process)) return bad_name("process", process);
    selector.process = process;
  }
  if (!is_name(rest)) return bad_name("app", rest);
  selector.app = rest;
  return selector;
}

std::string to_string(const InstanceId& id) {
  std::string text = fmt::format("{}/{}.{}", id.app, id.process, id.number);
  if (!id.release.empty()) text += "@" + id.release;
  return text;
}

}  // namespace berth
