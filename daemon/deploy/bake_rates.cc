#include "daemon/deploy/bake_rates.h"

#include <algorithm>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "core/exposition/exposition.h"
#include "core/io/http.h"
#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/log_count.h"
#include "daemon/deploy/scraping.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using io::Steady;

constexpr std::size_t kMostMetrics = 4u << 20;  ///< bytes of one page
constexpr std::string_view kMetricBefore = "metric_before", kLogBefore = "log_before", kInstancesBefore = "instances_before";

double number_in_detail(const Run& run, std::string_view name) {
  const auto* member = run.row.detail.if_contains(name);
  if (member == nullptr || !member->is_number()) return 0;
  return member->to_number<double>();
}

/// The canary has a part of the instances, and of the trouble that was there before.
double before_of(const Run& run, std::string_view name, std::size_t instances) {
  const double there = number_in_detail(run, kInstancesBefore);
  const double share = there > 0 ? std::min(1.0, static_cast<double>(instances) / there) : 1.0;
  return number_in_detail(run, name) * share;
}

/// The release's instances that have a counter to look at.
std::vector<InstanceId> asked_of(const App& app, const Run& run, const std::string& release) {
  const spec::AppSpec& spec = run.manifest->spec;
  std::vector<InstanceId> ids;
  for (const Member& member : app.members) {
    const auto asked = spec.processes.find(member.row.process);
    if (member.row.release != release || asked == spec.processes.end() || !spec.deploy.bake.metric) continue;
    if (!spec::metric_port(asked->first, asked->second, *spec.deploy.bake.metric).empty()) ids.push_back(member.id());
  }
  return ids;
}

/// Why a rate is too high; empty while it is not.
std::string too_much(std::string_view what, double rate, const spec::Rate& most, double before, const char* when) {
  const double limit = highest_rate(most.per_second(), before);
  if (rate <= limit) return {};
  return fmt::format("{} {} {}: at most {} is allowed ({} before)", what, rate_text(rate), when, rate_text(limit), rate_text(before));
}

}  // namespace

bool watches_rates(const Run& run) {
  return run.manifest && !run.is_revert() && (run.manifest->spec.deploy.bake.metric || run.manifest->spec.deploy.bake.log);
}

/// What the instance's counter says now. `rules` is the spec's that asks; the port is looked for in the instance's own release.
awaitable<Result<double>> BakeRates::read_counter(AppPtr app, InstanceId id, spec::BakeMetric rules) {
  const auto manifest = co_await node_.manifest_of(app, id.release);
  if (!manifest) co_return std::unexpected(manifest.error());
  const auto process = (*manifest)->spec.processes.find(id.process);
  const std::string port = process == (*manifest)->spec.processes.end() ? std::string() : spec::metric_port(id.process, process->second, rules);
  const auto to = endpoint_of(node_, *app, **manifest, id, port);
  if (!to) co_return std::unexpected(to.error());
  io::HttpRequest request{.target = rules.path, .headers = {{"accept", "text/plain; version=0.0.4"}}, .deadline = 2s, .most_body = kMostMetrics};
  request.to = *to;
  const auto answer = co_await io::http_ask(std::move(request));
  if (!answer) co_return std::unexpected(answer.error());
  if (answer->status != 200) co_return fail(Errc::protocol, fmt::format("{} from {}", answer->status, rules.path));
  const auto add_up = [body = answer->body, rules]() -> Result<double> {
    BERTH_TRY(const exposition::Selector selector, exposition::parse_selector(rules.query));
    BERTH_TRY(const exposition::Sum sum, exposition::sum_of(body, selector));
    if (!sum.named) return fail(Errc::not_found, fmt::format("there is no {} at {}", selector.name, rules.path));
    return sum.value;
  };
  const auto value = co_await node_.pool.run(add_up);  // a page may be large
  co_return value;
}

/// By how much the counters of a release's instances grew since they were last looked at. What cannot be read is told, and counts nothing.
awaitable<double> BakeRates::growth_of(AppPtr app, RunPtr run, std::string release, std::shared_ptr<Growth> growth) {
  const spec::BakeMetric rules = *run->manifest->spec.deploy.bake.metric;
  double grown = 0;
  for (const InstanceId& id : asked_of(*app, *run, release)) {
    const auto value = co_await read_counter(app, id, rules);
    if (node_.closed || (!run->cancelled_by.empty() && !run->position.decided)) co_return 0;
    if (value) grown += growth->seen(to_string(id), *value);
    else if (run->uncompared.insert(to_string(id)).second)
      run->to_note.push_back(fmt::format("its metrics could not be compared: {}: {}", to_string(id), value.error().message));
  }
  co_return grown;
}

