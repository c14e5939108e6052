#include "daemon/deploy/jobs.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "core/logs/record_time.h"
#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/data_steps.h"
#include "daemon/deploy/last_lines.h"

// A run of a job is an instance under a keeper of its own, web/report.1@v2, which tries it as often as its spec says, also while berthd is away. That it began is
// written down first, and so is how it ended: what a berthd that returns finds in neither state was cut off. It belongs to its release, and ends with it.

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using io::Steady;

InstanceId id_of_job(const store::JobRow& row) { return {.app = row.app, .process = row.process, .number = 1, .release = row.release}; }

/// Times of this program, which are well formed.
std::int64_t ran_ms(const store::JobRow& row) {
  const auto began = logs::parse_rfc3339(row.began_at), ended = logs::parse_rfc3339(row.ended_at);
  return began && ended ? std::chrono::duration_cast<milliseconds>(*ended - *began).count() : 0;
}

store::Event job_event(const store::JobRow& row) {
  boost::json::object data{{"instance", to_string(id_of_job(row))}, {"run", row.run}, {"by", row.by}};
  if (row.deployment != 0) data["deployment"] = row.deployment;
  if (row.running()) {
    if (!row.why.empty()) data["why"] = row.why;
  } else {
    data["state"] = row.state;
    data["result"] = row.result;
    data["attempts"] = row.attempts;
    data["ran_ms"] = ran_ms(row);
  }
  return {.number = 0, .at = {}, .kind = row.running() ? "job.started" : "job.ended", .app = row.app, .data = std::move(data)};
}

/// The rules of a job of the release; an error that names those that it has.
Result<spec::Job> rules_of_job(const bundle::Manifest& manifest, const std::string& process) {
  const auto found = manifest.spec.processes.find(process);
  if (found != manifest.spec.processes.end() && found->second.job) return *found->second.job;
  std::vector<std::string> names;
  for (const auto& [name, rules] : manifest.spec.processes)
    if (rules.job) names.push_back(name);
  return fail(Errc::not_found, fmt::format("{}@{} has no job '{}': {}", manifest.app, manifest.release, process,
                                           names.empty() ? std::string("no process of it has type = \"job\"") : fmt::format("it has {}", fmt::join(names, ", "))));
}

/// The number of the run of a job that is the deployment's own; 0: none is to be.
std::optional<std::int64_t> begun_of(const Run& run, const std::string& process) {
  const auto* all = run.row.detail.if_contains("jobs");
  const auto* one = all != nullptr && all->is_object() ? all->get_object().if_contains(process) : nullptr;
  return one != nullptr && one->is_int64() ? std::optional(one->get_int64()) : std::nullopt;
}

void set_begun(Run& run, const std::string& process, std::int64_t number) {
  boost::json::value& all = run.row.detail["jobs"];
  if (!all.is_object()) all.emplace_object();
  all.get_object()[process] = number;
}

JobStatus status_of_job(const JobRun& job, bool by_hand) {
  JobStatus status{.row = job.row, .by_hand = by_hand};
  if (job.row.running()) status.row.attempts += job.tries;
  return status;
}

}  // namespace

JobPtr running_job(const App& app, const InstanceId& id) {
  const auto found = app.jobs.find(id.process);
  const bool is_it = found != app.jobs.end() && found->second->row.running() && id_of_job(found->second->row) == id;
  return is_it ? found->second : nullptr;
}

bool is_job(const App& app, const InstanceSelector& what) {
  if (!what.process) return false;
  const ManifestPtr active = app.active();
  if (active)
    if (const auto rules = active->spec.processes.find(*what.process); rules != active->spec.processes.end()) return rules->second.job.has_value();
  const auto found = app.jobs.find(*what.process);
  return found != app.jobs.end() && found->second->row.running();
}

std::vector<JobStatus> statuses_of_jobs(const App& app) {
  std::vector<JobStatus> all;
  const ManifestPtr active = app.active();
  const auto rules_now = [&active](const std::string& process) -> const spec::Job* {
    if (!active) return nullptr;
    const auto rules = active->spec.processes.find(process);
    return rules != active->spec.processes.end() && rules->second.job ? &*rules->second.job : nullptr;
  };
  for (const auto& [process, job] : app.jobs) {
    const spec::Job* rules = rules_now(process);
    if (rules != nullptr || job->row.running()) all.push_back(status_of_job(*job, rules != nullptr && rules->run == spec::Job::When::hand));
  }
  if (active)
    for (const auto& [process, rules] : active->spec.processes)
      if (rules.job && !app.jobs.contains(process))
        all.push_back({.row = {.app = app.name(), .process = process}, .by_hand = rules.job->run == spec::Job::When::hand});
  std::ranges::sort(all, {}, [](const JobStatus& status) { return status.row.process; });
  return all;
}

