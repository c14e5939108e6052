#include "daemon/supervise/instance.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fmt/core.h>

#include "core/spec/capabilities.h"
#include "daemon/keeper/launch_file.h"
#include "daemon/supervise/cgroup_leaf.h"
#include "daemon/supervise/exit_text.h"

namespace berth::supervise {
namespace {

constexpr const char* kNotTaken =
    "it has not accepted a connection on the socket that it was passed: it must use descriptor 3 (LISTEN_FDS, or listen_env in its spec); "
    "an app that can only bind a port itself wants `port` instead of `socket`";

/// `${FD_name}` in the values of `listen_env`: descriptors are passed in order, from 3.
std::string expand_descriptors(std::string text, const std::vector<std::pair<std::string, int>>& sockets) {
  for (std::size_t i = 0; i < sockets.size(); i++) {
    const auto reference = "${FD_" + sockets[i].first + "}";
    for (auto at = text.find(reference); at != std::string::npos; at = text.find(reference, at)) {
      text.replace(at, reference.size(), std::to_string(3 + i));
    }
  }
  return text;
}

std::uint64_t most_files() {
  std::uint64_t most = 1u << 20;  // the kernel's own default
  std::ifstream("/proc/sys/fs/nr_open") >> most;
  return most;
}

keeper::RestartWhen when_of(spec::Restart restart) {
  switch (restart) {
    case spec::Restart::always: return keeper::RestartWhen::always;
    case spec::Restart::on_failure: return keeper::RestartWhen::on_failure;
    case spec::Restart::never: return keeper::RestartWhen::never;
  }
  return keeper::RestartWhen::always;
}

/// Every start after the first, those that failed included.
std::int64_t restarts_of(const keeper::State& state) {
  const auto tries = state.starts + state.exits[static_cast<int>(keeper::Cause::not_started)];
  return tries > 0 ? static_cast<std::int64_t>(tries) - 1 : 0;
}

}  // namespace

Instance::Instance(boost::asio::any_io_executor executor, InstanceId its_id, const std::string& run_directory)
    : id(std::move(its_id)), key(keeper_key(id)), socket_path(keepers_directory(run_directory) + "/" + key + ".sock"), changed(executor) {}

std::string Instance::last_exit_reason() const {
  return last.last_exit.cause == keeper::Cause::none ? std::string() : describe_exit(last.last_exit, program(), root()).reason;
}

Orphan Instance::orphan() const {
  Orphan orphan{.pid = last.app_pid, .cgroup = last.cgroup, .pipes = pipe_names};
  // The file also tells of a process that the keeper started last without saying so any more.
  if (auto word = read_app_file(socket_path + ".app")) {
    orphan.pid = word->pid;
    orphan.start = word->start;
  }
  return orphan;
}

Finding notified_finding(const Instance& instance) {
  const keeper::Notified heard = instance.heard();
  const std::string says = *heard.status ? fmt::format(" ({})", heard.status) : std::string();
  if (!heard.ready) return {.healthy = false, .reason = "it has not said READY=1 yet" + says};
  if (heard.stopping) return {.healthy = false, .reason = "it said STOPPING=1" + says};
  if (heard.reloading) return {.healthy = false, .reason = "it said RELOADING=1, and no READY=1 since" + says};
  return {.healthy = true, .reason = "it said READY=1"};
}

void count_probe(Instance& instance, const char* probe, const Finding& finding, io::Steady::time_point began) {
  ProbeCount& count = instance.probes[probe];
  ++count.asked;
  if (!finding.healthy) ++count.failed;
  count.took += io::Steady::now() - began;
}

void judge_notice(Instance& instance) {
  const Finding finding = notified_finding(instance);
  instance.readiness = {.verdict = finding.healthy ? Verdict::passing : Verdict::failing, .reason = finding.healthy ? std::string() : finding.reason};
}

std::string why_not_ready(const Instance& instance) {
  if (!instance.running()) {
    const auto last = instance.last_exit_reason();
    return fmt::format("it is {}{}{}", to_string(instance.phase), last.empty() ? "" : ": ", last);
  }
  if (!instance.plan) return "it was found running, and is not probed yet";
  const auto& plan = *instance.plan;
  const auto probe = [](const char* name, const ProbeState& state) {
    return fmt::format("{} probe: {}", name, state.reason.empty() ? "not passed yet" : state.reason);
  };
  if (plan.startup && instance.startup.verdict != Verdict::passing) return probe("startup", instance.startup);
  if (plan.must_take_socket && !instance.socket_taken) return kNotTaken;
  if (plan.readiness && instance.readiness.verdict != Verdict::passing) return probe("readiness", instance.readiness);
  if (!plan.readiness && !instance.settled) return "it has run for less than a second";
  return {};
}

bool is_judged(const Instance& instance) {
  if (!instance.running() || instance.ready) return true;
  if (!instance.plan) return false;
  const auto& plan = *instance.plan;
  if (plan.startup && instance.startup.verdict != Verdict::passing) return instance.startup.verdict == Verdict::failing;
  if (plan.readiness) return instance.readiness.verdict != Verdict::unknown;
  return instance.settled;
}

bool ever_ran(const InstanceStatus& status) {
  if (status.pid != 0) return true;
  return std::ranges::any_of(status.exits_by_reason, [](const auto& one) { return one.first != "not_started" && one.second > 0; });
}

InstanceStatus status_of(const Instance& instance) {
  const auto& last = instance.last;
  InstanceStatus status{.id = instance.id,
                        .phase = instance.phase,
                        .pid = last.app_pid,
                        .keeper_pid = last.keeper_pid,
                        .cgroup = last.cgroup,
                        .ready = instance.ready,
                        .not_ready = instance.not_ready,
                        .judged = is_judged(instance),
                        .says = instance.heard().status,
                        .restarts = restarts_of(last),
                        .started_at = last.app_pid != 0 ? time_text(last.started_ms) : std::string(),
                        .exits_by_reason = count_exits(last),
                        .crash_loop = last.crash_loop != 0,
                        .has_limits = instance.plan && instance.plan->limits.any()};
  status.probes = instance.probes;
  status.log_lines = last.log_lines;
  status.log_dropped = last.log_dropped;
  if (last.last_exit.cause != keeper::Cause::none) status.last_exit = describe_exit(last.last_exit, instance.program(), instance.root());
  if (status.has_limits && last.app_pid != 0) status.unenforced = unenforced(instance.plan->limits, last.cgroup);
  return status;
}

bool same_probes(const InstancePlan& a, const InstancePlan& b) {
  const auto place = [](const InstancePlan& plan) {
    const auto to = plan.probe_endpoint.value_or(io::Endpoint{});
    return std::tuple(to.address, to.port, to.unix_path, to.from_address);
  };
  return a.startup == b.startup && a.readiness == b.readiness && a.liveness == b.liveness && place(a) == place(b) &&
         a.private_ports == b.private_ports && a.must_take_socket == b.must_take_socket && a.notify_socket == b.notify_socket;
}

keeper::TakeOver told_of(const Instance& instance, const Orphan* app) {
  const keeper::State& last = instance.last;
  keeper::TakeOver told{};
  told.crash_loop = last.crash_loop;
  told.starts = last.starts;
  std::memcpy(told.exits, last.exits, sizeof told.exits);
  told.exits_unknown = last.exits_unknown;
  told.last_exit = last.last_exit;
  if (app == nullptr) {
    // Whatever ran was ended by berthd, if it had not ended by itself.
    if (last.app_pid != 0) told.exits_unknown++;
    told.app_pid = -std::max(last.app_pid, 0);
    return told;
  }
  told.app_pid = app->pid;
  told.app_start = app->start;
  told.started_ms = last.started_ms;
  const keeper::Notified heard = instance.heard();
  told.ready = heard.ready;
  told.reloading = heard.reloading;
  told.stopping = heard.stopping;
  std::memcpy(told.status, heard.status, sizeof told.status);
  told.watchdog_ms = heard.watchdog_ms;
  return told;
}

std::string keepers_directory(const std::string& run_directory) { return run_directory + "/keepers"; }

bool may_gain_privileges(const InstancePlan& plan) { return plan.uid == 0 && !plan.sandbox.no_new_privileges; }

ResourceLimits resources_of(const InstancePlan& plan) {
  ResourceLimits resources = plan.limits.resources;
  const auto files = resources.find(RLIMIT_NOFILE);
  if (files == resources.end()) return resources;
  // Of open files alone the kernel knows no infinity.
  for (std::uint64_t* limit : {&files->second.soft, &files->second.hard})
    if (*limit == ResourceLimit::kInfinity) *limit = most_files();
  return resources;
}

Result<keeper::LaunchMemory> launch_of(const InstancePlan& plan, const std::string& cgroup, bool is_service) {
  keeper::Launch launch{.id = to_string(plan.id),
                        .argv = plan.argv,
                        .environment = plan.environment,
                        .root = plan.root,
                        .mounts = plan.mounts,
                        .confinement = plan.confinement,
                        .deny_write_execute = plan.sandbox.memory_deny_write_execute,
                        .umask = plan.sandbox.umask.value_or(keeper::Launch().umask),
                        .directory = plan.directory.empty() ? "/" : plan.directory,
                        .uid = plan.uid,
                        .gid = plan.gid,
                        .may_gain_privileges = may_gain_privileges(plan),
                        .bounding = spec::bounding_set(plan.sandbox, plan.uid == 0),
                        .ambient = spec::capability_mask(plan.sandbox.ambient_capabilities),
                        .stop_signal = plan.stop.signal,
                        .grace_ms = plan.stop.grace.count(),
                        .restart = when_of(plan.restart),
                        .retries = plan.retries,
                        .segment_bytes = plan.logs.segment_bytes,
                        .keep_bytes = plan.logs.keep_bytes,
                        .segment_age_ms = plan.logs.segment_age.count(),
                        .cgroup = cgroup,
                        .sockets = plan.sockets,
                        .listen_variables = plan.listen_env.empty()};
  launch.groups = plan.groups;
  launch.resources = resources_of(plan);
  launch.nice = plan.limits.nice;
  launch.oom_score_adjust = plan.limits.oom_score_adjust;
  launch.usual_files = !is_service;  // what a service may is systemd's business
  launch.bound = plan.bound;
  launch.notify = plan.notify_socket;
  if (!plan.id.release.empty()) launch.log_tag = fmt::format("{}:{}", plan.id.release, plan.deployment);
  launch.sees = plan.sees;
  if (plan.client) launch.attached = plan.client->terminal;
  for (const std::string& word : plan.sandbox.restrict_address_families)
    if (const auto family = spec::address_family(word)) launch.address_families.push_back(*family);
  if (plan.liveness && plan.liveness->kind == spec::ProbeKind::notify) {
    const auto waits_for_ready = [](const std::optional<spec::Probe>& probe) { return probe && probe->kind == spec::ProbeKind::notify; };
    launch.watchdog_ms = (plan.liveness->period * plan.liveness->failure_threshold).count();
    auto delay = plan.liveness->initial_delay;
    // A startup probe of another kind is berthd's, which tells the keeper when it passed. Where berthd is away it has passed by then, or never does.
    if (plan.startup) delay += plan.startup->initial_delay + std::max(plan.startup->period, plan.startup->timeout) * plan.startup->failure_threshold;
    launch.watchdog_delay_ms = waits_for_ready(plan.startup) || waits_for_ready(plan.readiness) ? -1 : delay.count();
  }
  for (const auto& value : spec::cgroup_values(plan.limits)) launch.cgroup_values.emplace_back(value.file, value.value);
  for (const auto& [name, value] : plan.listen_env) launch.environment[name] = expand_descriptors(value, plan.sockets);
  return keeper::make_launch(launch);
}

}  // namespace berth::supervise