awaitable<void> BakeRates::begin_baseline(AppPtr app, RunPtr run) {
  run->baseline.reset();
  for (const std::string_view name : {kMetricBefore, kLogBefore, kInstancesBefore}) run->row.detail.erase(name);
  if (!watches_rates(*run) || !run->course.has_previous) co_return;
  const spec::Bake rules = run->manifest->spec.deploy.bake;
  run->row.detail[kInstancesBefore] = static_cast<std::int64_t>(asked_of(*app, *run, run->row.from).size());
  if (rules.metric) {
    run->baseline = std::make_shared<Growth>();
    run->baseline_began = Steady::now();
    static_cast<void>(co_await growth_of(app, run, run->row.from, run->baseline));
  }
  if (!rules.log) co_return;
  const milliseconds window = rate_window(rules.duration);
  const logs::Time now = std::chrono::system_clock::now();
  const auto count = std::make_shared<LogCount>(node_.store.paths().logs, app->name(), rules.log->pattern, now - window, now);
  const auto look = [count] { return count->more(); };
  const auto lines = co_await node_.pool.run(look);
  if (lines) run->row.detail[kLogBefore] = static_cast<double>(*lines) * 1000 / static_cast<double>(window.count());
  else run->to_note.push_back("its log could not be read: " + lines.error().message);
}

awaitable<Result<void>> BakeRates::finish_baseline(AppPtr app, RunPtr run) {
  if (run->baseline) {
    const auto end = run->baseline_began + baseline_window(run->manifest->spec.deploy.bake.duration);
    while (!node_.closed && run->cancelled_by.empty()) {
      const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
      if (left <= 0ms) break;
      co_await run->changed.wait(left);
    }
    if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
    if (!run->cancelled_by.empty()) co_return fail(Errc::cancelled, "cancelled by " + run->cancelled_by);
    const double grown = co_await growth_of(app, run, run->row.from, run->baseline);
    const auto took = std::chrono::duration<double>(Steady::now() - run->baseline_began).count();
    run->row.detail[kMetricBefore] = grown / took;
    run->baseline.reset();
  }
  co_await node_.tell_notes(run);
  co_return Result<void>();
}

awaitable<void> BakeRates::watch(AppPtr app, RunPtr run) {
  const State during = run->position.state;
  const auto bakes = [this, run, during, which = run->bakes] { return !node_.closed && run->position.state == during && run->bakes == which; };
  const spec::Deploy& deploy = run->manifest->spec.deploy;
  const spec::Bake rules = deploy.bake;
  const milliseconds whole = during == State::canary ? deploy.canary.bake : rules.duration;
  const char* when = during == State::canary ? "in the canary's bake" : "in its bake";
  RateMeter metric(rate_window(whole)), log(rate_window(whole));
  const auto growth = std::make_shared<Growth>();
  std::shared_ptr<LogCount> count;
  if (rules.log) count = std::make_shared<LogCount>(node_.store.paths().logs, app->name(), rules.log->pattern, std::chrono::system_clock::now());
  while (bakes() && app->run == run && run->trouble.empty()) {
    const std::size_t instances = asked_of(*app, *run, run->row.release).size();
    std::string trouble;
    if (rules.metric) {
      const double grown = co_await growth_of(app, run, run->row.release, growth);
      metric.add(Steady::now(), grown);
      const std::string what = fmt::format("{} grew by", rules.metric->query);
      trouble = too_much(what, metric.rate(Steady::now()), rules.metric->max_rate, before_of(*run, kMetricBefore, instances), when);
    }
    if (count && trouble.empty()) {
      const auto look = [count] { return count->more(); };
      const auto lines = co_await node_.pool.run(look);
      if (lines) log.add(Steady::now(), static_cast<double>(*lines));
      else run->to_note.push_back("its log could not be read: " + lines.error().message);
      const std::string what = fmt::format("lines with '{}' came at", rules.log->pattern);
      // A log is the app's, whichever release writes.
      trouble = too_much(what, log.rate(Steady::now()), rules.log->max_rate, number_in_detail(*run, kLogBefore), when);
    }
    if (!bakes() || app->run != run) co_return;
    if (!trouble.empty() && run->trouble.empty()) run->trouble = trouble;
    if (!run->trouble.empty() || !run->to_note.empty()) run->changed.notify();
    if (!run->trouble.empty()) app->changed.notify();  // for who waits at the end of the bake until it is whole
    const auto end = Steady::now() + rate_period(whole);
    while (bakes() && run->trouble.empty()) {
      const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
      if (left <= 0ms) break;
      co_await run->changed.wait(left);
    }
  }
}

}  // namespace berth::deploy