Result<void> Jobs::may_run(const App& app) const {
  BERTH_CHECK(execs_.may_begin(app));
  if (app.row.stopped) return fail(Errc::conflict, fmt::format("{} is {}: 'berth start {}' starts it", app.name(), store::stopped_text(app.row), app.name()));
  return {};
}

awaitable<Result<JobStatus>> Jobs::run(std::string name, std::string process, Asked asked) {
  const auto found = node_.known(name);
  if (!found) co_return std::unexpected(found.error());
  const AppPtr app = *found;
  const ManifestPtr active = app->active();
  if (!active) co_return fail(Errc::conflict, fmt::format("{} has no active release whose job could run; deploy one", name));
  const auto rules = rules_of_job(*active, process);
  if (!rules) co_return std::unexpected(rules.error());
  if (auto free = nothing_under_way(*app, "running its jobs"); !free) co_return std::unexpected(free.error());
  auto begun = co_await begin(app, active, process, asked, 0);
  if (!begun) co_return std::unexpected(begun.error());
  co_return status_of_job(*app->jobs.at(process), rules->run == spec::Job::When::hand);
}

/// Writes down that it begins, and lets it.
awaitable<Result<void>> Jobs::begin(AppPtr app, ManifestPtr manifest, std::string process, Asked asked, std::int64_t deployment) {
  if (auto may = may_run(*app); !may) co_return may;
  const auto last = app->jobs.find(process);
  const JobPtr before = last == app->jobs.end() ? nullptr : last->second;
  if (before && before->row.running())
    co_return fail(Errc::conflict, fmt::format("{}/{} runs already (run {}, {}): wait for its end, or end it by 'berth stop {}/{}'", app->name(), process,
                                               before->row.run, before->row.release, app->name(), process));
  const auto job = std::make_shared<JobRun>();
  job->row.app = app->name();
  job->row.process = process;
  job->row.run = before ? before->row.run + 1 : 1;
  job->row.release = manifest->release;
  job->row.deployment = deployment;
  job->in_use = node_.store.use(app->name(), {manifest->release});
  job->row.by = asked.by;
  job->row.why = asked.why;
  job->row.state = "running";
  job->row.began_at = store::now_text();
  if (before) job->row.succeeded_at = before->row.succeeded_at;
  app->jobs[process] = job;  // its place is taken
  store::Event event = job_event(job->row);
  if (asked.pid > 0) event.data["pid"] = asked.pid;
  const auto write = [this, row = job->row, event]() -> Result<void> {
    BERTH_TRY(const auto slot, node_.store.slot(row.app, row.release));
    if (!slot) return fail(Errc::conflict, fmt::format("{0}@{1} is not on this node any more; 'berth deploy {0}@{1}' fetches it again", row.app, row.release));
    return node_.store.set_job(row, event);
  };
  auto written = co_await node_.pool.run(write);
  if (!written) {
    if (before) app->jobs[process] = before;
    else app->jobs.erase(process);
    job->row.state = "failed";  // for whoever waits for its end
    job->in_use.reset();
    app->changed.notify();
    co_return pass(written.error(), fmt::format("{}/{} was not begun, since that cannot be written down", app->name(), process));
  }
  node_.spawn(carry(app, job, false));
  co_return Result<void>();
}

