#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

struct MarkOptions {
  std::string release, as, reason;
};

Result<Exit> mark(const Console& console, const MarkOptions& options) {
  BERTH_TRY(const auto ref, release_argument(options.release, "mark"));
  if (options.as != "good" && options.as != "bad")
    return fail(Errc::usage, fmt::format("berth mark: '{}' is neither 'good' nor 'bad'", options.as));
  json::object body{{"release", ref.release}, {"as", options.as}};
  put_if(body, "reason", options.reason);
  BERTH_TRY(const auto answer, ApiClient(console.socket).post(app_target(ref.app, "/mark"), std::move(body)));
  if (console.json) console.document(answer);
  console.note(options.as == "bad" ? fmt::format("{}@{} is rejected: it is not deployed or reverted to unless --force or --to says so.", ref.app, ref.release)
                                   : fmt::format("{}@{} may be deployed again.", ref.app, ref.release));
  return Exit::ok;
}

}  // namespace

Verb mark_verb() {
  auto o = std::make_shared<MarkOptions>();
  return {
      .name = "mark",
      .summary = "Say that a release is good, or bad, on this node",
      .text = "A bad release is rejected, as one that failed here is: channels pass it over, 'berth deploy' refuses it without --force, and 'berth revert' does not "
              "choose it. A good one is not rejected any more, whatever it was rejected for, and a channel that wants it is asked at once. Neither changes what runs: "
              "'berth revert' leaves a bad release that is active.",
      .examples = {"berth mark web@v42 bad --reason 'loses sessions'", "berth mark web@v41 good --reason 'the database was to blame'"},
      .exits = with_daemon_exits({Exit::not_found, Exit::conflict}),
      .arguments = {{"APP@RELEASE", "the release; it need not be on the node", &o->release, Completes::release}, {"good|bad", "what it is", &o->as}},
      .options = {reason_option(o->reason)},
      .action = [o](Console& console) { return mark(console, *o); },
  };
}

}  // namespace berth::cli
