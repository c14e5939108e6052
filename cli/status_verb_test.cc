#include "cli/operator_verbs_fixture.h"

#include <string>

#include <gmock/gmock.h>

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST_F(OperatorVerbs, StatusTellsWhoHoldsAnAppAndWhoDrainedTheNode) {
  daemon.on("GET /v1/status", R"json({"node": "edge-1", "environment": "qa", "version": "0.1.0", "ready": true, "limits_enforced": true,
    "drained": {"at": "2026-11-24T09:00:00Z", "by": "root (uid 0)", "why": "a new kernel"}, "apps": [
    {"app": "web", "active": "v2", "health": "stopped", "held": "an audit", "held_by": "ann (uid 7)", "held_at": "2026-11-24T09:00:00Z", "held_firmly": true, "stopped": true,
     "stopped_by": "bob (uid 8)", "stopped_at": "2026-11-24T09:00:00Z", "stopped_why": "a new disk"}]})json");
  const Ran ran = berth({"status"});
  EXPECT_THAT(ran.out, HasSubstr("drained by root (uid 0) "));
  EXPECT_THAT(ran.out, HasSubstr(" ago (a new kernel): no app runs, and no deployment is taken until 'berth node resume'\n"));
  EXPECT_THAT(ran.out, HasSubstr("held: an audit (by ann (uid 7), "));
  EXPECT_THAT(ran.out, HasSubstr(" ago), until it is resumed"));
  EXPECT_THAT(ran.out, testing::ContainsRegex("stopped by bob \\(uid 8\\) .* ago: a new disk"));
}

TEST_F(OperatorVerbs, SinksAreListedWithWhatBecameOfEntries) {
  daemon.on("GET /v1/status", R"({"apps": [], "sinks": [
    {"sink": "loki", "kind": "loki", "state": "up to date", "lag_seconds": 0, "last_success": "", "failing_since": "", "last_error": "", "shipped": 900, "refused": 23, "limited": 101, "lost": 0, "retries": 0},
    {"sink": "agent", "kind": "file", "state": "failing", "lag_seconds": 300.5, "last_success": "", "failing_since": "2026-11-24T09:00:00Z", "last_error": "No space left", "shipped": 7, "refused": 0, "limited": 0, "lost": 3, "retries": 4}]})");
  const std::string out = berth({"sinks"}).out;
  EXPECT_THAT(out, testing::ContainsRegex("SINK +KIND +STATE +BEHIND +TAKEN +OVER RATE +REFUSED +LOST +WHY\n"));
  EXPECT_THAT(out, testing::ContainsRegex("loki +loki +up to date +900 +101 +23 +0"));
  EXPECT_THAT(out, testing::ContainsRegex("agent +file +failing +5m +7 +0 +0 +3 +No space left"));
  EXPECT_THAT(berth({"sinks", "--json"}).out, AllOf(testing::StartsWith(R"({"sinks":[{"sink":"loki",)"), HasSubstr(R"("limited":101)")));
  const std::string status = berth({"status"}).out;
  EXPECT_THAT(status, HasSubstr("logs go to loki (loki, 101 lines left out by its rate)"));
  EXPECT_THAT(status, HasSubstr("log sink loki has refused 23 entries; berthd's log says why\n"));
  daemon.on("GET /v1/status", R"({"sinks": []})");
  EXPECT_EQ(berth({"sinks"}).out, "This node has no sinks: [[sink]] in berthd.toml names them.\n");
  daemon.on("GET /v1/status", R"({"sinks": [], "limited_to": ["web"]})");
  EXPECT_EQ(berth({"sinks"}).out, "You may not see the node's sinks, which are of all apps: this node shows you web alone.\n");
}

TEST_F(OperatorVerbs, EventsOfANodeWhereNothingHappenedSaySo) {
  daemon.on("GET /v1/events", R"({"events": []})");
  EXPECT_EQ(berth({"events"}).out, "Nothing has happened here yet.\n");
  daemon.on("GET /v1/status", R"({"apps": [], "limited_to": ["web"]})");
  EXPECT_EQ(berth({"events"}).out, "Nothing has happened to the apps that you may see: this node shows you web alone.\n");
  EXPECT_EQ(berth({"events", "--json"}).out, "");
}

TEST_F(OperatorVerbs, StatusSaysFirstThatTheConfigurationWasRefused) {
  daemon.on("GET /v1/status", R"({"node": "edge-1", "environment": "qa", "version": "0.1.0", "ready": true, "limits_enforced": true, "apps": [],
    "config_refused": {"at": "2026-11-24T09:00:00Z", "reason": "berthd.toml:3: unknown key 'nod'"}})");
  EXPECT_THAT(berth({"status"}).out, testing::ContainsRegex("\nberthd.toml was refused .* ago, and the one before counts still: berthd.toml:3: unknown key 'nod'; "));
}

TEST_F(OperatorVerbs, StatusSaysThatTheHistoryWasChanged) {
  daemon.on("GET /v1/status", R"({"node": "edge-1", "environment": "qa", "version": "0.1.0", "ready": true, "limits_enforced": true, "apps": [], "events_damaged": "event 3 is another than the database has"})");
  EXPECT_THAT(berth({"status"}).out, HasSubstr("\nevents.log was changed: event 3 is another than the database has; 'berth events --verify' tells all that is wrong with it\n"));
}

TEST_F(OperatorVerbs, StatusSaysThatClientsElsewhereCannotCome) {
  daemon.on("GET /v1/status", R"({"node": "edge-1", "environment": "qa", "version": "0.1.0", "ready": true, "limits_enforced": true, "apps": [],
    "remote_api": {"listen": "0.0.0.0:9465", "certificate_expires": "2026-11-24T09:00:00Z", "ending": true, "problem": "the key does not fit"},
    "metrics_listener": {"listen": "0.0.0.0:9464", "certificate_expires": "", "ending": false, "problem": "the token cannot be read"}})");
  EXPECT_THAT(berth({"status"}).out, AllOf(HasSubstr("[api] at 0.0.0.0:9465: the key does not fit\n"), HasSubstr("its certificate ends at 2026-11-24T09:00:00Z: put a new one"),
                                           HasSubstr("[metrics] at 0.0.0.0:9464: the token cannot be read\n")));
}

}  // namespace
}  // namespace berth::cli
