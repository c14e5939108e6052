#include "cli/watch_deployment.h"

#include <algorithm>
#include <thread>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/interrupt.h"
#include "cli/output/charset.h"
#include "cli/output/progress.h"
#include "cli/output/text.h"
#include "core/io/http.h"

namespace berth::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a berthd that went away (an upgrade, a restart) is waited for.
constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::milliseconds kBetweenTries{250};

/// What `wait` to ask for: on a terminal the line is drawn again each second.
std::int64_t seconds_to_wait(const Console& console, const std::optional<Clock::time_point>& end) {
  const std::int64_t most = console.draws && !console.json && !console.quiet ? 1 : 30;
  if (!end) return most;
  const auto left = std::chrono::ceil<std::chrono::seconds>(*end - Clock::now()).count();
  return std::clamp<std::int64_t>(left, 0, most);
}

/// Asks again and again while berthd is away, up to the patience or `end`.
Result<json::value> ask_patiently(const ApiClient& api, const std::string& target, milliseconds deadline, Progress& progress,
                                  const std::optional<Clock::time_point>& end) {
  auto give_up = Clock::now() + kPatience;
  if (end) give_up = std::min(give_up, *end);
  bool said = false;
  for (;;) {
    auto answer = api.get(target, deadline);
    if (answer || answer.error().code != Errc::unreachable || Clock::now() >= give_up) return answer;
    if (!std::exchange(said, true)) progress.happened("berthd does not answer; waiting for it to come back");
    std::this_thread::sleep_for(kBetweenTries);
  }
}

void show_steps(Progress& progress, const Deployment& deployment, std::size_t& shown) {
  for (; shown < deployment.steps.size(); ++shown) {
    // How it ended is told apart, with reasons.
    if (shown + 1 == deployment.steps.size() && deployment.ended()) continue;
    progress.happened(printable(step_text(deployment, deployment.steps[shown])));
  }
}

/// What is seen while it bakes, such as that it waits, is told at once; all notes come with how it ended.
void show_notes(Progress& progress, const Deployment& deployment, std::size_t& shown) {
  for (; shown < deployment.notes.size(); ++shown)
    if (deployment.state == "baking") progress.happened("Note: " + printable(deployment.notes[shown]));
}

/// Where to look, and how to end it: what is decided cannot be cancelled any more.
std::string what_to_do(const Deployment& deployment) {
  const std::string end = deployment.decided ? fmt::format("berth revert {}", deployment.app) : fmt::format("berth cancel {}", deployment.id);
  return fmt::format("see: berth status {}; berth history {}; {}", deployment.app, deployment.app, end);
}

Interrupt::Words words_of(const Console& console, const Deployment& deployment) {
  Interrupt::Words words{.notice = console.advice(fmt::format("\nberth: deployment {} of {} goes on; {}\n", deployment.id, deployment.name(), what_to_do(deployment)))};
  if (!deployment.decided) words.question = fmt::format("Deployment {} of {} is {}: Enter leaves it running, c cancels it: ", deployment.id, deployment.name(), deployment.state);
  else words.too_late = fmt::format("It is {} now, and cannot be cancelled any more. Enter leaves it running: ", deployment.state);
  return words;
}

/// For who asked for it at the terminal; how it ends is told by who watches.
void cancel(const Console& console, std::int64_t id) {
  const auto answer = ApiClient(console).post(fmt::format("/v1/deployments/{}/cancel", id), {}, kLongCall);
  if (!answer) console.warn(answer.error().message);
}

Exit decided(const Console& console, const json::value& json, const Deployment& deployment) {
  if (console.json) {
    console.document(json);
  } else {
    console.note(fmt::format("{} serves now; it is reverted on trouble until {}.", deployment.name(),
                             deployment.bake_until.empty() ? "its bake is over" : short_time(deployment.bake_until)));
  }
  return Exit::ok;
}

}  // namespace

milliseconds first_call_deadline(std::optional<milliseconds> at_most) {
  constexpr milliseconds kShortest{1000}, kLongest{30'000};
  return std::clamp(at_most.value_or(kLongest), kShortest, kLongest);
}

Exit conclude(const Console& console, const json::value& json) {
  const Deployment deployment = read_deployment(json);
  const Exit exit = deployment.already ? Exit::ok : exit_of(deployment);
  if (console.json) {
    console.document(json);
  } else if (exit != Exit::ok) {
    const std::string text = result_text(deployment, console.colour, console.node ? console.node->name : "");
    put(console.err, text);
  } else if (!console.quiet) {
    console.print(result_text(deployment, console.colour));
  }
  return exit;
}

Result<Exit> watch_deployment(const Console& console, const ApiClient& api, Deployment deployment, const WatchOptions& options) {
  std::optional<Clock::time_point> end;
  if (options.at_most) end = Clock::now() + *options.at_most;
  std::string look = what_to_do(deployment);
  Interrupt interrupt(words_of(console, deployment), [&console, id = deployment.id] { cancel(console, id); });

  Progress progress(console);
  std::size_t shown = 0, shown_notes = 0;
  std::string after;
  TransferRate rate;
  for (;;) {
    // The first look waits for nothing: what was reached by now is told at once, and what serves already is not waited for, however long its bake is.
    const std::int64_t wait = after.empty() ? 0 : seconds_to_wait(console, end);
    std::string target = fmt::format("/v1/deployments/{}?wait={}&until={}", deployment.id, wait, options.until_switched && !deployment.decided ? "switched" : "ended");
    if (!after.empty()) target += "&after=" + io::percent_encode(after);
    auto answer = ask_patiently(api, target, std::chrono::seconds(wait + 10), progress, end);
    if (!answer) {
      progress.clear();
      if (answer.error().code == Errc::unreachable)
        answer.error().message += fmt::format("\nDeployment {} of {} goes on when it is back; {}", deployment.id, deployment.name(), look);
      return pass(answer.error());
    }
    deployment = read_deployment(*answer);
    look = what_to_do(deployment);
    interrupt.change(words_of(console, deployment));
    if (!interrupt.asking()) show_steps(progress, deployment, shown);
    if (!interrupt.asking()) show_notes(progress, deployment, shown_notes);
    if (deployment.ended()) {
      progress.clear();
      return conclude(console, *answer);
    }
    // With `recreate` the decision comes before the new instances start; it serves when it bakes.
    if (options.until_switched && deployment.state == "baking") {
      progress.clear();
      return decided(console, *answer, deployment);
    }
    if (end && Clock::now() >= *end) {
      progress.clear();
      if (console.json) console.document(*answer);
      console.warn(fmt::format("deployment {} of {} is still {} and goes on; {}", deployment.id, deployment.name(), deployment.state, look));
      return Exit::still_running;
    }
    if (deployment.state == "fetching") rate.saw(static_cast<std::uint64_t>(deployment.bytes_done), Clock::now());
    if (!interrupt.asking()) progress.live(live_text(deployment, std::chrono::system_clock::now(), console.width, rate));
    after = deployment.state;
  }
}

}  // namespace berth::cli
