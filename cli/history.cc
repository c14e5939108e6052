#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <memory>

#include <fmt/core.h>

#include "cli/advice.h"
#include "cli/common.h"
#include "cli/deployment.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/status_text.h"
#include "cli/verbs.h"
#include "core/io/http.h"
#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

constexpr std::size_t kMostLines = 5;  ///< of an app's output; the deployment, as JSON, has more

constexpr std::int64_t kMostDeployments = 1000;  ///< that berthd lists at once
constexpr std::int64_t kShownDeployments = 20;              ///< of the newest, where nobody says how many
constexpr int kMomentDigits = 9;

struct HistoryOptions {
  std::string app, since, until;
  std::optional<std::int64_t> count, before, deployment;
};

std::string entry_text(const Deployment& d, WallTime now, bool colour, std::size_t most_lines) {
  const Tint tint = !d.ended() ? Tint::warning : d.exit == 0 ? Tint::good : Tint::bad;
  std::string head = fmt::format("{:>4}  {}  {}  {}", d.id, d.kind, d.name(), tinted(d.state, tint, colour));
  if (const std::string age = since_text(d.created_at, now); !age.empty()) head += fmt::format("  {} ago ({})", age, short_time(d.created_at));
  if (!d.by.empty()) head += "  by " + printable(d.by);
  std::string text = head + "\n";
  if (!d.why.empty()) text += "      why: " + printable(d.why) + "\n";
  if (!d.reason.empty()) text += "      " + tinted(printable(d.reason), tint, colour) + "\n";
  if (!d.steps.empty()) text += "      " + printable(steps_text(d)) + "\n";
  if (!d.hooks.empty()) text += "      " + printable(hooks_text(d)) + "\n";
  for (const std::string& note : d.notes) text += "      note: " + printable(note) + "\n";
  const std::size_t left_out = d.last_lines.size() > most_lines ? d.last_lines.size() - most_lines : 0;
  for (std::size_t i = left_out; i < d.last_lines.size(); ++i) text += "      | " + printable(d.last_lines[i]) + "\n";
  return text;
}

/// One deployment, with all that is known of it.
Result<Exit> one_deployment(const Console& console, std::int64_t id, const std::string& app) {
  BERTH_TRY(const auto answer, ApiClient(console).get(fmt::format("/v1/deployments/{}", id)));
  if (!app.empty() && text_of(answer, "app") != app)
    return fail(Errc::not_found, fmt::format("deployment {} is of {}, not of {}", id, text_of(answer, "app"), app));
  if (console.json) console.document(answer);
  else console.print(entry_text(read_deployment(answer), std::chrono::system_clock::now(), console.colour, std::numeric_limits<std::size_t>::max()));
  return Exit::ok;
}

/// A list of deployments, and where it ends.
struct Listed {
  json::array deployments;
  std::int64_t next = 0;  ///< what --before is to be for those after these; 0: there are none
};

/// Asks for a page after the other, until there are so many, or no more. `count` 0: all. `shown` gets each that comes.
Result<Listed> list_deployments(const ApiClient& api, const std::string& narrowed, std::int64_t before, std::int64_t count, const std::function<bool(const json::value&)>& shown) {
  Listed listed;
  listed.next = before;
  for (std::int64_t left = count; count == 0 || left > 0;) {
    const std::int64_t most = count == 0 ? kMostDeployments : std::min(left, kMostDeployments);
    std::string target = fmt::format("/v1/deployments?limit={}{}", most, narrowed);
    if (listed.next > 0) target += fmt::format("&before={}", listed.next);
    BERTH_TRY(const auto answer, api.get(target));
    const auto& page = list_of(answer, "deployments");
    for (const auto& one : page) {
      if (!shown(one)) return listed;
      listed.deployments.push_back(one);
    }
    left -= static_cast<std::int64_t>(page.size());
    listed.next = number_of(answer, "next");
    if (listed.next <= 0 || page.empty()) break;
  }
  return listed;
}

/// The options of the call, for one that goes on where it ended: " -n 5 --since 7d".
std::string same_options(const HistoryOptions& options) {
  std::string text;
  if (options.count) text += fmt::format(" -n {}", *options.count);
  if (!options.since.empty()) text += " --since " + shell_word(options.since);
  if (!options.until.empty()) text += " --until " + shell_word(options.until);
  return text;
}

/// Fails where there is no such app, and there was none.
Result<void> has_history(const ApiClient& api, const std::string& app) {
  BERTH_TRY(const auto newest, api.get(fmt::format("/v1/deployments?limit=1&app={}", app)));
  if (!list_of(newest, "deployments").empty()) return {};
  BERTH_CHECK(api.get(app_target(app, "")));
  return {};
}

