#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/follow_note.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"
#include "core/io/http.h"

namespace berth::cli {
namespace {

struct RemoveOptions {
  std::string app, reason, timeout;
  bool purge = false, yes = false, force = false;
};

/// Asks before data is deleted; a script says --yes.
Result<void> confirm(const Console& console, const std::string& app) {
  if (!can_ask())
    return fail(Errc::usage, fmt::format("berth remove {} --purge deletes its data and logs for good: add --yes to do so", app));
  if (!asks_for(console, fmt::format("This deletes the data and logs of {} for good. Type its name to go on: ", app), app)) return fail(Errc::cancelled, "nothing was removed");
  return {};
}

/// Asks at a terminal whether what berthd refused is meant all the same. False where nobody is there to be asked, or says no.
bool insists(const Console& console, const std::string& app, const Error& refused) {
  return can_ask() && asks_for(console, fmt::format("{}.\nType {} to remove it all the same: ", printable(refused.message), app), app);
}

std::string joined(const json::array& list, std::string_view key) {
  std::string text;
  for (const auto& one : list) {
    const auto* name = one.if_string();
    text += (text.empty() ? "" : ", ") + (name != nullptr ? std::string(*name) : text_of(one, key));
  }
  return text;
}

/// "web runs v7": what ends with an app that goes; empty where nothing does, and where berthd refuses it, about which is asked then.
std::string what_ends(const json::value& before, const std::string& app, const RemoveOptions& options) {
  if (!before.is_object()) return {};
  const auto* deployment = member(before, "deployment");
  const bool refused = !options.force && (truth_of(before, "held_firmly") || (deployment != nullptr && deployment->is_object()));
  if (refused) return {};
  const std::string active = text_of(before, "active"), pinned = joined(list_of(before, "pinned"), "");
  std::string text;
  if (!active.empty() && !truth_of(before, "stopped")) text = fmt::format("{} runs {}", app, active);
  if (!pinned.empty()) text += fmt::format("{} pinned releases, which go with it: {}", text.empty() ? app + " has" : " and has", pinned);
  return text;
}

/// Asks at a terminal before what serves or is pinned goes; a script is not asked.
Result<void> confirm_end(const Console& console, const std::string& app, const json::value& before, const RemoveOptions& options) {
  if (options.yes || options.purge || !can_ask()) return {};
  const std::string ends = what_ends(before, app, options);
  if (ends.empty()) return {};
  if (!asks_for(console, fmt::format("{}.\nType {} to remove it: ", printable(ends), app), app)) return fail(Errc::cancelled, "nothing was removed");
  return {};
}

/// What went with it, and what stays: a note for each, of the app as it was told before.
std::vector<std::string> what_went(const json::value& before, const RemoveOptions& options) {
  std::vector<std::string> notes;
  if (!before.is_object()) return notes;
  if (const std::string pinned = joined(list_of(before, "pinned"), ""); !pinned.empty()) notes.push_back("its pinned releases went, too: " + pinned);
  if (const std::string held = text_of(before, "held"); !held.empty()) notes.push_back("it is held no more (" + held + ")");
  const std::string rejected = joined(list_of(before, "rejected"), "release");
  if (!rejected.empty() && !options.purge) notes.push_back(fmt::format("still rejected here, should it come back: {}", rejected));
  const auto* deployment = member(before, "deployment");
  if (deployment != nullptr && deployment->is_object())
    notes.push_back(fmt::format("deployment {} of {} ended with it", number_of(*deployment, "id"), text_of(*deployment, "release")));
  return notes;
}

Result<Exit> remove(const Console& console, const RemoveOptions& options) {
  BERTH_TRY(const auto app, app_argument(options.app, "remove"));
  if (options.purge && !options.yes) BERTH_CHECK(confirm(console, app));
  std::string target = app_target(app, options.purge ? "?purge=true" : "?purge=false");
  if (!options.reason.empty()) target += "&reason=" + io::percent_encode(options.reason);
  const ApiClient api(console);
  const json::value before = told_of(api, app);
  BERTH_CHECK(confirm_end(console, app, before, options));
  auto answer = long_call(console, {.method = "DELETE", .target = target + (options.force ? "&force=true" : "")}, options.timeout);
  if (!answer && answer.error().code == Errc::conflict && !options.force && insists(console, app, answer.error()))
    answer = long_call(console, {.method = "DELETE", .target = target + "&force=true"}, options.timeout);
  if (!answer) return pass(answer.error());
  if (!*answer) return Exit::still_running;
  if (console.json) console.document(**answer);
  console.note(options.purge ? fmt::format("{} is removed, with its data and logs.", app)
                             : fmt::format("{} is removed; its data and logs stay ('berth remove {} --purge' takes them, too).", app, app));
  if (console.json || console.quiet) return Exit::ok;
  for (const std::string& note : what_went(before, options)) console.note("Note: " + printable(note) + ".");
  const auto status = api.get("/v1/status");
  if (const std::string note = status ? follow_note(*status, app, {}, options.purge ? nullptr : &before) : std::string(); !note.empty()) console.note("Note: " + printable(note));
  return Exit::ok;
}

}  // namespace

Verb remove_verb() {
  auto o = std::make_shared<RemoveOptions>();
  return {
      .name = "remove",
      .summary = "Drain and stop an app, and take its route, slots and user away",
      .text = "Its releases go, pinned ones among them, and so do its scale and its hold. Releases that are rejected stay so, should the app come back, unless --purge "
              "is given. An app that 'berth hold' holds or that has a deployment under way is refused, or asked about at a terminal, unless --force is given. At a terminal it also asks about an app "
              "that runs or has pinned releases, unless --yes is given.",
      .examples = {"berth remove web # its data and logs stay", "berth remove web --purge --yes # nothing stays"},
      .exits = with_daemon_exits({Exit::not_found, Exit::conflict, Exit::still_running}),
      .arguments = {{"APP", "the app", &o->app, Completes::app}},
      .options = {{"--purge", "", "its data and logs as well, also those that an app left which was removed before", &o->purge},
                  {"--force", "", "also where the app is held or has a deployment under way, which is cancelled", &o->force},
                  {"-y,--yes", "", "do not ask first, with --purge or at a terminal", &o->yes},
                  reason_option(o->reason), timeout_option(o->timeout)},
      .action = [o](Console& console) { return remove(console, *o); },
  };
}

}  // namespace berth::cli
