#include <chrono>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "daemon/metrics/snapshot_fixture.h"

namespace berth::metrics {
namespace {

using fixture::snapshot;
using namespace std::chrono_literals;

/// What changes a family, and a sample that it has only then.
struct Row {
  std::string family;
  std::function<void(Snapshot&)> change;
  std::string sample;  ///< behind the name
};

deploy::AppStatus& app(Snapshot& all) { return all.apps[0]; }
deploy::InstanceView& view(Snapshot& all) { return all.apps[0].instances[0]; }
supervise::InstanceStatus& instance(Snapshot& all) { return view(all).status; }
InstanceUsage& usage(Snapshot& all) { return all.usage.at(instance(all).id); }
ship::SinkStatus& sink(Snapshot& all) { return all.node.sinks[0]; }
ship::SinkStatus& webhook(Snapshot& all) { return all.node.webhooks[0]; }

const std::string kApp = R"({app="web"} )", kProcess = R"({app="web",process="web"} )", kJob = R"({app="web",process="report"} )", kSink = R"({sink="loki"} )";

std::string of_instance(const std::string& more = {}) { return R"({app="web",process="web",number="1",release="v2")" + more + "} "; }

std::vector<Row> rows_of_apps() {
  return {
      {"berth_app_data_copies", [](Snapshot& all) { app(all).copies.resize(3); }, kApp + "3"},
      {"berth_app_health", [](Snapshot& all) { app(all).health = "down"; }, R"({app="web",health="down"} 1)"},
      {"berth_app_held", [](Snapshot& all) { app(all).row.held.why = "an audit"; }, kApp + "1"},
      {"berth_app_troubled", [](Snapshot& all) { app(all).problem = "no room"; }, kApp + "1"},
      {"berth_deployment_in_progress", [](Snapshot& all) { app(all).deployment.reset(); }, kApp + "0"},
      {"berth_deployment_step", [](Snapshot& all) { app(all).deployment->row.state = "fetching"; }, R"({app="web",step="fetching"} 1)"},
      {"berth_deployment_step_seconds_total", [](Snapshot& all) { all.counts.steps[{"web", "fetching"}].seconds = 9.5; }, R"({app="web",step="fetching"} 9.5)"},
      {"berth_deployment_steps_total", [](Snapshot& all) { all.counts.steps[{"web", "fetching"}].count = 9; }, R"({app="web",step="fetching"} 9)"},
      {"berth_deployments_total", [](Snapshot& all) { all.counts.ended[{"web", "reverted"}] = 4; }, R"({app="web",state="reverted"} 4)"},
      {"berth_execs_total", [](Snapshot& all) { all.counts.execs[{"web", "ok"}] = 8; }, R"({app="web",result="ok"} 8)"},
      {"berth_fetched_bytes_total", [](Snapshot& all) { all.counts.fetched[{"web", "patch"}] = 71; }, R"({app="web",kind="patch"} 71)"},
      {"berth_hooks_total", [](Snapshot& all) { all.counts.hooks[{"web", "pre-start", "failed"}] = 6; }, R"({app="web",hook="pre-start",result="failed"} 6)"},
      {"berth_job_failed", [](Snapshot& all) { app(all).jobs[0].row.state = "ok"; }, kJob + "0"},
      {"berth_job_last_success_timestamp_seconds", [](Snapshot& all) { app(all).jobs[0].row.succeeded_at = "2026-11-24T09:00:07Z"; }, kJob + "1795510807"},
      {"berth_job_running", [](Snapshot& all) { app(all).jobs[0].row.state = "running"; }, kJob + "1"},
      {"berth_job_runs_total", [](Snapshot& all) { all.counts.jobs[{"web", "report", "ok"}] = 5; }, R"({app="web",process="report",state="ok"} 5)"},
      {"berth_process_instances_ready", [](Snapshot& all) { app(all).processes[0].ready = 7; }, kProcess + "7"},
      {"berth_process_instances_wanted", [](Snapshot& all) { app(all).processes[0].wanted = 7; }, kProcess + "7"},
      {"berth_rejected_releases", [](Snapshot& all) { app(all).rejected.resize(4); }, kApp + "4"},
      {"berth_release_info", [](Snapshot& all) { app(all).row.active = "v9"; }, R"({app="web",release="v9"} 1)"},
      {"berth_slot_bytes", [](Snapshot& all) { app(all).slots[0].bytes = 150; }, kApp + "350"},
      {"berth_slot_drifted_paths", [](Snapshot& all) { app(all).slots[0].drifted = 8; }, R"({app="web",release="v1"} 8)"},
      {"berth_slot_verified_timestamp_seconds", [](Snapshot& all) { app(all).slots[1].sealed_at = "2026-11-24T09:00:07Z"; }, R"({app="web",release="v2"} 1795510807)"},
      {"berth_slots", [](Snapshot& all) { app(all).slots.pop_back(); }, kApp + "1"},
  };
}

std::vector<Row> rows_of_instances() {
  return {
      {"berth_instance_cpu_seconds_total", [](Snapshot& all) { usage(all).cpu_seconds = 13.5; }, of_instance() + "13.5"},
      {"berth_instance_crash_looping", [](Snapshot& all) { instance(all).crash_loop = true; }, of_instance() + "1"},
      {"berth_instance_exits_total", [](Snapshot& all) { instance(all).exits_by_reason["signal"] = 4; }, of_instance(R"(,reason="signal")") + "4"},
      {"berth_instance_limits_enforced", [](Snapshot& all) { instance(all).unenforced = {"MemoryMax"}; }, of_instance() + "0"},
      {"berth_instance_log_dropped_lines_total", [](Snapshot& all) { instance(all).log_dropped = 6; }, of_instance() + "6"},
      {"berth_instance_log_lines_total", [](Snapshot& all) { instance(all).log_lines = 1235; }, of_instance() + "1235"},
      {"berth_instance_memory_limit_bytes", [](Snapshot& all) { usage(all).memory_limit = 7e6; }, of_instance() + "7000000"},
      {"berth_instance_oom_kills_total", [](Snapshot& all) { usage(all).oom_kills = 3; }, of_instance() + "3"},
      {"berth_instance_open_fds", [](Snapshot& all) { usage(all).open_fds = 18; }, of_instance() + "18"},
      {"berth_instance_probe_seconds_total", [](Snapshot& all) { instance(all).probes["readiness"].took = 750ms; }, of_instance(R"(,probe="readiness")") + "0.75"},
      {"berth_instance_probes_total", [](Snapshot& all) { instance(all).probes["readiness"].failed = 4; }, of_instance(R"(,probe="readiness",result="failed")") + "4"},
      {"berth_instance_processes", [](Snapshot& all) { usage(all).processes = 4; }, of_instance() + "4"},
      {"berth_instance_read_bytes_total", [](Snapshot& all) { usage(all).read_bytes = 4097; }, of_instance() + "4097"},
      {"berth_instance_ready", [](Snapshot& all) { instance(all).ready = false; }, of_instance() + "0"},
      {"berth_instance_resident_memory_bytes", [](Snapshot& all) { usage(all).resident_bytes = 51; }, of_instance() + "51"},
      {"berth_instance_restarts_total", [](Snapshot& all) { instance(all).restarts = 4; }, of_instance() + "4"},
      {"berth_instance_serving", [](Snapshot& all) { view(all).serving = false; }, of_instance() + "0"},
      {"berth_instance_start_time_seconds", [](Snapshot& all) { instance(all).started_at = "2026-11-24T09:00:07Z"; }, of_instance() + "1795510807"},
      {"berth_instance_up", [](Snapshot& all) { instance(all).pid = 0; }, of_instance() + "0"},
      {"berth_instance_written_bytes_total", [](Snapshot& all) { usage(all).written_bytes = 8193; }, of_instance() + "8193"},
  };
}

std::vector<Row> rows_of_followers_and_sinks() {
  return {
      {"berth_follow_behind", [](Snapshot& all) { app(all).row.active = "v3"; }, kApp + "0"},
      {"berth_follow_failing", [](Snapshot& all) { all.node.follows[0].failing_since.clear(); }, kApp + "0"},
      {"berth_follow_failures_total", [](Snapshot& all) { all.node.follows[0].failures = 3; }, kApp + "3"},
      {"berth_follow_last_success_timestamp_seconds", [](Snapshot& all) { all.node.follows[0].last_success = "2026-11-24T09:00:07Z"; }, kApp + "1795510807"},
      {"berth_follow_polls_total", [](Snapshot& all) { all.node.follows[0].polls = 10; }, kApp + "10"},
      {"berth_follow_wanted_info", [](Snapshot& all) { all.node.follows[0].wanted = "v4"; }, R"({app="web",channel="stable",release="v4"} 1)"},
      {"berth_log_batches_total", [](Snapshot& all) { sink(all).batches = 41; }, kSink + "41"},
      {"berth_log_cursor_resets_total", [](Snapshot& all) { sink(all).resets = 2; }, kSink + "2"},
      {"berth_log_dropped_total", [](Snapshot& all) { sink(all).apps["web"].lost = 8; }, R"({sink="loki",app="web",reason="lost"} 8)"},
      {"berth_log_lag_seconds", [](Snapshot& all) { sink(all).lag_seconds = 13.5; }, kSink + "13.5"},
      {"berth_log_last_success_timestamp_seconds", [](Snapshot& all) { sink(all).last_success = "2026-11-24T09:00:07Z"; }, kSink + "1795510807"},
      {"berth_log_retries_total", [](Snapshot& all) { sink(all).retries = 4; }, kSink + "4"},
      {"berth_log_shipped_total", [](Snapshot& all) { sink(all).apps["web"].shipped = 901; }, R"({sink="loki",app="web"} 901)"},
      {"berth_log_sink_failing", [](Snapshot& all) { sink(all).failing_since.clear(); }, kSink + "0"},
  };
}

std::vector<Row> rows_of_webhooks() {
  const std::string chat = R"({webhook="chat"} )";
  return {
      {"berth_webhook_cursor_resets_total", [](Snapshot& all) { webhook(all).resets = 2; }, chat + "2"},
      {"berth_webhook_delivered_total", [](Snapshot& all) { webhook(all).apps[""].shipped = 91; }, chat + "91"},
      {"berth_webhook_dropped_total", [](Snapshot& all) { webhook(all).apps[""].refused = 4; }, chat + "4"},
      {"berth_webhook_failing", [](Snapshot& all) { webhook(all).failing_since.clear(); }, chat + "0"},
      {"berth_webhook_lag_seconds", [](Snapshot& all) { webhook(all).lag_seconds = 3.5; }, chat + "3.5"},
      {"berth_webhook_last_success_timestamp_seconds", [](Snapshot& all) { webhook(all).last_success = "2026-11-24T09:00:07Z"; }, chat + "1795510807"},
      {"berth_webhook_retries_total", [](Snapshot& all) { webhook(all).retries = 5; }, chat + "5"},
  };
}

std::vector<Row> rows_of_the_node() {
  return {
      {"berth_api_certificate_ending", [](Snapshot& all) { all.node.remote_api->is_ending = true; }, " 1"},
      {"berth_api_certificate_expiry_timestamp_seconds", [](Snapshot& all) { *all.node.remote_api->certificate_ends += 7s; }, " 1800000007"},
      {"berth_api_crl_ending", [](Snapshot& all) { all.node.remote_api->crl_is_ending = true; }, " 1"},
      {"berth_api_crl_expiry_timestamp_seconds", [](Snapshot& all) { *all.node.remote_api->crl_ends += 7s; }, " 1700000007"},
      {"berth_api_failing", [](Snapshot& all) { all.node.remote_api->problem = "wrong"; }, " 1"},
      {"berth_metrics_certificate_ending", [](Snapshot& all) { all.node.metrics_listener->is_ending = true; }, " 1"},
      {"berth_metrics_certificate_expiry_timestamp_seconds", [](Snapshot& all) { *all.node.metrics_listener->certificate_ends += 7s; }, " 1800000007"},
      {"berth_metrics_crl_ending", [](Snapshot& all) { all.node.metrics_listener->crl_is_ending = true; }, " 1"},
      {"berth_metrics_crl_expiry_timestamp_seconds", [](Snapshot& all) { *all.node.metrics_listener->crl_ends += 7s; }, " 1700000007"},
      {"berth_metrics_failing", [](Snapshot& all) { all.node.metrics_listener->problem = "wrong"; }, " 1"},
      {"berth_build_info", [](Snapshot& all) { all.node.version = "9.9"; }, R"({version="9.9"} 1)"},
      {"berth_config_reload_failed", [](Snapshot& all) { all.node.config_refused.emplace(); }, " 1"},
      {"berth_disk_free_bytes", [](Snapshot& all) { all.node.disk_free = 4096; }, R"({disk="state"} 4096)"},
      {"berth_disk_free_bytes", [](Snapshot& all) { all.node.logs_disk = {.free = 2048, .reserve = 0}; }, R"({disk="logs"} 2048)"},
      {"berth_disk_reserve_bytes", [](Snapshot& all) { all.node.disk_reserve = 8192; }, R"({disk="state"} 8192)"},
      {"berth_disk_reserve_bytes", [](Snapshot& all) { all.node.logs_disk = {.free = 0, .reserve = 1024}; }, R"({disk="logs"} 1024)"},
      {"berth_api_slow_readers_total", [](Snapshot& all) { all.slow_readers = 3; }, " 3"},
      {"berth_events_total", [](Snapshot& all) { all.events = 78; }, " 78"},
      {"berth_events_damaged", [](Snapshot& all) { all.events_damaged = true; }, " 1"},
      {"berth_limits_enforced", [](Snapshot& all) { all.node.limits_enforced = true; }, " 1"},
      {"berth_loop_lag_seconds", [](Snapshot& all) { all.loop_lag = 2500us; }, " 0.0025"},
      {"berth_node_drained", [](Snapshot& all) { all.node.drained.emplace(); }, " 1"},
      {"berth_node_info", [](Snapshot& all) { all.node.environment = "qa"; }, R"({node="edge-1",environment="qa"} 1)"},
      {"berth_ready", [](Snapshot& all) { all.node.ready = false; }, " 0"},
      {"berth_repository_failing", [](Snapshot& all) { all.node.trust.last_error = "503"; }, " 1"},
      {"berth_repository_last_success_timestamp_seconds", [](Snapshot& all) { all.node.trust.last_success = "2026-11-24T09:00:07Z"; }, " 1795510807"},
      {"berth_trust_expiry_timestamp_seconds", [](Snapshot& all) { all.node.trust.roles[0].expires += 7s; }, R"({role="timestamp"} 1800000007)"},
      {"berth_trust_refusals_total", [](Snapshot& all) { all.node.trust.refusals["hash"] = 3; }, R"({rule="hash"} 3)"},
      {"process_cpu_seconds_total", [](Snapshot& all) { all.process.cpu_seconds = 1.5; }, " 1.5"},
      {"process_max_fds", [](Snapshot& all) { all.process.max_fds = 1024; }, " 1024"},
      {"process_open_fds", [](Snapshot& all) { all.process.open_fds = 17; }, " 17"},
      {"process_resident_memory_bytes", [](Snapshot& all) { all.process.resident_bytes = 5000; }, " 5000"},
      {"process_start_time_seconds", [](Snapshot& all) { all.process.start_seconds = 1795510807; }, " 1795510807"},
      {"process_virtual_memory_bytes", [](Snapshot& all) { all.process.virtual_bytes = 6000; }, " 6000"},
  };
}

/// Each sample of a page is a line.
std::set<std::string> samples_of(const Snapshot& all) {
  std::set<std::string> samples;
  std::istringstream page(exposition(all));
  for (std::string line; std::getline(page, line);)
    if (!line.starts_with('#')) samples.insert(line);
  return samples;
}

TEST(Series, OfEveryFamilyTellWhatTheNodeIs) {
  std::set<std::string> families, told;
  for (const auto& family : collect(snapshot())) families.insert(family.name);
  const auto before = samples_of(snapshot());
  for (const auto& rows : {rows_of_apps(), rows_of_instances(), rows_of_followers_and_sinks(), rows_of_webhooks(), rows_of_the_node()}) {
    for (const Row& row : rows) {
      told.insert(row.family);
      const std::string sample = row.family + row.sample;
      EXPECT_FALSE(before.contains(sample)) << sample << " is there before the change";
      Snapshot all = snapshot();
      row.change(all);
      EXPECT_TRUE(samples_of(all).contains(sample)) << sample;
    }
  }
  EXPECT_EQ(told, families) << "each family needs a row that shows where its value comes from";
}

/// The node after so many deployments, each of another release; every seventh failed.
Snapshot after_deployments(int count) {
  Snapshot all = snapshot();
  const auto name = [](int number) { return fmt::format("v{}", number); };
  for (int number = 1; number <= count; ++number) {
    const bool failed = number % 7 == 0;
    ++all.counts.ended[{"web", failed ? "failed" : "active"}];
    for (const char* step : {"queued", "fetching", "unpacking", "preparing", "starting", "switching", "baking"}) ++all.counts.steps[{"web", step}].count;
    for (const char* kind : {"layer", "patch", "index"}) all.counts.fetched[{"web", kind}] += 10;
    ++all.counts.hooks[{"web", "pre-start", "ok"}];
    ++all.counts.jobs[{"web", "report", failed ? "failed" : "ok"}];
  }
  app(all).row = {.app = "web", .active = name(count), .previous = name(count - 1)};
  app(all).slots = {{.app = "web", .release = name(count - 1), .bytes = 100}, {.app = "web", .release = name(count), .bytes = 200}};
  for (int number = 1; number < count; ++number)
    if (number % 7 == 0) app(all).rejected.push_back({name(number), "", "died", ""});
  app(all).last.emplace();
  app(all).last->row.release = name(count);
  const auto used = usage(all);
  all.usage.clear();
  for (auto& each : app(all).instances) {
    each.status.id.release = name(count);
    all.usage[each.status.id] = used;
  }
  all.node.follows[0].wanted = name(count);
  return all;
}

TEST(Series, AreAsManyAfterAThousandDeploymentsAsAfterTen) {
  const auto after_ten = samples_of(after_deployments(10)), after_many = samples_of(after_deployments(1000));
  EXPECT_EQ(after_many.size(), after_ten.size());
  for (const std::string& sample : after_many) EXPECT_EQ(sample.find(R"(release="v1")"), std::string::npos) << sample << " is of a release that is long gone";
  EXPECT_TRUE(after_many.contains(R"(berth_deployments_total{app="web",state="failed"} 143)"));
}

}  // namespace
}  // namespace berth::metrics