/// That there are none; whoever sees some apps alone is told so.
std::string no_deployments_text(const ApiClient& api, const std::string& app) {
  const auto status = app.empty() ? api.get("/v1/status") : Result<json::value>(json::value());
  const std::string limits = status ? limits_text(*status) : std::string();
  return limits.empty() ? std::string("No deployments yet.") : fmt::format("No deployments yet of the apps that you may see: {}.", limits);
}

Result<Exit> history(const Console& console, HistoryOptions options) {
  // No app's name begins with a digit.
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(options.app.data(), options.app.data() + options.app.size(), number);
  if (!options.app.empty() && error == std::errc() && end == options.app.data() + options.app.size()) {
    if (options.deployment && *options.deployment != number)
      return fail(Errc::usage, fmt::format("berth history: {} and --deployment {} name two deployments", number, *options.deployment));
    options.deployment = number;
    options.app.clear();
  }
  std::string app;
  if (!options.app.empty()) {
    BERTH_TRY(app, app_argument(options.app, "history"));
  }
  if (options.deployment) {
    if (options.count || options.before || !options.since.empty() || !options.until.empty())
      return fail(Errc::usage, "berth history: --count, --before, --since and --until are for a list, and one deployment is named");
    if (*options.deployment < 1) return fail(Errc::usage, fmt::format("berth history: --deployment {}: they are numbered from 1 on", *options.deployment));
    return one_deployment(console, *options.deployment, app);
  }
  const std::int64_t count = options.count.value_or(kShownDeployments);
  if (count < 0) return fail(Errc::usage, fmt::format("berth history: --count {}: must be 0, for all, or more", count));
  if (options.before && *options.before < 1) return fail(Errc::usage, fmt::format("berth history: --before {}: deployments are numbered from 1 on", *options.before));
  BERTH_TRY(const Moments moments, moments_argument(options.since, options.until, "berth history", "deployment"));
  std::string narrowed;
  if (!app.empty()) narrowed += "&app=" + app;
  if (moments.since) narrowed += "&since=" + io::percent_encode(logs::format_rfc3339(*moments.since, kMomentDigits));
  if (moments.until) narrowed += "&until=" + io::percent_encode(logs::format_rfc3339(*moments.until, kMomentDigits));

  const ApiClient api(console);
  const auto now = std::chrono::system_clock::now();
  const auto show = [&](const json::value& one) {
    if (!console.json) console.print(entry_text(read_deployment(one), now, console.colour, kMostLines));
    return !console.is_broken();
  };
  BERTH_TRY(Listed listed, list_deployments(api, narrowed, options.before.value_or(0), count, show));
  if (console.is_broken()) return Exit::failed;
  if (!app.empty() && listed.deployments.empty()) BERTH_CHECK(has_history(api, app));
  if (console.json) {
    console.document(json::object{{"deployments", std::move(listed.deployments)}, {"next", listed.next > 0 ? json::value(listed.next) : json::value(nullptr)}});
    return Exit::ok;
  }
  const bool narrows = options.before || moments.since || moments.until;
  if (listed.deployments.empty()) console.note(narrows ? "No older deployment, or none of that time." : no_deployments_text(api, app));
  if (listed.next > 0) {
    console.note(fmt::format("There are older ones: 'berth history{} --before {}{}' shows the next {}, and -n 0 all of them.", app.empty() ? "" : " " + app, listed.next, same_options(options), count));
  }
  return Exit::ok;
}

}  // namespace

Verb history_verb() {
  auto o = std::make_shared<HistoryOptions>();
  return {
      .name = "history",
      .summary = "Show deployments, newest first: who, when, how long each step took, and why one failed",
      .text = "Where there are more than it shows, its last line says how the next older ones are shown: --before takes the number of a deployment, and those that begin meanwhile move no page.",
      .examples = {"berth history web", "berth history 7 # deployment 7, and all that its app said when it failed", "berth history web --before 962 # those before number 962",
                   "berth history web --since 7d --until 1d", "berth history -n 0 --json # all of them"},
      .exits = with_daemon_exits({Exit::not_found}),
      .arguments = {{"APP|NUMBER", "of this app only, or the deployment of that number", &o->app, Completes::app, false}},
      .options = {{"-n,--count", "N", "how many, of the newest (default 20); 0: all", &o->count},
                  {"--before", "NUMBER", "those with a lower number alone", &o->before},
                  {"--since", "WHEN", "asked for from then on, so long ago: 10m, 2h30m, 7d; or a time in RFC 3339, or a day", &o->since},
                  {"--until", "WHEN", "asked for before then", &o->until},
                  {"--deployment", "NUMBER", "that deployment alone, with all that is known of it", &o->deployment}},
      .action = [o](Console& console) { return history(console, *o); },
  };
}

}  // namespace berth::cli
