#include <chrono>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/sinks_text.h"
#include "cli/status_text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

std::string count_of(const json::value& sink, std::string_view name) { return std::to_string(number_of(sink, name)); }

/// "5m"; empty where nothing waits.
std::string behind_of(const json::value& sink) {
  const double lag = lag_seconds_of(sink);
  return lag >= 1 ? age_text(std::chrono::milliseconds(static_cast<std::int64_t>(lag * 1000))) : "";
}

Result<Exit> list_sinks(const Console& console) {
  BERTH_TRY(const auto status, ApiClient(console).get("/v1/status"));
  const auto& sinks = list_of(status, "sinks");
  if (console.json) {
    console.document(json::object{{"sinks", sinks}});
    return Exit::ok;
  }
  Table table({"SINK", "KIND", "STATE", "BEHIND", "TAKEN", "OVER RATE", "REFUSED", "LOST", "LAST TAKEN", "WHY"});
  for (const auto& one : sinks) {
    const std::string last = text_of(one, "last_success");
    const bool fails = !text_of(one, "failing_since").empty();
    table.row({text_of(one, "sink"), text_of(one, "kind"), {text_of(one, "state"), fails ? Tint::bad : Tint::none}, behind_of(one), count_of(one, "shipped"), count_of(one, "limited"), count_of(one, "refused"),
               count_of(one, "lost"), last.empty() ? "" : since_text(last, std::chrono::system_clock::now()) + " ago", printable(text_of(one, "last_error"))});
  }
  if (!table.empty()) console.print(table.render(console.colour, console.room()));
  else if (const std::string limits = limits_text(status); !limits.empty()) console.note(fmt::format("You may not see the node's sinks, which are of all apps: {}.", limits));
  else console.note("This node has no sinks: [[sink]] in berthd.toml names them.");
  return Exit::ok;
}

}  // namespace

Verb sinks_verb() {
  return {
      .name = "sinks",
      .summary = "Where the node's logs go, and what was taken since berthd began",
      .text = "TAKEN, OVER RATE, REFUSED and LOST count entries: what a sink has, what its 'rate' left out, what it refused for good, and what was removed here before it took it. WHY is what it said last. 'berth node reload' makes one that waits after a failure try at once.",
      .examples = {"berth sinks", "berth sinks --json"},
      .exits = with_daemon_exits({}),
      .action = [](Console& console) { return list_sinks(console); },
  };
}

}  // namespace berth::cli
