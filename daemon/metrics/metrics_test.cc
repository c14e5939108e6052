#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/metrics/snapshot_fixture.h"

namespace berth::metrics {
namespace {

using fixture::snapshot;
using testing::HasSubstr;
using testing::Not;

TEST(Metrics, TellOfEveryInstance) {
  const std::string text = exposition(snapshot());
  EXPECT_THAT(text, HasSubstr("berth_instance_ready{app=\"web\",process=\"web\",number=\"1\",release=\"v2\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_ready{app=\"web\",process=\"web\",number=\"2\",release=\"v2\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_up{app=\"web\",process=\"web\",number=\"2\",release=\"v2\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_restarts_total{app=\"web\",process=\"web\",number=\"1\",release=\"v2\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_exits_total{app=\"web\",process=\"web\",number=\"1\",release=\"v2\",reason=\"oom\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_limits_enforced{app=\"web\",process=\"web\",number=\"1\",release=\"v2\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_limits_enforced{app=\"web\",process=\"web\",number=\"2\",release=\"v2\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_start_time_seconds{app=\"web\",process=\"web\",number=\"1\",release=\"v2\"} 1795510800.5\n"));
}

TEST(Metrics, CountExitsThatDidNotHappenAsNone) {
  auto all = snapshot();
  all.apps[0].instances[0].status.exits_by_reason.clear();
  const std::string text = exposition(all);
  for (const std::string reason : {"exit", "signal", "liveness", "oom", "not_started", "unknown"})
    EXPECT_THAT(text, HasSubstr("berth_instance_exits_total{app=\"web\",process=\"web\",number=\"1\",release=\"v2\",reason=\"" + reason + "\"} 0\n"));
}

TEST(Metrics, TellWhatInstancesTake) {
  const std::string text = exposition(snapshot());
  const std::string first = "{app=\"web\",process=\"web\",number=\"1\",release=\"v2\"} ", second = "{app=\"web\",process=\"web\",number=\"2\",release=\"v2\"} ";
  EXPECT_THAT(text, HasSubstr("berth_instance_cpu_seconds_total" + first + "12.5\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_resident_memory_bytes" + first + "50000000\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_memory_limit_bytes" + first + "100000000\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_processes" + first + "3\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_open_fds" + first + "17\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_read_bytes_total" + first + "4096\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_written_bytes_total" + first + "8192\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_oom_kills_total" + first + "2\n"));
  EXPECT_THAT(text, Not(HasSubstr("berth_instance_oom_kills_total" + second))) << "nobody counts them";
  EXPECT_THAT(text, HasSubstr("berth_instance_processes" + second + "1\n"));
  EXPECT_THAT(text, Not(HasSubstr("berth_instance_memory_limit_bytes" + second))) << "it has none";
}

TEST(Metrics, TellOfProbesAndLogs) {
  const std::string text = exposition(snapshot());
  const std::string labels = "{app=\"web\",process=\"web\",number=\"1\",release=\"v2\"";
  EXPECT_THAT(text, HasSubstr("berth_instance_probes_total" + labels + ",probe=\"readiness\",result=\"passed\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_probes_total" + labels + ",probe=\"readiness\",result=\"failed\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_probe_seconds_total" + labels + ",probe=\"readiness\"} 0.25\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_log_lines_total" + labels + "} 1234\n"));
  EXPECT_THAT(text, HasSubstr("berth_instance_log_dropped_lines_total" + labels + "} 5\n"));
}

TEST(Metrics, TellHowLongDeploymentsTook) {
  const std::string text = exposition(snapshot());
  EXPECT_THAT(text, HasSubstr("berth_deployment_step_seconds_total{app=\"web\",step=\"fetching\"} 3.5\n"));
  EXPECT_THAT(text, HasSubstr("berth_deployment_steps_total{app=\"web\",step=\"fetching\"} 2\n"));
}

TEST(Metrics, TellThatAReloadWasRefused) {
  auto all = snapshot();
  EXPECT_THAT(exposition(all), HasSubstr("\nberth_config_reload_failed 0\n"));
  all.node.config_refused = NodeStatus::Refused{.at = "2026-11-24T09:00:00Z", .reason = "wrong"};
  EXPECT_THAT(exposition(all), HasSubstr("\nberth_config_reload_failed 1\n"));
}

TEST(Metrics, CountDeploymentsThatDidNotHappenAsNone) {
  EXPECT_THAT(exposition(snapshot()), HasSubstr("berth_deployments_total{app=\"web\",state=\"reverted\"} 0\n"));
  EXPECT_THAT(exposition(snapshot()), HasSubstr("berth_deployments_total{app=\"web\",state=\"not_found\"} 0\n"));
}

TEST(Metrics, CountDeploymentsOfAppsThatAreNotOnTheNode) {
  auto all = snapshot();
  all.counts.ended[{"new", "failed"}] = 1;
  EXPECT_THAT(exposition(all), HasSubstr("berth_deployments_total{app=\"new\",state=\"failed\"} 1\n"));
  EXPECT_THAT(exposition(all), HasSubstr("berth_deployments_total{app=\"new\",state=\"active\"} 0\n"));
}

TEST(Metrics, TellOfEveryApp) {
  const std::string text = exposition(snapshot());
  EXPECT_THAT(text, HasSubstr("berth_app_health{app=\"web\",health=\"degraded\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_app_health{app=\"web\",health=\"healthy\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_release_info{app=\"web\",release=\"v2\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_deployments_total{app=\"web\",state=\"active\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("berth_deployments_total{app=\"web\",state=\"failed\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_fetched_bytes_total{app=\"web\",kind=\"patch\"} 70\n"));
  EXPECT_THAT(text, HasSubstr("berth_execs_total{app=\"web\",result=\"ok\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("berth_execs_total{app=\"web\",result=\"failed\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_job_runs_total{app=\"web\",process=\"report\",state=\"failed\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("berth_job_runs_total{app=\"web\",process=\"report\",state=\"ok\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_job_failed{app=\"web\",process=\"report\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_hooks_total{app=\"web\",hook=\"pre-start\",result=\"failed\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_app_data_copies{app=\"web\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_slots{app=\"web\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("berth_slot_bytes{app=\"web\"} 300\n"));
  EXPECT_THAT(text, HasSubstr("berth_slot_drifted_paths{app=\"web\",release=\"v1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_slot_drifted_paths{app=\"web\",release=\"v2\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("berth_slot_verified_timestamp_seconds{app=\"web\",release=\"v2\"} 1795510800\n"));
  EXPECT_THAT(text, HasSubstr("berth_rejected_releases{app=\"web\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_process_instances_wanted{app=\"web\",process=\"web\"} 2\n"));
}

TEST(Metrics, TellOfHoldsAndDrains) {
  Snapshot all = snapshot();
  EXPECT_THAT(exposition(all), HasSubstr("berth_app_held{app=\"web\"} 0\n"));
  EXPECT_THAT(exposition(all), HasSubstr("berth_node_drained 0\n"));
  all.apps[0].row.held.why = "an audit";
  all.node.drained = store::Drain{.at = "d", .by = "root"};
  EXPECT_THAT(exposition(all), HasSubstr("berth_app_held{app=\"web\"} 1\n"));
  EXPECT_THAT(exposition(all), HasSubstr("berth_node_drained 1\n"));
}

TEST(Metrics, TellOfWhatIsFollowed) {
  const std::string text = exposition(snapshot());
  EXPECT_THAT(text, HasSubstr("berth_follow_wanted_info{app=\"web\",channel=\"stable\",release=\"v3\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("berth_follow_wanted_info{app=\"api\"")));
  EXPECT_THAT(text, HasSubstr("berth_follow_last_success_timestamp_seconds{app=\"web\"} 1795510800\n"));
  EXPECT_THAT(text, HasSubstr("berth_follow_behind{app=\"web\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_follow_behind{app=\"api\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_follow_failing{app=\"web\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_follow_failing{app=\"api\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_follow_polls_total{app=\"web\"} 9\n"));
  EXPECT_THAT(text, HasSubstr("berth_follow_failures_total{app=\"web\"} 2\n"));
}

TEST(Metrics, TellOfTheNode) {
  const std::string text = exposition(snapshot());
  EXPECT_THAT(text, HasSubstr("berth_disk_free_bytes{disk=\"state\"} 5000000000\n"));
  EXPECT_THAT(text, Not(HasSubstr("disk=\"logs\""))) << "they are on the same disk";
  EXPECT_THAT(text, HasSubstr("berth_trust_expiry_timestamp_seconds{role=\"timestamp\"} 1800000000\n"));
  EXPECT_THAT(text, HasSubstr("berth_repository_last_success_timestamp_seconds 1795510800\n"));
  EXPECT_THAT(text, HasSubstr("berth_repository_failing 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_trust_refusals_total{rule=\"rollback\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("berth_trust_refusals_total{rule=\"signature\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_events_total 77\n"));
  EXPECT_THAT(text, HasSubstr("berth_loop_lag_seconds 0.0015\n"));
  EXPECT_THAT(text, HasSubstr("berth_build_info{version=\"0.1.0\"} 1\n"));
}

TEST(Metrics, WhatHasNoValueIsNotThere) {
  Snapshot none;
  const std::string text = exposition(none);
  EXPECT_THAT(text, Not(HasSubstr("berth_instance")));
  EXPECT_THAT(text, Not(HasSubstr("berth_repository")));
  EXPECT_THAT(text, Not(HasSubstr("berth_follow")));
  EXPECT_THAT(text, HasSubstr("berth_ready 0\n"));
}

TEST(Metrics, EveryFamilyHasHelpOnOneLineAndItsTypeByItsName) {
  for (const auto& family : collect(snapshot())) {
    EXPECT_FALSE(family.help.empty()) << family.name;
    EXPECT_EQ(family.help.find_first_of("\n\\"), std::string::npos) << family.name;
    EXPECT_EQ(family.type == prometheus::MetricType::Counter, family.name.ends_with("_total")) << family.name;
    EXPECT_FALSE(family.metric.empty()) << family.name;
  }
}

TEST(Metrics, LabelsAreEscaped) {
  Snapshot odd = snapshot();
  odd.node.node = "a\"b\\c\nd";
  EXPECT_THAT(exposition(odd), HasSubstr(R"(node="a\"b\\c\nd")"));
}

TEST(ProcessUsage, IsThisProcess) {
  const ProcessUsage usage = process_usage();
  EXPECT_GT(usage.resident_bytes, 1u << 20);
  EXPECT_GT(usage.virtual_bytes, usage.resident_bytes);
  EXPECT_GE(usage.open_fds, 3u);
  EXPECT_GT(usage.max_fds, usage.open_fds);
  EXPECT_GE(usage.cpu_seconds, 0);
  const auto now = static_cast<double>(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
  EXPECT_NEAR(usage.start_seconds, now, 120);
  const std::ifstream more("/proc/self/stat");
  EXPECT_EQ(process_usage().open_fds, usage.open_fds + 1);
}

}  // namespace
}  // namespace berth::metrics
