#include <algorithm>
#include <charconv>
#include <memory>
#include <vector>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

constexpr int kMostInstances = 256;  ///< as berthd has it

struct ScaleOptions {
  std::vector<std::string> what;
  std::string reason, timeout;
};

struct Scaled {
  std::string app, process;
  int instances = 0;
};

/// What "web/web=4" says. Fails with `Errc::usage`.
Result<Scaled> scaled_of(const std::string& what) {
  const auto wrong = [&] { return fail(Errc::usage, fmt::format("berth scale: '{}' is not APP/PROCESS=N, such as web/web=4", what)); };
  const auto equals = what.find('=');
  if (equals == std::string::npos) return wrong();
  const std::string number = what.substr(equals + 1);
  int instances = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), instances);
  const bool is_huge = error == std::errc::result_out_of_range && !number.starts_with('-');
  if (is_huge) instances = kMostInstances + 1;
  if ((error != std::errc() && !is_huge) || end != number.data() + number.size() || instances < 0) return wrong();
  BERTH_TRY(const auto selector, parse_selector(what.substr(0, equals)));
  if (!selector.process || selector.number || selector.release) return wrong();
  if (instances > kMostInstances)
    return fail(Errc::usage, fmt::format("berth scale: {}/{} cannot have {} instances; {} are the most", selector.app, *selector.process, number, kMostInstances));
  return Scaled{.app = selector.app, .process = *selector.process, .instances = instances};
}

/// All that is said, read before anything of it is asked for.
Result<std::vector<Scaled>> all_scaled(const std::vector<std::string>& what) {
  std::vector<Scaled> all;
  for (const std::string& one : what) {
    BERTH_TRY(Scaled scaled, scaled_of(one));
    const auto same = [&scaled](const Scaled& other) { return other.app == scaled.app && other.process == scaled.process; };
    if (std::ranges::any_of(all, same)) return fail(Errc::usage, fmt::format("berth scale: {}/{} is named twice", scaled.app, scaled.process));
    all.push_back(std::move(scaled));
  }
  return all;
}

/// What is told of a process that was scaled: also that its number is the release's own, so that nothing holds it there.
std::string told_of_scale(const json::value& app, const Scaled& one) {
  for (const auto& process : list_of(app, "processes"))
    if (text_of(process, "process") == one.process && number_of(process, "by_spec", -1) == one.instances)
      return fmt::format("{}/{} has {}, as its release says.", one.app, one.process, count_text(static_cast<std::uint64_t>(one.instances), "instance"));
  return fmt::format("{}/{} is scaled to {}, until a release says another number.", one.app, one.process, one.instances);
}

/// One after the other, up to the first that fails.
Result<Exit> scale(const Console& console, const ScaleOptions& options) {
  BERTH_TRY(const auto all, all_scaled(options.what));
  for (const Scaled& one : all) {
    json::object body{{"process", one.process}, {"instances", one.instances}};
    put_if(body, "reason", options.reason);
    const json::value before = console.quiet || console.json ? json::value() : told_of(ApiClient(console), one.app);
    BERTH_TRY(const auto answer, long_call(console, {.method = "POST", .target = app_target(one.app, "/scale"), .body = std::move(body)}, options.timeout));
    if (!answer) return Exit::still_running;
    if (console.json) console.document(*answer);
    console.note(told_of_scale(before, one));
  }
  return Exit::ok;
}

}  // namespace

Verb scale_verb() {
  auto o = std::make_shared<ScaleOptions>();
  return {
      .name = "scale",
      .summary = "Say how many instances of a process run",
      .text = "0 to 256, and at least 1 where the process has a port. The number holds over deployments and reboots, "
              "until a release comes whose own number is another than now. Several are scaled one after the other, up to the first that cannot be.",
      .examples = {"berth scale web/web=4", "berth scale web/web=4 web/worker=2 --reason 'the sale begins'"},
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::conflict, Exit::still_running}),
      .arguments = {{"APP/PROCESS=N...", "the process and the number; several for several", &o->what, Completes::process}},
      .options = {reason_option(o->reason), timeout_option(o->timeout)},
      .action = [o](Console& console) { return scale(console, *o); },
  };
}

}  // namespace berth::cli
