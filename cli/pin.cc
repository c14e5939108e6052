#include <algorithm>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

Verb pin_or_unpin(const std::string& name, std::string summary, const std::string& done) {
  struct Options {
    std::string release, reason;
  };
  const auto o = std::make_shared<Options>();
  return {
      .name = name,
      .summary = std::move(summary),
      .examples = {"berth " + name + " web@v40"},
      .exits = with_daemon_exits({Exit::not_found}),
      .arguments = {{"APP@RELEASE", "a release on the node", &o->release, Completes::release_here}},
      .options = {reason_option(o->reason)},
      .action = [o, name, done](Console& console) -> Result<Exit> {
        BERTH_TRY(const auto ref, release_argument(o->release, name));
        const ApiClient api(console);
        const json::value before = told_of(api, ref.app);
        const auto& pinned = list_of(before, "pinned");
        const bool was = std::ranges::any_of(pinned, [&](const json::value& one) { return one.is_string() && one.get_string() == ref.release; });
        json::object body{{"release", ref.release}};
        put_if(body, "reason", o->reason);
        BERTH_TRY(const auto answer, api.post(app_target(ref.app, "/" + name), std::move(body)));
        if (console.json) console.document(answer);
        if (before.is_object() && was == (name == "pin")) console.note(fmt::format("{}@{} {} already.", ref.app, ref.release, was ? "is pinned" : "was not pinned: it may be collected"));
        else console.note(fmt::format("{}@{} {}.", ref.app, ref.release, done));
        return Exit::ok;
      },
  };
}

}  // namespace

Verb pin_verb() {
  Verb verb = pin_or_unpin("pin", "Keep a release on the node, whatever 'berth gc' does", "stays on the node until it is unpinned");
  verb.text = "An app whose active release is pinned follows no channel.";
  return verb;
}

Verb unpin_verb() {
  return pin_or_unpin("unpin", "Let a pinned release be collected again", "may be collected again");
}

}  // namespace berth::cli
