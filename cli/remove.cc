#include <unistd.h>

#include <iostream>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/follow_note.h"
#include "cli/output/text.h"
#include "cli/verbs.h"
#include "core/io/http.h"

namespace berth::cli {
namespace {

struct RemoveOptions {
  std::string app, reason;
  bool purge = false, yes = false;
};

/// Asks before data is deleted; a script says --yes.
Result<void> confirm(const Console& console, const std::string& app) {
  if (::isatty(STDIN_FILENO) != 1)
    return fail(Errc::usage, fmt::format("berth remove {} --purge deletes its data and logs for good: add --yes to do so", app));
  fmt::print(console.err, "This deletes the data and logs of {} for good. Type its name to go on: ", app);
  std::fflush(console.err);
  std::string typed;
  std::getline(std::cin, typed);
  if (typed != app) return fail(Errc::cancelled, "nothing was removed");
  return {};
}

Result<Exit> remove(const Console& console, const RemoveOptions& options) {
  BERTH_TRY(const auto app, app_argument(options.app, "remove"));
  if (options.purge && !options.yes) BERTH_CHECK(confirm(console, app));
  std::string target = app_target(app, options.purge ? "?purge=true" : "?purge=false");
  if (!options.reason.empty()) target += "&reason=" + io::percent_encode(options.reason);
  const ApiClient api(console);
  BERTH_TRY(const auto answer, api.call({.method = "DELETE", .target = target, .deadline = kLongCall}));
  if (console.json) console.document(answer.body);
  console.note(options.purge ? fmt::format("{} is removed, with its data and logs.", app)
                             : fmt::format("{} is removed; its data and logs stay ('berth remove {} --purge' takes them, too).", app, app));
  if (console.json || console.quiet) return Exit::ok;
  const auto status = api.get("/v1/status");
  if (const std::string note = status ? follow_note(*status, app, {}) : std::string(); !note.empty()) console.note("Note: " + printable(note));
  return Exit::ok;
}

}  // namespace

Verb remove_verb() {
  auto o = std::make_shared<RemoveOptions>();
  return {
      .name = "remove",
      .summary = "Drain and stop an app, and take its route, slots and user away",
      .examples = {"berth remove web # its data and logs stay", "berth remove web --purge --yes # nothing stays"},
      .exits = with_daemon_exits({Exit::not_found, Exit::conflict}),
      .arguments = {{"APP", "the app", &o->app, Completes::app}},
      .options = {{"--purge", "", "its data and logs as well, also those that an app left which was removed before", &o->purge},
                  {"-y,--yes", "", "with --purge: do not ask first", &o->yes},
                  reason_option(o->reason)},
      .action = [o](Console& console) { return remove(console, *o); },
  };
}

}  // namespace berth::cli
