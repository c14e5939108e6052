#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/interrupt.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

using RunClock = std::chrono::steady_clock;

constexpr std::int64_t kRunPollSeconds = 30;            ///< of a question to berthd
constexpr std::chrono::seconds kRunPatience{30};        ///< with a berthd that went away
constexpr std::chrono::milliseconds kRunBetweenTries{250};

struct RunJobOptions {
  std::string what, reason, timeout;
  bool no_wait = false;
};

/// Asks again and again while berthd is away, up to the patience: a restart or an upgrade of it disturbs no job.
Result<json::value> ask_of_job(const ApiClient& api, const std::string& target, milliseconds deadline) {
  const auto give_up = RunClock::now() + kRunPatience;
  for (;;) {
    auto answer = api.get(target, deadline);
    if (answer || answer.error().code != Errc::unreachable || RunClock::now() >= give_up) return answer;
    std::this_thread::sleep_for(kRunBetweenTries);
  }
}

/// How the run ended, for whoever waited for it.
Exit conclude_job(const Console& console, const std::string& name, const json::value& job, std::int64_t run) {
  if (console.json) console.document(job);
  const std::string state = text_of(job, "state"), result = text_of(job, "result");
  const auto attempts = number_of(job, "attempts");
  if (number_of(job, "run") != run) {
    console.warn(fmt::format("run {} of {} ended, and another one was begun since; 'berth events' tells how it ended", run, name));
    return Exit::failed;
  }
  if (state == "ok") {
    console.note(fmt::format("{} ended well.", name));
    return Exit::ok;
  }
  if (console.json) return Exit::failed;
  std::string text = fmt::format("{} {}{}", name, result, attempts > 1 ? fmt::format(" (tried {} times)", attempts) : "");
  for (const auto& line : list_of(job, "last_lines"))
    if (const auto* words = line.if_string()) text += "\n  " + printable(std::string(*words));
  console.warn(text);
  return Exit::failed;
}

Result<Exit> wait_for_job(const Console& console, const ApiClient& api, const RunJobOptions& options, const std::string& target, std::int64_t run) {
  BERTH_TRY(const auto at_most, duration_argument(options.timeout, "--timeout"));
  const std::string look = fmt::format("see: berth status; berth logs {}; berth stop {} ends it", options.what, options.what);
  const Interrupt interrupt({.notice = console.advice(fmt::format("\nberth: {} goes on; {}\n", options.what, look))});
  const auto end = RunClock::now() + at_most.value_or(milliseconds(0));
  for (;;) {
    std::int64_t wait = kRunPollSeconds;
    if (at_most) wait = std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(end - RunClock::now()).count(), 0, wait);
    BERTH_TRY(const auto job, ask_of_job(api, fmt::format("{}?wait={}&run={}", target, wait, run), std::chrono::seconds(wait + 10)));
    if (text_of(job, "state") != "running" || number_of(job, "run") != run) return conclude_job(console, options.what, job, run);
    if (!at_most || RunClock::now() < end) continue;
    if (console.json) console.document(job);
    console.warn(fmt::format("{} still runs; {}", options.what, look));
    return Exit::still_running;
  }
}

Result<Exit> run_job(const Console& console, const RunJobOptions& options) {
  BERTH_TRY(const auto selector, parse_selector(options.what));
  if (!selector.process || selector.number || selector.release)
    return fail(Errc::usage, fmt::format("berth run-job: '{}' is no APP/JOB, such as web/report; 'berth status {}' lists the jobs of its active release", options.what, selector.app));
  const ApiClient api(console);
  const std::string target = app_target(selector.app, "/jobs/" + *selector.process);
  json::object body;
  put_if(body, "reason", options.reason);
  BERTH_TRY(const auto begun, api.post(target + "/run", std::move(body)));
  const auto run = number_of(begun, "run");
  if (!options.no_wait) return wait_for_job(console, api, options, target, run);
  if (console.json) console.document(begun);
  console.note(fmt::format("{} of {} runs.", options.what, text_of(begun, "release")));
  return Exit::ok;
}

}  // namespace

Verb run_job_verb() {
  auto o = std::make_shared<RunJobOptions>();
  return {
      .name = "run-job",
      .summary = "Run a job of the active release, and wait for its end",
      .text = "A job is a process with type = \"job\" in berth.toml. It runs under a keeper of its own, with the release's user, environment, limits and log, also after "
              "'berth run-job' has gone: 'berth status' shows how it ends, 'berth logs APP/JOB' what it prints, and 'berth stop APP/JOB' ends it. One run of a job goes on at a "
              "time. A command that is no job: 'berth exec'.",
      .examples = {"berth run-job web/report", "berth run-job web/report --no-wait --reason 'numbers of March'"},
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::conflict, Exit::still_running}),
      .arguments = {{"APP/JOB", "the job", &o->what, Completes::job}},
      .options = {{.names = "--no-wait", .value = "", .help = "return when it was begun", .into = &o->no_wait},
                  {.names = "--timeout", .value = "DURATION", .help = "wait for so long at most; it goes on", .into = &o->timeout},
                  reason_option(o->reason)},
      .action = [o](Console& console) { return run_job(console, *o); },
      .exit_texts = {{"130", "interrupted; the job goes on"}},
  };
}

}  // namespace berth::cli
