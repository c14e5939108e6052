#include "cli/common.h"

#include <fmt/core.h>

#include "core/logs/record_time.h"

namespace berth::cli {

std::vector<Exit> with_daemon_exits(std::vector<Exit> first) {
  first.insert(first.end(), kDaemonExits.begin(), kDaemonExits.end());
  return first;
}

Result<std::string> app_argument(const std::string& text, const std::string& verb) {
  const auto instance = parse_selector(text);
  if (instance && instance->number)
    return fail(Errc::usage, fmt::format("berth {}: '{}' names more than an app; use 'berth {} {}'", verb, text, verb, instance->app));
  BERTH_TRY(const auto ref, parse_release_ref(text));
  if (!ref.release.empty() || !ref.environment.empty())
    return fail(Errc::usage, fmt::format("berth {}: '{}' names more than an app; use 'berth {} {}'", verb, text, verb, ref.app));
  return ref.app;
}

Result<ReleaseRef> release_argument(const std::string& text, const std::string& verb) {
  BERTH_TRY(auto ref, parse_release_ref(text));
  if (ref.release.empty())
    return fail(Errc::usage, fmt::format("berth {}: say which release of {}, as in {}@v1; 'berth releases {}' lists them", verb, ref.app, ref.app, ref.app));
  return ref;
}

Result<std::optional<milliseconds>> duration_argument(const std::string& text, const std::string& option) {
  if (text.empty()) return std::optional<milliseconds>();
  const auto span = logs::parse_span(text);
  if (!span) return pass(span.error(), option);
  return std::optional<milliseconds>(*span);
}

std::string app_target(const std::string& app, const std::string& rest) {
  return "/v1/apps/" + app + rest;
}

json::value told_of(const ApiClient& api, const std::string& app) { return api.get(app_target(app)).value_or(json::value()); }

Option reason_option(std::string& into) {
  return {.names = "--reason", .value = "TEXT", .help = "why; 'berth events' shows it", .into = &into};
}

void put_if(json::object& body, std::string_view name, const std::string& text) {
  if (!text.empty()) body[name] = text;
}

}  // namespace berth::cli
