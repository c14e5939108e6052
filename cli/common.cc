#include "cli/common.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>

#include <fmt/core.h>

#include "cli/output/charset.h"
#include "cli/output/text.h"
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
  if (!ref.release.empty()) return ref;
  const std::string what = ref.environment.empty() ? ref.app : ref.app + "/" + ref.environment;
  return fail(Errc::usage, fmt::format("berth {0}: say which release of {1}, as in {1}@v1; 'berth releases {2}' lists them", verb, what, ref.app));
}

Result<std::optional<milliseconds>> duration_argument(const std::string& text, const std::string& option) {
  if (text.empty()) return std::optional<milliseconds>();
  const auto span = logs::parse_span(text);
  if (!span) return pass(span.error(), option);
  return std::optional<milliseconds>(*span);
}

Result<Moments> moments_argument(const std::string& since, const std::string& until, const std::string& called, const std::string& what) {
  Moments moments;
  const logs::Time now = std::chrono::system_clock::now();
  if (!since.empty()) {
    auto moment = logs::parse_moment(since, now);
    if (!moment) return pass(std::move(moment.error()), called + ": --since");
    moments.since = *moment;
  }
  if (!until.empty()) {
    auto moment = logs::parse_moment(until, now);
    if (!moment) return pass(std::move(moment.error()), called + ": --until");
    moments.until = *moment;
  }
  if (moments.since && moments.until && *moments.since >= *moments.until)
    return fail(Errc::usage, fmt::format("{}: --since {} is not before --until {}, so that no {} is in between", called, since, until, what));
  return moments;
}

std::string app_target(const std::string& app, const std::string& rest) {
  return "/v1/apps/" + app + rest;
}

json::value told_of(const ApiClient& api, const std::string& app) { return api.get(app_target(app)).value_or(json::value()); }

Option reason_option(std::string& into) {
  return {.names = "--reason", .value = "TEXT", .help = "why; 'berth events' shows it", .into = &into};
}

Option timeout_option(std::string& into) {
  return {.names = "--timeout", .value = "DURATION", .help = "how long to wait for it (default 15m); berthd goes on with it then", .into = &into};
}

Result<std::optional<json::value>> long_call(const Console& console, ApiCall call, const std::string& timeout) {
  BERTH_TRY(const auto said, duration_argument(timeout, "--timeout"));
  if (said && said->count() <= 0) return fail(Errc::usage, fmt::format("--timeout {}: it is no time at all", timeout));
  const milliseconds at_most = said.value_or(kLongCall);
  call.deadline = at_most;
  const auto began = std::chrono::steady_clock::now();
  auto answer = ApiClient(console).call(std::move(call));
  if (answer) return std::optional<json::value>(std::move(answer->body));
  const bool is_late = std::chrono::steady_clock::now() - began >= at_most;
  if (!is_late || (answer.error().code != Errc::unreachable && answer.error().code != Errc::timeout)) return pass(answer.error());
  console.warn(fmt::format("berthd has not done it within {}, and goes on with it; see: berth status; berth events", took_text(at_most)));
  return std::optional<json::value>();
}

bool can_ask() { return ::isatty(STDIN_FILENO) == 1; }

bool asks_for(const Console& console, const std::string& question, const std::string& word) {
  // Not by the console's stderr: with several nodes that has whole lines alone.
  put(stderr, (console.node ? console.node->name + ": " : "") + question);
  std::fflush(stderr);
  std::string typed;
  std::getline(std::cin, typed);
  return typed == word;
}

void put_if(json::object& body, std::string_view name, const std::string& text) {
  if (!text.empty()) body[name] = text;
}

}  // namespace berth::cli
