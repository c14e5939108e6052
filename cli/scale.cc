#include <charconv>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

constexpr int kMostInstances = 256;  ///< as berthd has it

struct ScaleOptions {
  std::string what, reason, timeout;
};

Result<Exit> scale(const Console& console, const ScaleOptions& options) {
  const auto equals = options.what.find('=');
  const auto wrong = [&] { return fail(Errc::usage, fmt::format("berth scale: '{}' is not APP/PROCESS=N, such as web/web=4", options.what)); };
  if (equals == std::string::npos) return wrong();
  const std::string number = options.what.substr(equals + 1);
  int instances = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), instances);
  const bool is_huge = error == std::errc::result_out_of_range && !number.starts_with('-');
  if (is_huge) instances = kMostInstances + 1;
  if ((error != std::errc() && !is_huge) || end != number.data() + number.size() || instances < 0) return wrong();
  BERTH_TRY(const auto selector, parse_selector(options.what.substr(0, equals)));
  if (!selector.process || selector.number || selector.release) return wrong();

  if (instances > kMostInstances)
    return fail(Errc::usage, fmt::format("berth scale: {}/{} cannot have {} instances; {} are the most", selector.app, *selector.process, number, kMostInstances));

  json::object body{{"process", *selector.process}, {"instances", instances}};
  put_if(body, "reason", options.reason);
  BERTH_TRY(const auto answer, long_call(console, {.method = "POST", .target = app_target(selector.app, "/scale"), .body = std::move(body)}, options.timeout));
  if (!answer) return Exit::still_running;
  if (console.json) console.document(*answer);
  console.note(fmt::format("{}/{} is scaled to {}, until a release says another number.", selector.app, *selector.process, instances));
  return Exit::ok;
}

}  // namespace

Verb scale_verb() {
  auto o = std::make_shared<ScaleOptions>();
  return {
      .name = "scale",
      .summary = "Say how many instances of a process run",
      .text = "0 to 256, and at least 1 where the process has a port. The number holds over deployments and reboots, "
              "until a release comes whose own number is another than now.",
      .examples = {"berth scale web/web=4"},
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::conflict, Exit::still_running}),
      .arguments = {{"APP/PROCESS=N", "the process and the number", &o->what, Completes::process}},
      .options = {reason_option(o->reason), timeout_option(o->timeout)},
      .action = [o](Console& console) { return scale(console, *o); },
  };
}

}  // namespace berth::cli