/// From its start, or from where a berthd before this one left it, to its end.
awaitable<void> Jobs::carry(AppPtr app, JobPtr job, bool adopted) {
  const InstanceId id = id_of_job(job->row);
  const std::string name = short_name(id);
  const auto manifest = co_await node_.manifest_of(app, job->row.release);
  std::string result;
  if (manifest) result = co_await run_to_end(app, job, *manifest, adopted);
  else result = manifest.error().message;
  if (node_.closed) co_return;
  const auto status = node_.supervisor.status(id);
  if (status) job->tries = static_cast<int>(status->restarts) + 1;
  store::JobRow ended = job->row;
  ended.attempts += std::max(job->tries, 1);
  ended.ended_at = store::now_text();
  ended.result = result;
  ended.state = result == kOk ? "ok" : !job->unwanted.empty() && result == job->unwanted ? "stopped" : "failed";
  if (result == kOk) ended.succeeded_at = ended.ended_at;
  co_await record(ended);
  if (node_.closed) co_return;
  co_await one_offs_.stop(app, id);
  if (node_.closed) co_return;
  job->row = ended;
  job->tries = 0;
  job->in_use.reset();
  ++node_.counts.jobs[{app->name(), ended.process, ended.state}];
  spdlog::info("{}: run {} of the job: {}", to_string(id), ended.run, result);
  app->changed.notify();
  const auto [owner, run] = node_.find_run(ended.deployment);
  if (ended.state != "failed" || !run || is_terminal(run->position.state)) co_return;
  const std::string text = fmt::format("its job {} {}; the release serves all the same", name, result);
  co_await node_.note(run, text);
}

/// Its tries: those under one keeper, and again under another where that was killed. How it ended: "ok", "exited with 1".
awaitable<std::string> Jobs::run_to_end(AppPtr app, JobPtr job, ManifestPtr manifest, bool adopted) {
  const InstanceId id = id_of_job(job->row);
  const auto rules = rules_of_job(*manifest, job->row.process);
  if (!rules) co_return rules.error().message;
  const std::function<std::string()> unwanted = [job] { return job->unwanted; };
  for (bool runs = adopted;; runs = false) {
    if (!runs) {
      if (!job->unwanted.empty()) co_return job->unwanted;
      auto started = co_await finish_pending_data(node_, app);
      if (started) started = co_await one_offs_.start(app, manifest, id, job->row.attempts);
      job->tries = 1;
      if (!started) co_return without_name(started.error().message, id);
      app->changed.notify();
    }
    if (!job->began) job->began = one_offs_.began_of(id, job->row.began_at);
    const Moment began = *job->began;
    auto ended = co_await one_offs_.follow(app, id, rules->timeout, began, unwanted);
    if (!ended) co_return std::string();
    const std::string result = std::move(*ended);
    const auto left = node_.supervisor.status(id);
    const bool lost = left && left->phase == supervise::Phase::lost;  // its keeper went before it tried it again
    if (result == kOk || (result != kCutOff && !lost)) co_return result;
    const bool again = co_await may_try_again(app, job, manifest);
    if (!again) co_return result;
    if (lost) co_await one_offs_.stop(app, id);
    if (node_.closed) co_return std::string();
  }
}

/// Whether one that was cut off is tried again: it may be, so often, and nothing has changed about what it is for.
awaitable<bool> Jobs::may_try_again(AppPtr app, JobPtr job, ManifestPtr manifest) {
  const spec::Process& rules = manifest->spec.processes.at(job->row.process);
  if (rules.restart != spec::Restart::on_failure || job->row.attempts + std::max(job->tries, 1) > rules.job->retries) co_return false;
  // What it works with starts first; where that is not to start, this is not either, and nobody waits for it in vain.
  while (!app->up && job->unwanted.empty() && !node_.closed) co_await io::sleep_for(100ms);
  if (node_.closed || !job->unwanted.empty() || !may_run(*app) || app->row.active != job->row.release) co_return false;
  job->row.attempts += std::max(job->tries, 1);
  job->tries = 0;
  const auto write = [this, row = job->row] { return node_.store.set_job(row, std::nullopt); };
  const auto written = co_await node_.pool.run(write);
  if (!written) spdlog::warn("{}: how often it was tried could not be written down: {}", to_string(id_of_job(job->row)), written.error().message);
  co_return true;
}

/// Writes down how it ended, until the disk takes it.
awaitable<void> Jobs::record(store::JobRow row) {
  const store::Event event = job_event(row);
  const auto write = [this, row, event] { return node_.store.set_job(row, event); };
  auto written = co_await node_.pool.run(write);
  for (auto pause = 100ms; !written && written.error().code != Errc::not_found && !node_.closed; pause = std::min(pause * 2, milliseconds(5000))) {
    co_await io::sleep_for(pause);
    written = co_await node_.pool.run(write);
  }
}

