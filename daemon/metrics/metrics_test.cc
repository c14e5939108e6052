#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/metrics/snapshot.h"

namespace berth::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

deploy::InstanceView instance(int number, bool ready) {
  deploy::InstanceView view{.port = 20000, .serving = ready};
  view.status.id = {"web", "web", number, "v2"};
  view.status.pid = 4242;
  view.status.ready = ready;
  view.status.restarts = 3;
  view.status.started_at = "2026-11-24T09:00:00.500000Z";
  view.status.has_limits = true;
  if (!ready) view.status.unenforced = {"MemoryMax"};
  view.status.exits_by_reason = {{"exit", 2}, {"oom", 1}};
  return view;
}

Snapshot snapshot() {
  Snapshot all;
  all.node = {.node = "edge-1", .environment = "production", .version = "0.1.0", .ready = true, .repository = "https://host", .disk_free = 5'000'000'000};
  all.node.trust.roles = {{"timestamp", 4, std::chrono::system_clock::from_time_t(1'800'000'000)}};
  all.node.trust.last_success = "2026-11-24T09:00:00Z";
  deploy::AppStatus app;
  app.row = {.app = "web", .active = "v2", .previous = "v1"};
  app.health = "degraded";
  app.processes = {{.process = "web", .wanted = 2, .ready = 1}};
  app.instances = {instance(1, true), instance(2, false)};
  app.slots = {{.app = "web", .release = "v1", .bytes = 100}, {.app = "web", .release = "v2", .bytes = 200, .sealed_at = "2026-11-24T09:00:00Z", .drifted = 3}};
  app.rejected = {{"v3", "", "died", ""}};
  all.node.follows = {{.app = "web", .channel = "stable", .wanted = "v3", .serial = 7, .last_success = "2026-11-24T09:00:00Z", .failing_since = "s", .polls = 9,
                       .failures = 2},
                      {.app = "api", .channel = "", .wanted = "", .polls = 1}};
  all.apps = {app};
  all.deployments = {{{"web", "active"}, 2}, {{"web", "failed"}, 1}};
  all.fetched = {{{"web", "layer"}, 5000}, {{"web", "patch"}, 70}};
  all.hooks = {{{"web", "pre-start", "failed"}, 1}};
  all.events = 77;
  all.loop_lag = std::chrono::microseconds(1500);
  return all;
}

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

TEST(Metrics, TellOfEveryApp) {
  const std::string text = exposition(snapshot());
  EXPECT_THAT(text, HasSubstr("berth_app_health{app=\"web\",health=\"degraded\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_app_health{app=\"web\",health=\"healthy\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("berth_release_info{app=\"web\",release=\"v2\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_deployments_total{app=\"web\",state=\"active\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("berth_deployments_total{app=\"web\",state=\"failed\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("berth_fetched_bytes_total{app=\"web\",kind=\"patch\"} 70\n"));
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
  EXPECT_THAT(text, HasSubstr("berth_disk_free_bytes 5000000000\n"));
  EXPECT_THAT(text, HasSubstr("berth_trust_expiry_timestamp_seconds{role=\"timestamp\"} 1800000000\n"));
  EXPECT_THAT(text, HasSubstr("berth_repository_last_success_timestamp_seconds 1795510800\n"));
  EXPECT_THAT(text, HasSubstr("berth_repository_failing 0\n"));
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
