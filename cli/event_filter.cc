#include "cli/event_filter.h"

#include <algorithm>
#include <chrono>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "core/spec/app_spec.h"
#include "daemon/config/event_types.h"

namespace berth::cli {
namespace {

constexpr std::int64_t kFirstLook = 100, kMostNewest = 1'000'000;  ///< of the newest; the latter as docs/openapi.yaml has it
constexpr std::chrono::seconds kPatience{60};

/// Kinds whose events have types of other names, see `event_type`.
constexpr const char* kSeveralTypes[] = {"deployment.state", "job.ended"};

/// What webhooks call it, see `config::event_types`.
std::string event_type(const boost::json::value& event) {
  const std::string kind = text_of(event, "kind");
  const auto* data = member(event, "data");
  if (data == nullptr) return kind;
  if (kind == "deployment.state") return "deployment." + text_of(*data, "state");
  if (kind == "job.ended") return "job." + text_of(*data, "state");
  const std::string reason = text_of(*data, "reason");
  if (kind == "instance.exit" && (reason == "stopped" || reason.starts_with("stopped: ") || reason == "restarted" || reason.starts_with("restarted: "))) return "instance.stopped";
  return kind;
}

/// Fails where the first part of a pattern is that of no type, so that it is a word that was mistyped. What follows may be of a newer berthd.
Result<void> check_kind(const std::string& pattern) {
  auto known = config::event_types();
  known.insert(known.end(), std::begin(kSeveralTypes), std::end(kSeveralTypes));
  const auto dot = pattern.find('.');
  const std::string group = pattern.substr(0, dot) + ".";
  const bool is_known = std::ranges::any_of(known, [&](const std::string& type) { return config::matches_type(pattern, type); });
  const bool is_of_group = std::ranges::any_of(known, [&](const std::string& type) { return type.starts_with(group); });
  if (is_known || (is_of_group && dot != std::string::npos)) return {};
  if (is_of_group) return fail(Errc::usage, fmt::format("berth events: --kind {}: there is no such kind (did you mean '{}*'?)", pattern, group));
  const auto meant = spec::nearest(pattern, known);
  return fail(Errc::usage, fmt::format("berth events: --kind {}: there is no such kind{}", pattern, meant ? fmt::format(" (did you mean '{}'?)", *meant) : ": give one such as 'deployment.failed', 'operator.*' or '*'"));
}

}  // namespace

bool EventFilter::wants(const boost::json::value& event, const std::string& line) const {
  if (since || until) {
    const auto at = logs::parse_rfc3339(text_of(event, "at"));
    if (!at || (since && *at < *since) || (until && *at >= *until)) return false;
  }
  if (!kinds.empty()) {
    const std::string kind = text_of(event, "kind"), type = event_type(event);
    if (std::ranges::none_of(kinds, [&](const std::string& pattern) { return config::matches_type(pattern, kind) || config::matches_type(pattern, type); })) return false;
  }
  return grep.empty() || line.find(grep) != std::string::npos;
}

Result<EventFilter> event_filter(const std::string& since, const std::string& until, const std::vector<std::string>& kinds, const std::string& grep) {
  BERTH_TRY(const Moments moments, moments_argument(since, until, "berth events", "event"));
  const EventFilter filter{.since = moments.since, .until = moments.until, .kinds = kinds, .grep = grep};
  for (const std::string& kind : kinds) BERTH_CHECK(check_kind(kind));
  return filter;
}

Result<std::int64_t> first_since(const ApiClient& api, logs::Time since, const std::string& app) {
  for (std::int64_t newest = kFirstLook; newest <= kMostNewest; newest *= 10) {
    BERTH_TRY(const auto answer, api.get(fmt::format("/v1/events?last={}&limit=1{}", newest, app), kPatience));
    const auto& page = list_of(answer, "events");
    if (page.empty()) return 1;
    const auto at = logs::parse_rfc3339(text_of(page.front(), "at"));
    const std::int64_t number = number_of(page.front(), "number");
    if (number <= 1 || (at && *at < since)) return std::max<std::int64_t>(number, 1);
  }
  return 1;
}

}  // namespace berth::cli
