#include <initializer_list>
#include <numeric>
#include <set>

#include "core/logs/record_time.h"
#include "daemon/metrics/families.h"

namespace berth::metrics {
namespace {

constexpr const char* kEnds[] = {"active", "failed", "not_found", "reverted", "cancelled", "superseded", "interrupted"};
constexpr const char* kHealths[] = {"healthy", "degraded", "down", "stopped", "deploying"};

Family health(const Snapshot& snapshot) {
  auto family = Family::gauge("berth_app_health", "1 for the health an app has now, 0 for the others it could have.");
  for (const auto& app : snapshot.apps)
    for (const char* one : kHealths) family.add({{"app", app.row.app}, {"health", one}}, app.health == one ? 1 : 0);
  return family;
}

Family release(const Snapshot& snapshot) {
  auto family = Family::gauge("berth_release_info", "The active release of an app.");
  for (const auto& app : snapshot.apps)
    if (!app.row.active.empty()) family.add({{"app", app.row.app}, {"release", app.row.active}}, 1);
  return family;
}

Family deployments(const Snapshot& snapshot) {
  auto family = Family::counter("berth_deployments_total", "Deployments that ended since berthd began, by how they did; not_found: of a release that there is not.");
  // Those that did not happen are 0: what appears with 1 is no increase to Prometheus.
  auto counts = snapshot.counts.ended;
  std::set<std::string> names;
  for (const auto& app : snapshot.apps) names.insert(app.row.app);
  for (const auto& [which, count] : snapshot.counts.ended) names.insert(which.first);
  for (const auto& name : names)
    for (const char* end : kEnds) counts.try_emplace({name, end}, 0);
  for (const auto& [which, count] : counts)
    family.add({{"app", which.first}, {"state", which.second}}, static_cast<double>(count));
  return family;
}

/// Those of what did not happen to an app on the node are 0, as above.
template <class Counts>
Counts from_zero(const Snapshot& snapshot, Counts counts, std::initializer_list<const char*> kinds) {
  for (const auto& app : snapshot.apps)
    for (const char* kind : kinds) counts.try_emplace({app.row.app, kind}, 0);
  return counts;
}

Family fetched(const Snapshot& snapshot) {
  auto family = Family::counter("berth_fetched_bytes_total",
                                "Bytes of releases that were fetched since berthd began: layers, patches in their place, and indexes.");
  for (const auto& [which, bytes] : from_zero(snapshot, snapshot.counts.fetched, {"layer", "patch", "index"})) family.add({{"app", which.first}, {"kind", which.second}}, static_cast<double>(bytes));
  return family;
}

/// Two counters, of which the quotient of increases is how long a step took.
Family step_seconds(const Snapshot& snapshot) {
  auto family = Family::counter("berth_deployment_step_seconds_total", "How long deployments were in each step since berthd began.");
  for (const auto& [which, time] : snapshot.counts.steps) family.add({{"app", which.first}, {"step", which.second}}, time.seconds);
  return family;
}

Family steps(const Snapshot& snapshot) {
  auto family = Family::counter("berth_deployment_steps_total", "How often deployments were in each step since berthd began.");
  for (const auto& [which, time] : snapshot.counts.steps) family.add({{"app", which.first}, {"step", which.second}}, static_cast<double>(time.count));
  return family;
}

Family present_steps(const Snapshot& snapshot) {
  auto family = Family::gauge("berth_deployment_step", "1 for the step that the deployment of an app is in now; nothing where none is under way.");
  for (const auto& app : snapshot.apps)
    if (app.deployment && !app.deployment->row.state.empty()) family.add({{"app", app.row.app}, {"step", app.deployment->row.state}}, 1);
  return family;
}

Family hooks(const Snapshot& snapshot) {
  auto family = Family::counter("berth_hooks_total", "Runs of hooks that ended since berthd began, by how they did: ok, postponed or failed.");
  for (const auto& [which, count] : snapshot.counts.hooks) {
    const auto& [app, hook, result] = which;
    family.add({{"app", app}, {"hook", hook}, {"result", result}}, static_cast<double>(count));
  }
  return family;
}

Family execs(const Snapshot& snapshot) {
  auto family = Family::counter("berth_execs_total", "One-off commands that ended since berthd began, by how they did: ok, failed or stopped.");
  for (const auto& [which, count] : from_zero(snapshot, snapshot.counts.execs, {"ok", "failed", "stopped"})) family.add({{"app", which.first}, {"result", which.second}}, static_cast<double>(count));
  return family;
}

constexpr const char* kJobEnds[] = {"ok", "failed", "stopped"};

Family job_runs(const Snapshot& snapshot) {
  auto family = Family::counter("berth_job_runs_total", "Runs of jobs that ended since berthd began, by how they did: ok, failed or stopped.");
  auto counts = snapshot.counts.jobs;
  for (const auto& app : snapshot.apps)
    for (const auto& job : app.jobs)
      for (const char* end : kJobEnds) counts.try_emplace({app.row.app, job.row.process, end}, 0);
  for (const auto& [which, count] : counts) {
    const auto& [app, process, state] = which;
    family.add({{"app", app}, {"process", process}, {"state", state}}, static_cast<double>(count));
  }
  return family;
}

double seconds_of(const std::string& at) {
  const auto time = logs::parse_rfc3339(at);
  return time ? std::chrono::duration<double>(time->time_since_epoch()).count() : 0;
}

/// A gauge with one value a job of which `has` is true.
template <class Has, class Value>
Family each_job(const Snapshot& snapshot, std::string name, std::string help, Has has, Value value) {
  auto family = Family::gauge(std::move(name), std::move(help));
  for (const auto& app : snapshot.apps)
    for (const auto& job : app.jobs)
      if (has(job.row)) family.add({{"app", app.row.app}, {"process", job.row.process}}, static_cast<double>(value(job.row)));
  return family;
}

/// A gauge with one value an app.
template <class Value>
Family each_app(const Snapshot& snapshot, std::string name, std::string help, Value value) {
  auto family = Family::gauge(std::move(name), std::move(help));
  for (const auto& app : snapshot.apps) family.add({{"app", app.row.app}}, static_cast<double>(value(app)));
  return family;
}

template <class Value>
Family each_process(const Snapshot& snapshot, std::string name, std::string help, Value value) {
  auto family = Family::gauge(std::move(name), std::move(help));
  for (const auto& app : snapshot.apps)
    for (const auto& process : app.processes) family.add({{"app", app.row.app}, {"process", process.process}}, static_cast<double>(value(process)));
  return family;
}

std::uint64_t slot_bytes(const deploy::AppStatus& app) {
  return std::accumulate(app.slots.begin(), app.slots.end(), std::uint64_t{0}, [](std::uint64_t sum, const auto& slot) { return sum + slot.bytes; });
}

/// A gauge with one value a slot.
template <class Value>
Family each_slot(const Snapshot& snapshot, std::string name, std::string help, Value value) {
  auto family = Family::gauge(std::move(name), std::move(help));
  for (const auto& app : snapshot.apps)
    for (const auto& slot : app.slots) family.add({{"app", app.row.app}, {"release", slot.release}}, value(slot));
  return family;
}

double looked_at(const store::SlotRow& slot) { return seconds_of(slot.looked_at()); }

}  // namespace

std::vector<Family> app_families(const Snapshot& snapshot) {
  using deploy::AppStatus;
  using deploy::ProcessStatus;
  std::vector<Family> families;
  families.push_back(health(snapshot));
  families.push_back(release(snapshot));
  families.push_back(deployments(snapshot));
  families.push_back(fetched(snapshot));
  families.push_back(present_steps(snapshot));
  families.push_back(step_seconds(snapshot));
  families.push_back(steps(snapshot));
  families.push_back(hooks(snapshot));
  families.push_back(execs(snapshot));
  families.push_back(job_runs(snapshot));
  families.push_back(each_job(snapshot, "berth_job_running", "Whether a run of a job is under way.", [](const store::JobRow&) { return true; },
                              [](const store::JobRow& row) { return row.running(); }));
  families.push_back(each_job(snapshot, "berth_job_failed", "Whether the last run of a job failed.", [](const store::JobRow&) { return true; },
                              [](const store::JobRow& row) { return row.state == "failed"; }));
  families.push_back(each_job(snapshot, "berth_job_last_success_timestamp_seconds", "When a run of a job last ended well, in seconds since 1970.",
                              [](const store::JobRow& row) { return !row.succeeded_at.empty(); }, [](const store::JobRow& row) { return seconds_of(row.succeeded_at); }));
  families.push_back(each_app(snapshot, "berth_app_data_copies", "Copies of the app's data on the node: snapshots, and what reverts set aside.",
                              [](const AppStatus& app) { return app.copies.size(); }));
  families.push_back(each_app(snapshot, "berth_app_held", "Whether deployments leave the app alone: it is held, or was reverted by hand.",
                              [](const AppStatus& app) { return static_cast<bool>(app.row.held); }));
  families.push_back(each_app(snapshot, "berth_app_troubled", "Whether there is something that berthd could not do for the app; see berth status.",
                              [](const AppStatus& app) { return !app.problem.empty(); }));
  families.push_back(each_app(snapshot, "berth_deployment_in_progress", "Whether a deployment of the app is under way.",
                              [](const AppStatus& app) { return app.deployment.has_value(); }));
  families.push_back(each_app(snapshot, "berth_rejected_releases", "Releases that failed or were reverted here and are passed over.",
                              [](const AppStatus& app) { return app.rejected.size(); }));
  families.push_back(each_app(snapshot, "berth_slots", "Releases of the app that are on this node.",
                              [](const AppStatus& app) { return app.slots.size(); }));
  families.push_back(each_app(snapshot, "berth_slot_bytes", "What the app's releases on this node take; files that they share count in each.", slot_bytes));
  families.push_back(each_slot(snapshot, "berth_slot_drifted_paths", "Paths of a release on this node that were not as sealed when they were last compared.",
                               [](const store::SlotRow& slot) { return static_cast<double>(slot.drifted); }));
  families.push_back(each_slot(snapshot, "berth_slot_verified_timestamp_seconds",
                               "When a release on this node was sealed or last compared with what is signed, in seconds since 1970.", looked_at));
  families.push_back(each_process(snapshot, "berth_process_instances_wanted", "Instances that should run of a process.",
                                  [](const ProcessStatus& process) { return process.wanted; }));
  families.push_back(each_process(snapshot, "berth_process_instances_ready", "Instances of a process that are ready.",
                                  [](const ProcessStatus& process) { return process.ready; }));
  return families;
}

}  // namespace berth::metrics
