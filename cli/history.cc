#include <charconv>
#include <limits>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/deployment.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/verbs.h"
#include "core/io/http.h"

namespace berth::cli {
namespace {

constexpr std::size_t kMostLines = 5;  ///< of an app's output; the deployment, as JSON, has more

constexpr std::int64_t kMostDeployments = 1000;  // that berthd lists at once

struct HistoryOptions {
  std::string app;
  std::optional<std::int64_t> count, deployment;
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
  if (options.deployment) {
    if (options.count) return fail(Errc::usage, "berth history: --count is for a list, and one deployment is named");
    if (*options.deployment < 1) return fail(Errc::usage, fmt::format("berth history: --deployment {}: they are numbered from 1 on", *options.deployment));
    std::string app;
    if (!options.app.empty()) {
      BERTH_TRY(app, app_argument(options.app, "history"));
    }
    return one_deployment(console, *options.deployment, app);
  }
  const std::int64_t count = options.count.value_or(20);
  if (count < 1 || count > kMostDeployments)
    return fail(Errc::usage, fmt::format("berth history: --count {}: must be a number from 1 to {}", count, kMostDeployments));
  std::string target = fmt::format("/v1/deployments?limit={}", count), app;
  if (!options.app.empty()) {
    BERTH_TRY(app, app_argument(options.app, "history"));
    target += "&app=" + app;
  }
  const ApiClient api(console);
  BERTH_TRY(const auto answer, api.get(target));
  if (!app.empty() && list_of(answer, "deployments").empty()) BERTH_CHECK(api.get(app_target(app, "")));  // fails where there is no such app
  if (console.json) {
    console.document(answer);
    return Exit::ok;
  }
  const auto now = std::chrono::system_clock::now();
  const auto& deployments = list_of(answer, "deployments");
  for (const auto& one : deployments) console.print(entry_text(read_deployment(one), now, console.colour, kMostLines));
  if (deployments.empty()) console.note("No deployments yet.");
  return Exit::ok;
}

}  // namespace

Verb history_verb() {
  auto o = std::make_shared<HistoryOptions>();
  return {
      .name = "history",
      .summary = "Show deployments, newest first: who, when, how long each step took, and why one failed",
      .examples = {"berth history web", "berth history 7 # deployment 7, and all that its app said when it failed", "berth history -n 100 --json"},
      .exits = with_daemon_exits({Exit::not_found}),
      .arguments = {{"APP|NUMBER", "of this app only, or the deployment of that number", &o->app, Completes::app, false}},
      .options = {{"-n,--count", "N", "how many (default 20)", &o->count},
                  {"--deployment", "NUMBER", "that deployment alone, with all that is known of it", &o->deployment}},
      .action = [o](Console& console) { return history(console, *o); },
  };
}

}  // namespace berth::cli
