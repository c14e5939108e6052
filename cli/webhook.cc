#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/sinks_text.h"
#include "cli/verbs.h"
#include "core/ids.h"

namespace berth::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kBetweenAsks = 200ms;
constexpr milliseconds kSilence = 1s;  ///< so long nothing is said
constexpr milliseconds kPatience = 30s;  ///< a webhook's own 'timeout' is 15 s where nobody says another

/// A webhook as status tells it; null where it has none of that name.
Result<json::value> webhook_of(const ApiClient& api, const std::string& name) {
  BERTH_TRY(const auto status, api.get("/v1/status"));
  for (const auto& webhook : list_of(status, "webhooks"))
    if (text_of(webhook, "webhook") == name) return webhook;
  return json::value();
}

/// Whether all that it was to get is taken or given up, of which there is more than before.
bool has_got_more(const json::value& webhook, const json::value& before) {
  const auto done = [](const json::value& one) { return number_of(one, "delivered") + number_of(one, "dropped"); };
  // One that refuses everything fails, and has nothing that waits.
  return done(webhook) > done(before) && (text_of(webhook, "state") == "up to date" || lag_seconds_of(webhook) <= 0);
}

/// With --json as a problem, whose exit code is the one of the call.
void tell_failure(const Console& console, Exit exit, const std::string& text) {
  if (console.json) fmt::print(console.err, "{}\n", json::text(json::object{{"code", to_string(errc_of(exit))}, {"detail", text}, {"exit", static_cast<int>(exit)}}));
  else console.warn(text);
}

std::string waiting_text(const std::string& name, const json::value& webhook, milliseconds at_most) {
  const std::string error = text_of(webhook, "last_error");
  return fmt::format("Webhook {} has not taken it yet{}; it is waited for, {} at most.", name, error.empty() ? "" : " (" + printable(error) + ")", took_text(at_most));
}

Exit tell_end(const Console& console, const std::string& name, const json::value& webhook, const json::value& before) {
  if (console.json) console.document(webhook);
  const std::string error = text_of(webhook, "last_error");
  if (!has_got_more(webhook, before)) {
    const std::string why = error.empty() ? "it has not been answered yet" : error;
    tell_failure(console, Exit::still_running, fmt::format("webhook {} has not taken the event: {}; berthd goes on trying, and 'berth webhook list' shows what comes of it", name, why));
    return Exit::still_running;
  }
  if (number_of(webhook, "dropped") > number_of(before, "dropped")) {
    const std::string why = text_of(webhook, "dropped_why");
    tell_failure(console, Exit::failed, fmt::format("webhook {} has refused the event for good: {}", name, why.empty() ? error : why));
    return Exit::failed;
  }
  console.note(fmt::format("Webhook {} has taken the event.", name));
  return Exit::ok;
}

Verb test_verb() {
  struct Options {
    std::string name, reason, timeout;
    bool no_wait = false;
  };
  const auto o = std::make_shared<Options>();
  return {
      .name = "test",
      .summary = "Send an event to a webhook, and wait until it is taken",
      .text = "The event, of the type operator.webhook_test, is for this webhook alone, whatever its 'events' are, and is in 'berth events', too. What waits for that webhook already goes first, and one that waits after a failure is tried at once.",
      .examples = {"berth webhook test chat"},
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::still_running}),
      .arguments = {{"NAME", "as berthd.toml has it ('berth webhook list')", &o->name, Completes::webhook}},
      .options = {reason_option(o->reason), {.names = "--no-wait", .value = "", .help = "return at once", .into = &o->no_wait}, {.names = "--timeout", .value = "DURATION", .help = "how long to wait until it is taken (default: 30s)", .into = &o->timeout}},
      .action = [o](Console& console) -> Result<Exit> {
        if (!is_name(o->name)) return fail(Errc::usage, fmt::format("berth webhook test: '{}' is no name of a webhook; 'berth webhook list' shows them", o->name));
        BERTH_TRY(const auto said, duration_argument(o->timeout, "--timeout"));
        const ApiClient api(console);
        BERTH_TRY(const auto before, webhook_of(api, o->name));
        json::object body;
        put_if(body, "reason", o->reason);
        BERTH_TRY(const auto answer, api.post(fmt::format("/v1/webhooks/{}/test", o->name), std::move(body)));
        if (o->no_wait) {
          if (console.json) console.document(answer);
          console.note(fmt::format("The event is on its way to webhook {}; 'berth webhook list' shows what comes of it.", o->name));
          return Exit::ok;
        }
        const auto begin = Clock::now(), end = begin + said.value_or(kPatience);
        for (bool told = false;;) {
          BERTH_TRY(const auto webhook, webhook_of(api, o->name));
          if (has_got_more(webhook, before) || Clock::now() >= end) return tell_end(console, o->name, webhook, before);
          if (Clock::now() >= begin + kSilence && !std::exchange(told, true)) console.note(waiting_text(o->name, webhook, said.value_or(kPatience)));
          std::this_thread::sleep_for(kBetweenAsks);
        }
      },
  };
}

/// Why it takes nothing; where it takes again, why it will not get what was given up.
std::string why_of(const json::value& webhook) {
  const std::string error = text_of(webhook, "last_error"), dropped = text_of(webhook, "dropped_why");
  return error.empty() && !dropped.empty() ? "given up: " + dropped : error;
}

Verb list_verb() {
  return {
      .name = "list",
      .summary = "Webhooks of the node, and what they have taken since berthd began",
      .examples = {"berth webhook list"},
      .exits = with_daemon_exits({}),
      .action = [](Console& console) -> Result<Exit> {
        BERTH_TRY(const auto status, ApiClient(console).get("/v1/status"));
        const auto& webhooks = list_of(status, "webhooks");
        if (console.json) {
          console.document(json::object{{"webhooks", webhooks}});
          return Exit::ok;
        }
        Table table({"WEBHOOK", "STATE", "TAKEN", "GIVEN UP", "LAST TAKEN", "WHY"});
        for (const auto& one : webhooks) {
          const std::string state = text_of(one, "state"), last = text_of(one, "last_success");
          table.row({text_of(one, "webhook"), {state, state == "failing" ? Tint::bad : Tint::none}, std::to_string(number_of(one, "delivered")),
                     std::to_string(number_of(one, "dropped")), last.empty() ? "" : since_text(last, std::chrono::system_clock::now()) + " ago", why_of(one)});
        }
        if (!table.empty()) console.print(table.render(console.colour, console.room()));
        else console.note("This node has no webhooks: [[webhook]] in berthd.toml names them.");
        return Exit::ok;
      },
  };
}

}  // namespace

Verb webhook_verb() {
  Verb root{.name = "webhook", .summary = "List webhooks of the node, or send an event to one", .examples = {"berth webhook list", "berth webhook test chat"}};
  root.verbs.push_back(list_verb());
  root.verbs.push_back(test_verb());
  return root;
}

}  // namespace berth::cli
