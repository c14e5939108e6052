#include <algorithm>

#include <fmt/core.h>

#include "daemon/supervise/exit_text.h"
#include "daemon/supervise/probe.h"
#include "daemon/supervise/runtime.h"
#include "daemon/supervise/socket_use.h"

namespace berth::supervise {
namespace {

using namespace std::chrono_literals;
using io::Steady;

constexpr auto kSettle = 1000ms;  ///< without a readiness probe, an instance is ready when it has run for so long

}  // namespace

/// Probes the process that runs now. `adopted`: it ran before berthd came.
void Runtime::begin_probes(InstancePtr instance, bool adopted) {
  instance->generation++;
  instance->startup = instance->readiness = instance->liveness = {};
  instance->settled = instance->socket_taken = false;
  if (!adopted) instance->extended_until = {};  // its keeper told what is left of it
  refresh(*instance);
  if (instance->plan) spawn(run_probes(instance, instance->generation, adopted));
}

/// False when the generation is over; what waits must then end.
awaitable<bool> Runtime::pause(InstancePtr instance, std::uint64_t generation, std::chrono::milliseconds at_most) {
  const auto end = Steady::now() + at_most;
  for (;;) {
    if (closed_ || instance->generation != generation) co_return false;
    const auto left = std::chrono::ceil<io::milliseconds>(end - Steady::now());
    if (left <= 0ms) co_return true;
    co_await instance->changed.wait(left);
  }
}

/// Asks the startup probe until it passes. False where it did not.
awaitable<bool> Runtime::run_startup(InstancePtr instance, std::uint64_t generation) {
  const spec::Probe rules = *instance->plan->startup;
  if (!co_await pause(instance, generation, rules.initial_delay)) co_return false;
  ProbePace pace(rules.period, phase_of(instance->id, "startup"));
  auto counted = Steady::now() - rules.period;
  for (int asked = 1;; asked++) {
    const auto began = Steady::now();
    const auto finding = co_await ask(rules, *instance->plan, instance->last.cgroup, instance->last.app_pid);
    if (closed_ || instance->generation != generation) co_return false;
    count_probe(*instance, "startup", finding, began);
    // Asked more often than its period, it fails no sooner for that.
    if (finding.healthy || Steady::now() - counted >= rules.period) {
      counted = Steady::now();
      instance->startup = step(instance->startup, rules, finding);
      refresh(*instance);
    }
    if (instance->startup.verdict == Verdict::passing) co_return true;
    if (instance->startup.verdict == Verdict::failing) {
      restart_unhealthy(*instance, "startup", finding.reason);
      co_return false;
    }
    if (!co_await pause(instance, generation, pace.after(asked, false))) co_return false;
  }
}

/// Waits for the first READY=1: for as long as the probe would have failed, or as the app asks by EXTEND_TIMEOUT_USEC. False where it did not come.
awaitable<bool> Runtime::await_ready_notice(InstancePtr instance, std::uint64_t generation) {
  const spec::Probe rules = *instance->plan->startup;
  const auto limit = rules.initial_delay + rules.period * rules.failure_threshold;
  const auto end = Steady::now() + limit;
  for (;;) {
    if (closed_ || instance->generation != generation) co_return false;
    if (instance->heard().ready) break;
    const Finding finding = notified_finding(*instance);
    if (instance->startup.reason != finding.reason) {  // what it wakes waits for the same event
      instance->startup.reason = finding.reason;
      refresh(*instance);
    }
    const auto left = std::chrono::ceil<io::milliseconds>(std::max(end, instance->extended_until) - Steady::now());
    if (left <= 0ms) {
      instance->startup.verdict = Verdict::failing;
      restart_unhealthy(*instance, "startup", fmt::format("{} within {}", finding.reason, spec::to_string(limit)));
      co_return false;
    }
    co_await instance->changed.wait(left);
  }
  instance->startup = {.verdict = Verdict::passing};
  refresh(*instance);
  co_return true;
}

awaitable<void> Runtime::run_probes(InstancePtr instance, std::uint64_t generation, bool adopted) {
  if (instance->plan->must_take_socket) spawn(watch_socket(instance, generation));
  if (instance->plan->startup) {
    const bool notified = instance->plan->startup->kind == spec::ProbeKind::notify;
    auto starting = notified ? await_ready_notice(instance, generation) : run_startup(instance, generation);
    if (!co_await std::move(starting)) co_return;
  }
  // A liveness probe of kind `notify` is its keeper's, which is there also when berthd is not.
  if (instance->plan->liveness && instance->plan->liveness->kind != spec::ProbeKind::notify) spawn(run_liveness(instance, generation, adopted));
  else if (instance->plan->liveness && instance->plan->startup) spawn(begin_watching(instance, generation));
  if (instance->plan->readiness && instance->plan->readiness->kind == spec::ProbeKind::notify) {
    judge_notice(*instance);
    co_return refresh(*instance);
  }
  if (instance->plan->readiness) {
    co_await run_readiness(instance, generation);
    co_return;
  }
  const io::milliseconds ran = age_of(instance->last.app_pid).value_or(0ms);
  if (!co_await pause(instance, generation, std::clamp<io::milliseconds>(kSettle - ran, 0ms, kSettle))) co_return;
  instance->settled = true;
  refresh(*instance);
}

awaitable<void> Runtime::run_readiness(InstancePtr instance, std::uint64_t generation) {
  const spec::Probe rules = *instance->plan->readiness;
  if (!co_await pause(instance, generation, rules.initial_delay)) co_return;
  ProbePace pace(rules.period, phase_of(instance->id, "readiness"));
  bool once_passed = false;
  for (int asked = 1;; asked++) {
    const auto began = Steady::now();
    const auto finding = co_await ask(rules, *instance->plan, instance->last.cgroup, instance->last.app_pid);
    if (closed_ || instance->generation != generation) co_return;
    count_probe(*instance, "readiness", finding, began);
    const ProbeState before = instance->readiness;
    const bool was_taken = instance->socket_taken;
    instance->readiness = step(before, rules, finding);
    // Whatever answers on this address has accepted a connection of this instance's own socket.
    if (finding.healthy && rules.port.empty() && (rules.kind == spec::ProbeKind::http || rules.kind == spec::ProbeKind::grpc)) instance->socket_taken = true;
    once_passed = once_passed || instance->readiness.verdict == Verdict::passing;
    if (instance->readiness != before || instance->socket_taken != was_taken) refresh(*instance);  // else nobody need wake
    if (!co_await pause(instance, generation, pace.after(asked, once_passed))) co_return;
  }
}

/// Tells the keeper that the startup probe passed: from the liveness probe's delay on it misses what the app does not say.
awaitable<void> Runtime::begin_watching(InstancePtr instance, std::uint64_t generation) {
  const auto delay = instance->plan->liveness->initial_delay;
  if (!co_await pause(instance, generation, delay) || !instance->link) co_return;
  static_cast<void>(instance->link->watch());
}

awaitable<void> Runtime::run_liveness(InstancePtr instance, std::uint64_t generation, bool adopted) {
  const spec::Probe rules = *instance->plan->liveness;
  // Nobody waits for its verdict, and the probes of many instances shall not all fall on one moment.
  const auto delay = adopted ? 0ms : rules.initial_delay;
  const auto first = delay + ProbePace(rules.period, phase_of(instance->id, "liveness")).first();
  if (!co_await pause(instance, generation, first)) co_return;
  for (;;) {
    const auto began = Steady::now();
    const auto finding = co_await ask(rules, *instance->plan, instance->last.cgroup, instance->last.app_pid);
    if (closed_ || instance->generation != generation) co_return;
    count_probe(*instance, "liveness", finding, began);
    instance->liveness = step(instance->liveness, rules, finding);
    if (instance->liveness.verdict == Verdict::failing) co_return restart_unhealthy(*instance, "liveness", finding.reason);
    if (!co_await pause(instance, generation, rules.period)) co_return;
  }
}

void Runtime::restart_unhealthy(Instance& instance, const char* probe, const std::string& reason) {
  if (!instance.link || instance.unwanted) return;
  // A keeper that cannot be told so is gone, and its connection tells that.
  static_cast<void>(instance.link->restart(true, fmt::format("{} probe failed: {}", probe, reason)));
}

/// Whether the app uses the socket that it was passed. A connection to it waits until somebody accepts it, so one is made, and the queue must
/// become empty. Where no address reaches this instance alone, it must suffice that the app has not closed the socket.
awaitable<void> Runtime::watch_socket(InstancePtr instance, std::uint64_t generation) {
  if (instance->plan->sockets.empty()) co_return;
  const auto inode = inode_of(instance->plan->sockets[0].second);
  const auto endpoint = instance->plan->probe_endpoint;
  bool connected = false;
  for (auto wait = 20ms;; wait = std::min(wait * 2, 1000ms)) {
    if (endpoint && !connected) connected = (co_await io::tcp_connect(*endpoint, 1000ms)).has_value();
    if (!co_await pause(instance, generation, wait) || instance->socket_taken) co_return;
    const pid_t app = instance->last.app_pid;
    const bool by_queue = endpoint.has_value();
    const auto look = [by_queue, inode, app] {
      return by_queue ? waiting_connections(inode) == 0u : holds(app, "socket:[" + inode + "]");
    };
    const bool taken = co_await pool_.run(look);
    if (closed_ || instance->generation != generation) co_return;
    if (!taken || (by_queue && !connected)) continue;
    instance->socket_taken = true;
    co_return refresh(*instance);
  }
}

}  // namespace berth::supervise