awaitable<void> Jobs::run_of_deployment(AppPtr app, RunPtr run) {
  if (run->is_revert()) co_return;
  const ManifestPtr manifest = run->manifest;
  for (const auto& [process, rules] : manifest->spec.processes) {
    if (!rules.job || rules.job->run != spec::Job::When::deployment) continue;
    if (!run->trouble.empty() || !run->superseded.empty()) co_return;
    const std::string name = process;
    const auto last = app->jobs.find(name);
    const std::int64_t runs = last == app->jobs.end() ? 0 : last->second->row.run;
    if (const auto its = begun_of(*run, name); its && *its <= runs) continue;
    set_begun(*run, name, runs + 1);
    const auto write = [this, row = run->row] { return node_.store.update_deployment(row, {}); };
    Result<void> begun = co_await node_.pool.run(write);
    if (node_.closed) co_return;
    const Asked asked{.by = run->row.by, .why = {}};
    if (begun && run->trouble.empty() && run->superseded.empty()) begun = co_await begin(app, manifest, name, asked, run->row.id);
    if (node_.closed) co_return;
    if (begun) continue;
    set_begun(*run, name, 0);  // it is not tried again
    const std::string text = fmt::format("its job {} was not run: {}", name, begun.error().message);
    co_await node_.note(run, text);
  }
}

awaitable<Result<void>> Jobs::stop(AppPtr app, JobPtr job, Asked asked) {
  boost::json::object data{{"what", short_name(id_of_job(job->row))}};
  const store::Event event = operator_event("stop", app->name(), asked, std::move(data));
  if (auto written = co_await node_.write_down(event); !written) co_return written;
  if (job->unwanted.empty()) job->unwanted = fmt::format("was stopped by {}{}{}", asked.by, asked.why.empty() ? "" : ": ", asked.why);
  co_await await_end(app, job);
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  co_return Result<void>();
}

awaitable<void> Jobs::await_end(AppPtr app, JobPtr job) {
  app->changed.notify();
  while (job->row.running() && !node_.closed) co_await app->changed.wait(1s);
}

awaitable<void> Jobs::end_but(AppPtr app, std::string kept) {
  std::vector<JobPtr> ending;
  for (const auto& [process, job] : app->jobs) {
    if (!job->row.running() || job->row.release == kept) continue;
    if (job->unwanted.empty()) job->unwanted = kept.empty() ? "was stopped with its app" : fmt::format("was stopped, since {} took over", kept);
    ending.push_back(job);
  }
  for (const JobPtr& job : ending) co_await await_end(app, job);
}

void Jobs::adopt() {
  for (const auto& [name, app] : node_.apps) {
    for (const auto& [process, job] : app->jobs) {
      if (!job->row.running()) continue;
      if (const auto status = node_.supervisor.status(id_of_job(job->row))) job->tries = static_cast<int>(status->restarts) + 1;
      node_.spawn(carry(app, job, true));
    }
  }
}

awaitable<Result<JobStatus>> Jobs::status(WaitForJob what) {
  const auto found = node_.known(what.app);
  if (!found) co_return std::unexpected(found.error());
  const AppPtr app = *found;
  const auto end = Steady::now() + what.at_most;
  for (;;) {
    const auto jobs = statuses_of_jobs(*app);
    const auto one = std::ranges::find(jobs, what.process, [](const JobStatus& status) { return status.row.process; });
    if (one == jobs.end()) {
      const ManifestPtr active = app->active();
      if (!active) co_return fail(Errc::not_found, fmt::format("{} has no active release, and so no job", what.app));
      co_return std::unexpected(rules_of_job(*active, what.process).error());
    }
    JobStatus status = *one;
    const bool goes_on = status.row.running() && (what.run == 0 || status.row.run == what.run);
    const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
    if (goes_on && left > 0ms && !node_.closed && !app->gone) {
      co_await app->changed.wait(left);
      continue;
    }
    if (status.row.state != "failed") co_return status;
    const InstanceSelector which{.app = what.app, .process = what.process, .number = {}, .release = {}};
    const auto since = logs::parse_rfc3339(status.row.began_at).value_or(logs::Time());
    const auto read = [logs = node_.store.paths().logs, which, since, redact = node_.redacting(what.app)] { return last_lines(logs, which, since, {}, redact); };
    auto lines = co_await node_.pool.run(read);
    if (lines) status.last_lines = std::move(*lines);
    co_return status;
  }
}

}  // namespace berth::deploy
