#include <chrono>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/follow_note.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

constexpr std::string_view kNoReason = "no reason was given";  ///< as berthd has it, of a hold without one

/// What is said of a hold that was there when somebody holds the app; berthd keeps it unless another reason is given.
std::string told_of_hold(const std::string& app, const json::value& before, const std::string& reason, const std::string& done) {
  const std::string why = text_of(before, "held"), by = text_of(before, "held_by");
  if (why.empty()) return done;
  const std::string who = by.empty() ? why : fmt::format("{} (by {}, {} ago)", why, by, since_text(text_of(before, "held_at"), std::chrono::system_clock::now()));
  if (truth_of(before, "held_firmly") && (reason.empty() || reason == why)) return fmt::format("{} is held already: {}.{}", app, who, reason.empty() ? " A --reason would take the place of that." : "");
  if (why == kNoReason)
    return fmt::format("{} It was held already, without a reason{}; this takes the place of that.", done, by.empty() ? "" : who.substr(why.size()));
  return fmt::format("{} That takes the place of what it was held for before: {}.", done, who);
}

/// What is not here is not held, and comes with the next poll where it is followed: that it does, and what keeps it off.
Error with_follow(const ApiClient& api, const std::string& app, Error error) {
  if (error.code != Errc::not_found) return error;
  const auto status = api.get("/v1/status");
  if (const std::string note = status ? follow_note(*status, app, {}, nullptr) : std::string(); !note.empty()) error.message += ". " + note;
  return error;
}

Verb hold_or_resume(const std::string& name, std::string summary, std::vector<std::string> examples, const std::string& done) {
  struct Options {
    std::string app, reason;
  };
  auto o = std::make_shared<Options>();
  return {
      .name = name,
      .summary = std::move(summary),
      .examples = std::move(examples),
      .exits = with_daemon_exits({Exit::not_found, Exit::conflict}),
      .arguments = {{"APP", "the app", &o->app, Completes::app}},
      .options = {reason_option(o->reason)},
      .action = [o, name, done](Console& console) -> Result<Exit> {
        BERTH_TRY(const auto app, app_argument(o->app, name));
        json::object body;
        put_if(body, "reason", o->reason);
        const ApiClient api(console);
        const json::value before = told_of(api, app);
        const bool held = !before.is_object() || !text_of(before, "held").empty();
        const auto answer = api.post(app_target(app, "/" + name), std::move(body));
        if (!answer) return std::unexpected(with_follow(api, app, answer.error()));
        if (console.json) console.document(*answer);
        const std::string usual = fmt::format(fmt::runtime(done), app);
        if (name == "hold") console.note(told_of_hold(app, before, o->reason, usual));
        else console.note(held ? usual : fmt::format("{} was not held: deployments act on it already.", app));
        return Exit::ok;
      },
  };
}

}  // namespace

Verb hold_verb() {
  Verb verb = hold_or_resume("hold", "Leave an app at the release that it has, until 'berth resume'", {"berth hold web --reason 'the audit of the books, until Friday'"},
                             "{0} is held: deployments of it are refused until 'berth resume {0}'.");
  verb.text = "Channels and retries leave a held app alone, and 'berth deploy' ends with 8 and says who holds it, since when and why; --force deploys all the same, "
              "and leaves the app held. What is under way goes on, and so does what reverts. Holding again with another --reason takes the place of the hold before, which is told; without one it changes nothing.";
  return verb;
}

Verb resume_verb() {
  Verb verb = hold_or_resume("resume", "Let deployments act again, at once, on an app that is held", {"berth resume web"}, "{0} is no longer held.");
  verb.text = "An app is held by 'berth hold', or since it was reverted by hand. 'berth node resume' is about the node.";
  return verb;
}

}  // namespace berth::cli
