#include <algorithm>
#include <chrono>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

struct MarkOptions {
  std::string release, as, reason;
};

/// How long the repository is waited for where only a warning hangs on it.
constexpr milliseconds kPatienceForAWarning{10'000};

/// Whether the release is nowhere, as far as can be seen.
bool is_unknown(const ApiClient& api, const ReleaseRef& ref) {
  const auto answer = api.get(app_target(ref.app, "/releases"), kPatienceForAWarning);
  if (!answer || !text_of(*answer, "repository_error").empty()) return false;
  const auto& releases = list_of(*answer, "releases");
  return std::ranges::none_of(releases, [&](const json::value& one) { return text_of(one, "release") == ref.release; });
}

/// `before`: how it was rejected already, or null.
std::string rejected_text(const ReleaseRef& ref, const json::value* before, const json::value& answer) {
  const char* what = "it is not deployed or reverted to unless --force or --to says so";
  if (before == nullptr) return fmt::format("{}@{} is rejected: {}.", ref.app, ref.release, what);
  const auto* changed = member(answer, "changed");
  const bool is_same = changed != nullptr && changed->is_bool() && !changed->get_bool();
  const std::string reason = printable(text_of(*before, "reason")), age = since_text(text_of(*before, "at"), std::chrono::system_clock::now());
  return is_same ? fmt::format("{}@{} is rejected already, {} ago ({}): {}.", ref.app, ref.release, age, reason, what)
                 : fmt::format("{}@{} is rejected: {}. It was already, {} ago ({}); this takes the place of that.", ref.app, ref.release, what, age, reason);
}

Result<Exit> mark(const Console& console, const MarkOptions& options) {
  BERTH_TRY(const auto ref, release_argument(options.release, "mark"));
  if (options.as != "good" && options.as != "bad")
    return fail(Errc::usage, fmt::format("berth mark: '{}' is neither 'good' nor 'bad'", options.as));
  json::object body{{"release", ref.release}, {"as", options.as}};
  put_if(body, "reason", options.reason);
  const ApiClient api(console);
  const bool bad = options.as == "bad", unknown = bad && !console.quiet && is_unknown(api, ref);
  const json::value before = told_of(api, ref.app);
  const auto& rejected = list_of(before, "rejected");
  const auto its = std::ranges::find_if(rejected, [&](const json::value& one) { return text_of(one, "release") == ref.release; });
  const bool was = its != rejected.end();
  BERTH_TRY(const auto answer, api.post(app_target(ref.app, "/mark"), std::move(body)));
  if (console.json) console.document(answer);
  if (bad) console.note(rejected_text(ref, was ? &*its : nullptr, answer) + (text_of(before, "active") == ref.release ? fmt::format(" It is active, and goes on: 'berth revert {}' leaves it.", ref.app) : ""));
  else if (before.is_object() && !was) console.note(fmt::format("{}@{} was not rejected: it may be deployed already.", ref.app, ref.release));
  else console.note(fmt::format("{}@{} may be deployed again.", ref.app, ref.release));
  if (unknown)
    console.warn(fmt::format("{0}@{1} is neither on this node nor in its repository; if another was meant, 'berth mark {0}@{1} good' takes it back, and "
                             "'berth releases {0}' lists what there is", ref.app, ref.release));
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
      .arguments = {{"APP@RELEASE", "the release; it need not be on the node", &o->release, Completes::release}, {"good|bad", "what it is", &o->as, Completes::nothing, true, "good bad"}},
      .options = {reason_option(o->reason)},
      .action = [o](Console& console) { return mark(console, *o); },
  };
}

}  // namespace berth::cli
