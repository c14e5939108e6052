#pragma once

#include "daemon/metrics/snapshot.h"

namespace berth::metrics::fixture {

inline deploy::InstanceView instance(int number, bool ready) {
  deploy::InstanceView view{.port = 20000, .serving = ready};
  view.status.id = {"web", "web", number, "v2"};
  view.status.pid = 4242;
  view.status.ready = ready;
  view.status.restarts = 3;
  view.status.started_at = "2026-11-24T09:00:00.500000Z";
  view.status.has_limits = true;
  if (!ready) view.status.unenforced = {"MemoryMax"};
  view.status.exits_by_reason = {{"exit", 2}, {"oom", 1}};
  view.status.probes = {{"readiness", {.asked = 10, .failed = 3, .took = std::chrono::milliseconds(250)}}};
  view.status.log_lines = 1234;
  view.status.log_dropped = 5;
  return view;
}

/// A node on which each metric has a value.
inline Snapshot snapshot() {
  Snapshot all;
  all.node = {.node = "edge-1", .environment = "production", .version = "0.1.0", .ready = true, .repository = "https://host", .disk_free = 5'000'000'000};
  all.node.trust.roles = {{"timestamp", 4, std::chrono::system_clock::from_time_t(1'800'000'000)}};
  all.node.trust.last_success = "2026-11-24T09:00:00Z";
  all.node.trust.refusals = {{"rollback", 2}};
  all.node.remote_api = {.listen = "0.0.0.0:9465", .problem = {}, .certificate_ends = std::chrono::system_clock::from_time_t(1'800'000'000),
                         .crl_ends = std::chrono::system_clock::from_time_t(1'700'000'000)};
  all.node.metrics_listener = {.listen = "0.0.0.0:9464", .problem = {}, .certificate_ends = std::chrono::system_clock::from_time_t(1'800'000'000),
                               .crl_ends = std::chrono::system_clock::from_time_t(1'700'000'000)};
  deploy::AppStatus app;
  app.row = {.app = "web", .active = "v2", .previous = "v1"};
  app.health = "degraded";
  app.processes = {{.process = "web", .wanted = 2, .ready = 1}};
  app.instances = {instance(1, true), instance(2, false)};
  app.slots = {{.app = "web", .release = "v1", .bytes = 100}, {.app = "web", .release = "v2", .bytes = 200, .sealed_at = "2026-11-24T09:00:00Z", .drifted = 3}};
  app.jobs = {{.row = {.app = "web", .process = "report", .run = 4, .state = "failed", .succeeded_at = "2026-11-24T09:00:00Z"}}};
  app.rejected = {{"v3", "", "died", ""}};
  app.deployment.emplace().row.state = "baking";
  all.node.follows = {{.app = "web", .channel = "stable", .wanted = "v3", .serial = 7, .last_success = "2026-11-24T09:00:00Z", .failing_since = "s", .polls = 9,
                       .failures = 2},
                      {.app = "api", .channel = "", .wanted = "", .polls = 1}};
  all.node.sinks = {{.name = "loki", .kind = "loki", .state = "failing", .lag_seconds = 12.5, .last_success = "2026-11-24T09:00:00Z", .failing_since = "s",
                     .last_error = "503", .batches = 40, .retries = 3, .resets = 1, .apps = {{"web", {.shipped = 900, .refused = 2, .limited = 5, .lost = 7}}}}};
  all.node.webhooks = {{.name = "chat", .kind = "webhook", .state = "failing", .lag_seconds = 2.5, .last_success = "2026-11-24T09:00:00Z", .failing_since = "s",
                        .last_error = "503", .retries = 3, .resets = 1, .apps = {{"", {.shipped = 90, .refused = 2}}}}};
  all.apps = {app};
  all.counts.ended = {{{"web", "active"}, 2}, {{"web", "failed"}, 1}};
  all.counts.fetched = {{{"web", "layer"}, 5000}, {{"web", "patch"}, 70}};
  all.counts.steps = {{{"web", "fetching"}, {.count = 2, .seconds = 3.5}}};
  all.counts.hooks = {{{"web", "pre-start", "failed"}, 1}};
  all.counts.execs = {{{"web", "ok"}, 3}};
  all.counts.jobs = {{{"web", "report", "failed"}, 2}};
  all.usage[all.apps[0].instances[0].status.id] = {
      .cpu_seconds = 12.5, .resident_bytes = 50'000'000, .memory_limit = 100e6, .processes = 3, .open_fds = 17,
      .read_bytes = 4096, .written_bytes = 8192, .oom_kills = 2};
  all.usage[all.apps[0].instances[1].status.id] = {.processes = 1};
  all.events = 77;
  all.loop_lag = std::chrono::microseconds(1500);
  return all;
}

}  // namespace berth::metrics::fixture
