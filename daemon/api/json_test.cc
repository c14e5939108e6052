#include <chrono>

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "core/json/json.h"
#include "daemon/api/to_json.h"

namespace berth::api {
namespace {

/// What `text` says, so that expectations may be written with white space.
boost::json::value said(std::string_view text, bool floats = false) {
  auto json = json::parse(text, {}, floats);
  EXPECT_TRUE(json) << json.error().message;
  return json ? *json : nullptr;
}

deploy::DeploymentStatus baking() {
  deploy::DeploymentStatus status;
  status.row = {.id = 7, .app = "web", .release = "v2", .kind = "deploy", .state = "baking", .from = "v1", .decided = true, .by = "root (uid 0)",
                .created_at = "2026-11-24T09:00:00.000000Z", .bake_until_ms = 1'795'510'830'250};
  status.bytes_done = 1024;
  status.bytes_total = 4096;
  status.instances_ready = 1;
  status.instances_wanted = 2;
  status.steps = {{"queued", "a"}, {"fetching", "b"}};
  status.last_lines = {"bad \xff byte"};
  status.hooks = {{.hook = "pre-start", .release = "v2", .began_at = "c", .ended_at = "d", .result = "ok", .attempts = 1}};
  status.notes = {"data were copied"};
  return status;
}

constexpr const char* kBaking = R"json({"id": 7, "app": "web", "release": "v2", "kind": "deploy", "state": "baking", "reason": "", "from": "v1", "decided": true,
 "by": "root (uid 0)", "why": "", "force": false, "rejected": false, "stopped": false, "created_at": "2026-11-24T09:00:00.000000Z", "ended_at": "", "bake_until": "2026-11-24T09:00:30.250Z",
 "exit": -1, "already": false,
 "progress": {"bytes_done": 1024, "bytes_total": 4096, "instances_ready": 1, "instances_wanted": 2},
 "steps": [{"state": "queued", "at": "a"}, {"state": "fetching", "at": "b"}],
 "last_lines": ["bad )json" "\xEF\xBF\xBD" R"json( byte"],
 "hooks": [{"hook": "pre-start", "release": "v2", "began_at": "c", "ended_at": "d", "result": "ok", "attempts": 1}],
 "notes": ["data were copied"]})json";

TEST(ApiJson, ADeploymentIsAsDocumented) { EXPECT_EQ(boost::json::value(to_json(baking())), said(kBaking)); }

TEST(ApiJson, APlanIsAsDocumented) {
  auto manifest = std::make_shared<bundle::Manifest>();
  manifest->spec.hooks["pre-start"] = {.command = {"migrate"}};
  manifest->spec.processes["web"] = {.command = {"serve"}, .routing = spec::Routing::port, .public_port = 80};
  manifest->spec.processes["report"] = {.command = {"report"}, .job = spec::Job{}};
  manifest->spec.processes["cleanup"] = {.command = {"cleanup"}, .job = spec::Job{.run = spec::Job::When::hand}};
  manifest->spec.deploy.bake.log = spec::BakeLog{.pattern = "ERROR", .max_rate = {}};
  deploy::DeploymentPlan plan{.app = "web", .release = "v2", .from = "v1"};
  plan.others = {{.id = 6, .release = "v1", .state = "baking", .gives_way = true}};
  plan.manifest = manifest;
  plan.platform = "linux/amd64";
  plan.digest = "b2";
  plan.from_digest = "b1";
  plan.version = "1.1";
  plan.source = "repository";
  plan.tree = {.files = 9, .bytes = 90000};
  plan.compared = true;
  plan.changes = {{.kind = bundle::Change::Kind::changed, .what = "file", .name = "bin/server", .before = "a", .after = "b"}};
  plan.changed = {.files = 1, .bytes = 3000};
  plan.fetched = {{.part = "app", .kind = "patch", .from = "v1", .sha256 = "aa", .bytes = 2000}};
  plan.disk_needed = 5000;
  plan.disk_free = 3000000;
  plan.disk_reserve = 1000000;
  plan.instances = {{"web", 3}};
  plan.instances_before = {{"web", 2}, {"old", 1}};
  plan.ports = {{.process = "web", .port = 80, .routing = spec::Routing::port}};
  plan.goes_on = true;
  plan.ended_jobs = {"import"};
  plan.hooks = {{.hook = "pre-start", .release = "v2", .timeout = std::chrono::minutes(5), .may_stop = true}};
  EXPECT_EQ(boost::json::value(to_json(plan)), said(R"({"kind": "deploy", "app": "web", "release": "v2", "from": "v1", "already": false, "same": null,
 "others": [{"id": 6, "release": "v1", "state": "baking", "gives_way": true}], "refusals": [], "forcible": false, "notes": [], "exit": 0,
 "build": {"platform": "linux/amd64", "digest": "b2", "version": "1.1", "tree": {"files": 9, "bytes": 90000}, "from_digest": "b1", "from_version": ""},
 "difference": {"added": {"files": 0, "bytes": 0}, "changed": {"files": 1, "bytes": 3000}, "removed": {"files": 0, "bytes": 0},
   "changes": [{"kind": "changed", "what": "file", "name": "bin/server", "before": "a", "after": "b"}], "left_out": 0},
 "fetch": {"from": "repository", "bytes": 2000, "blobs": [{"part": "app", "kind": "patch", "from": "v1", "sha256": "aa", "bytes": 2000}]},
 "disk": {"needed": 5000, "free": 3000000, "reserve": 1000000},
 "way": {"strategy": "blue-green", "stops_first": false, "gradual": false, "goes_on": true, "canary": null,
   "ports": [{"process": "web", "port": 80, "routing": "port"}], "waits_for": [], "ready_timeout_ms": 60000, "drain_ms": 30000},
 "instances": [{"process": "old", "before": 1, "after": 0}, {"process": "web", "before": 2, "after": 3}],
 "hooks": [{"hook": "pre-start", "release": "v2", "timeout_ms": 300000, "may_stop": true}], "on_revert": false, "jobs": ["report"],
 "jobs_by_hand": ["cleanup"], "jobs_ended": ["import"],
 "bake": {"duration_ms": 30000, "reboots": 3, "metric": null, "log": {"pattern": "ERROR", "max_rate": "1/s"}},
 "data": {"snapshot": false, "method": "", "bytes": 0, "migrates": true, "revert_sets_aside": false, "migration_stays": true, "migrated": "",
   "puts_back": null, "keeps": false}})"));
  plan.manifest.reset();
  plan.refuse({Errc::not_found, "no such release"}, Exit::not_found);
  EXPECT_EQ(boost::json::value(to_json(plan)).at("refusals"), said(R"([{"code": "not_found", "detail": "no such release", "exit": 3}])"));
  EXPECT_FALSE(to_json(plan).contains("build"));
  EXPECT_EQ(to_json(plan).at("exit"), 3);
}

TEST(ApiJson, APlanOfARevertPromisesNothingThatItDoesNotDo) {
  auto manifest = std::make_shared<bundle::Manifest>();
  manifest->spec.hooks["pre-start"] = {.command = {"migrate"}};
  manifest->spec.hooks["on-revert"] = {.command = {"undo"}};
  manifest->spec.processes["report"] = {.command = {"report"}, .job = spec::Job{}};
  manifest->spec.processes["cleanup"] = {.command = {"cleanup"}, .job = spec::Job{.run = spec::Job::When::hand}};
  manifest->spec.deploy.after = {"db"};
  manifest->spec.deploy.bake.log = spec::BakeLog{.pattern = "ERROR", .max_rate = {}};
  deploy::DeploymentPlan plan{.is_revert = true, .app = "web", .release = "v1", .from = "v2"};
  plan.manifest = manifest;
  plan.puts_back = store::DataCopy{.app = "web", .folder = "snapshot.7", .deployment = 7, .release = "v1", .before = true, .method = "reflink", .bytes = 0, .since = {}, .at = "t"};
  const auto json = to_json(plan);
  EXPECT_EQ(json.at("kind"), "revert");
  EXPECT_EQ(json.at("jobs"), said("[]")) << "what a deployment runs, a revert does not";
  EXPECT_EQ(json.at("jobs_by_hand"), said(R"(["cleanup"])"));
  EXPECT_EQ(json.at("way").at("waits_for"), said("[]"));
  EXPECT_EQ(json.at("bake").at("duration_ms"), 0);
  EXPECT_TRUE(json.at("bake").at("log").is_null());
  EXPECT_EQ(json.at("on_revert"), false);
  EXPECT_EQ(json.at("data"), said(R"({"snapshot": false, "method": "", "bytes": 0, "migrates": false, "revert_sets_aside": true, "migration_stays": false, "migrated": "",
   "puts_back": {"folder": "snapshot.7", "method": "reflink", "bytes": 0, "at": "t"}, "keeps": false})"));
  plan.puts_back.reset();
  plan.migrated = "web@v2";
  EXPECT_EQ(to_json(plan).at("data").at("migration_stays"), true);
  EXPECT_EQ(to_json(plan).at("data").at("migrated"), "web@v2");
}

TEST(ApiJson, AStoryIsAsDocumented) {
  deploy::Story story{.about = deploy::Story::About::instances, .app = "web", .active = "v2", .why = "web/web.1 ends again and again: exited with 1 (12 restarts)"};
  story.health = "down";
  story.since = "s";
  story.stopped = "stopped (by root (uid 0) since t)";
  story.notes = {"web@v2 is not as it was sealed"};
  story.over = true;
  story.told = {{.at = "a", .until = "b", .kind = "instance.exit", .text = "web/web.1@v2 exited with 1", .times = 12}};
  story.lines_of = "web/web.1@v2";
  story.lines = {{.at = "2026-11-24T09:00:01.5Z", .text = "bad \xff byte"}};
  story.advice = {"berth logs web/web.1 --previous"};
  EXPECT_EQ(boost::json::value(to_json(story)), said(R"json({"app": "web", "active": "v2", "health": "down", "since": "s", "stopped": "stopped (by root (uid 0) since t)",
 "about": "instances", "why": "web/web.1 ends again and again: exited with 1 (12 restarts)", "over": false,
 "deployment": null, "instances": [], "jobs": [], "notes": ["web@v2 is not as it was sealed"], "events": [{"at": "a", "until": "b", "times": 12, "kind": "instance.exit", "text": "web/web.1@v2 exited with 1"}],
 "lines_of": "web/web.1@v2", "last_lines": ["bad )json" "\xEF\xBF\xBD" R"json( byte"], "lines": [{"at": "2026-11-24T09:00:01.5Z", "text": "bad )json" "\xEF\xBF\xBD" R"json( byte"}], "next": ["berth logs web/web.1 --previous"]})json"));
  story.deployment = baking();
  EXPECT_TRUE(to_json(story).at("deployment").is_object());
  story.about = deploy::Story::About::deployment;
  EXPECT_EQ(to_json(story).at("over"), true);
  story.about = deploy::Story::About::job;
  story.jobs = {{.row = {.app = "web", .process = "report", .run = 3, .state = "failed"}}};
  EXPECT_EQ(to_json(story).at("about"), boost::json::value("job"));
  EXPECT_EQ(to_json(story).at("jobs").at(0).at("run"), 3);
}

TEST(ApiJson, OutsideOfABakeThereIsNoEndOfIt) {
  auto status = baking();
  status.row.bake_until_ms = 0;
  EXPECT_EQ(to_json(status).at("bake_until"), "");
}

deploy::AppStatus web() {
  deploy::AppStatus app;
  app.row = {.app = "web", .active = "v2", .previous = "v1"};
  app.since = "s";
  app.strategy = "blue-green";
  app.ready_timeout = std::chrono::seconds(30);
  app.health = "healthy";
  app.rejected = {{"v3", "0123", "died", "r"}};
  app.processes = {{.process = "web", .wanted = 2, .by_spec = 1, .ready = 2, .stopped = 1, .public_port = 8080, .routing = spec::Routing::port}};
  deploy::InstanceView view{.port = 20001, .ports = {{"admin", 20002}}, .serving = true, .stopped = store::Stop{.at = "s", .by = "ann (uid 7)", .why = "noisy"}};
  view.status = {.id = {"web", "web", 1, "v2"}, .phase = supervise::Phase::running, .pid = 4242, .keeper_pid = 4240, .ready = true, .restarts = 1,
                 .started_at = "t"};
  view.status.exits_by_reason = {{"exit", 1}};
  view.status.says = "3 clients";
  view.status.unenforced = {"MemoryMax"};
  view.status.last_exit = supervise::Exit{.status = 256, .reason = "exited with 1", .at = "e", .ran = std::chrono::milliseconds(1200)};
  app.instances = {view};
  app.jobs = {{.row = {.app = "web", .process = "report"}, .by_hand = true}};
  app.execs = {{.id = {"web", "exec", 1001, "v1"}, .process = "web", .by = "root (uid 0)", .since = "x"}};
  app.slots = {{.app = "web", .release = "v2"}, {.app = "web", .release = "v1", .verified_at = "w", .drifted = 3, .drift = "app/a: is missing"}};
  app.slots[1].pinned = true;
  app.slots[1].signed_by = "web";
  app.slots[1].signing_keys = {"ab12", "cd34"};
  app.copies = {{.app = "web", .folder = "data.7", .deployment = 7, .release = "v3", .method = "moved", .since = "c", .at = "d"}};
  return app;
}

constexpr const char* kWeb = R"json({"app": "web", "active": "v2", "previous": "v1", "held": "", "held_by": "", "held_at": "", "held_firmly": false, "stopped": false, "stopped_by": "", "stopped_at": "", "stopped_why": "", "since": "s", "strategy": "blue-green", "ready_timeout_ms": 30000,
   "health": "healthy", "problem": "", "deployment": null, "last_deployment": null, "follow": null,
   "rejected": [{"release": "v3", "reason": "died", "at": "r"}],
   "drifted": [{"release": "v1", "paths": 3, "first": "app/a: is missing", "verified_at": "w"}],
   "pinned": ["v1"],
   "signers": {"v1": {"role": "web", "keys": ["ab12", "cd34"]}},
   "data_copies": [{"folder": "data.7", "deployment": 7, "release": "v3", "set_aside": true, "since": "c"}],
   "processes": [{"process": "web", "wanted": 2, "by_spec": 1, "ready": 2, "stopped": 1, "public_port": 8080, "routing": "port"}],
   "instances": [{"instance": "web/web.1", "process": "web", "number": 1, "release": "v2", "phase": "running", "pid": 4242, "keeper_pid": 4240,
                  "ready": true, "serving": true, "not_ready": "", "stopped": true, "stopped_by": "ann (uid 7)", "stopped_at": "s", "stopped_why": "noisy", "says": "3 clients", "restarts": 1, "started_at": "t", "port": 20001, "ports": {"admin": 20002}, "crash_loop": false, "unenforced_limits": ["MemoryMax"],
                  "exits_by_reason": {"exit": 1}, "last_exit": {"reason": "exited with 1", "at": "e", "ran_ms": 1200, "asked": true}}],
   "execs": [{"instance": "web/exec.1001", "release": "v1", "process": "web", "by": "root (uid 0)", "since": "x"}],
   "jobs": [{"process": "report", "run": 0, "runs": "by hand", "state": "never", "release": "", "deployment": 0, "by": "", "why": "", "attempts": 0,
             "began_at": "", "ended_at": "", "result": "", "succeeded_at": "", "last_lines": []}]})json";

TEST(ApiJson, AnAppIsAsDocumented) { EXPECT_EQ(boost::json::value(to_json(web(), {})), said(kWeb)); }

TEST(ApiJson, WhatAnAppFollowsIsAsDocumented) {
  const follow::Status stable{.app = "web", .channel = "stable", .interval = std::chrono::minutes(1), .wanted = "v3", .serial = 7, .last_poll = "p",
                              .last_success = "s", .failing_since = "f", .last_error = "gone \xff", .note = "it is held", .polls = 9, .failures = 2};
  const auto expected = said(R"json({"app": "web", "channel": "stable", "wanted": "v3", "serial": 7, "interval_ms": 60000, "last_poll": "p",
    "last_success": "s", "failing_since": "f", "last_error": "gone )json" "\xEF\xBF\xBD" R"json(", "note": "it is held", "polls": 9, "failures": 2})json");
  EXPECT_EQ(boost::json::value(to_json(stable)), expected);
  EXPECT_EQ(to_json(web(), {{.app = "api"}, stable}).at("follow"), expected);
  EXPECT_TRUE(to_json(web(), {{.app = "api"}}).at("follow").is_null());
  const metrics::NodeStatus node{.node = "edge-1", .follows = {stable}};
  EXPECT_EQ(to_json(node, {}).at("follows").as_array().at(0), expected);
  EXPECT_EQ(to_json(node, {web()}).at("apps").as_array()[0].at("follow"), expected);
}

TEST(ApiJson, AnInstanceThatNeverEndedHasNoLastExitAndADeploymentIsShownWhole) {
  auto app = web();
  app.instances[0].status.last_exit.reset();
  app.deployment = baking();
  const auto json = to_json(app, {});
  EXPECT_TRUE(json.at("instances").as_array()[0].as_object().at("last_exit").is_null());
  EXPECT_EQ(json.at("deployment"), said(kBaking));
  app.last = baking();
  EXPECT_EQ(to_json(app, {}).at("last_deployment"), said(kBaking));
}

TEST(ApiJson, ANodeIsAsDocumented) {
  metrics::NodeStatus node{.node = "edge-1", .environment = "production", .version = "0.1.0", .since = "s", .ready = true, .repository = "https://host",
                           .root = "/etc/berth/root.json"};
  node.trust = {.roles = {{"timestamp", 4, std::chrono::system_clock::from_time_t(1'795'510'800)}}, .last_success = "l", .last_error = "expired"};
  node.config_file = "/etc/berth/berthd.toml";
  node.left = {{.app = "old", .data = true}};
  node.disk_free = 5;
  node.disk_reserve = 6;
  EXPECT_EQ(boost::json::value(to_json(node, {web()})), said(std::string(R"({"node": "edge-1", "environment": "production", "version": "0.1.0", "since": "s",
    "ready": true,
    "repository": {"url": "https://host", "root": "/etc/berth/root.json", "ca_file": "", "certificate_file": "", "key_file": "", "last_success": "l", "last_error": "expired",
                   "roles": [{"role": "timestamp", "version": 4, "expires": "2026-11-24T09:00:00Z"}]},
    "disk": {"free_bytes": 5, "reserve_bytes": 6, "logs": null}, "limits_enforced": false, "config_refused": null, "events_damaged": "", "remote_api": null, "metrics_listener": null, "drained": null,
    "paths": {"state": "/var/lib/berth", "logs": "/var/log/berth", "run": "/run/berth", "config": "/etc/berth/berthd.toml"},
    "follows": [], "left": [{"app": "old", "data": true, "logs": false}], "sinks": [], "webhooks": [], "apps": [)") + kWeb + "]}"));
}

TEST(ApiJson, ListenersAreAsDocumented) {
  metrics::NodeStatus node{.node = "edge-1"};
  node.remote_api = {.listen = "0.0.0.0:9465", .problem = "wrong \xff", .certificate_ends = std::chrono::system_clock::from_time_t(1'795'510'800), .is_ending = true};
  EXPECT_EQ(to_json(node, {}).at("remote_api"),
            said("{\"listen\": \"0.0.0.0:9465\", \"certificate_expires\": \"2026-11-24T09:00:00Z\", \"ending\": true, \"problem\": \"wrong \xEF\xBF\xBD\"}"));
  node.remote_api = {.listen = "0.0.0.0:9465", .problem = "no file"};
  EXPECT_EQ(to_json(node, {}).at("remote_api"), said(R"({"listen": "0.0.0.0:9465", "certificate_expires": "", "ending": false, "problem": "no file"})"));
  node.metrics_listener = {.listen = "0.0.0.0:9464", .problem = ""};
  EXPECT_EQ(to_json(node, {}).at("metrics_listener"), said(R"({"listen": "0.0.0.0:9464", "certificate_expires": "", "ending": false, "problem": ""})"));
}

TEST(ApiJson, ANodeAtAGlanceIsAsDocumented) {
  metrics::NodeStatus node{.node = "edge-1", .environment = "production", .version = "0.1.0", .since = "s", .ready = true, .repository = "https://secret"};
  node.trust = {.roles = {{"timestamp", 4, std::chrono::system_clock::from_time_t(1'795'510'800)}}, .last_success = "l", .last_error = "secret"};
  node.disk_free = 5;
  node.disk_reserve = 6;
  node.logs_disk = {.free = 7, .reserve = 3};
  node.config_refused = {.at = "a", .reason = "secret"};
  node.sinks = {{.name = "central", .kind = "syslog", .state = "failing", .lag_seconds = 12.5, .last_success = "l", .failing_since = "f", .last_error = "secret",
                 .retries = 4, .apps = {{"web", {.shipped = 11, .refused = 2, .limited = 5, .lost = 3}}, {"", {.shipped = 1}}}}};
  node.webhooks = {{.name = "chat", .kind = "webhook", .state = "failing", .lag_seconds = 2.5, .last_success = "l", .failing_since = "f", .last_error = "secret",
                    .retries = 4, .apps = {{"", {.shipped = 11, .refused = 2}}}}};
  EXPECT_EQ(boost::json::value(summary_json(node, {})), json::parse(R"({"node": "edge-1", "environment": "production", "version": "0.1.0", "since": "s", "ready": true,
    "drained": false, "config_refused": true, "limits_enforced": false,
    "repository": {"failing": true, "last_success": "l", "roles": [{"role": "timestamp", "expires": "2026-11-24T09:00:00Z"}]},
    "disk": {"free_bytes": 5, "reserve_bytes": 6, "logs": {"free_bytes": 7, "reserve_bytes": 3}},
    "sinks": [{"sink": "central", "kind": "syslog", "state": "failing", "lag_seconds": 12.5, "last_success": "l", "failing_since": "f",
               "shipped": 12, "refused": 2, "limited": 5, "lost": 3}],
    "webhooks": [{"webhook": "chat", "state": "failing", "lag_seconds": 2.5, "last_success": "l", "failing_since": "f", "delivered": 11, "dropped": 2, "retries": 4}],
    "apps": []})", {}, true).value());
}

TEST(ApiJson, AJobIsAsDocumented) {
  const deploy::JobStatus job{.row = {.app = "web", .process = "report", .run = 3, .release = "v2", .deployment = 7, .by = "root (uid 0)", .why = "w", .state = "failed",
                                      .result = "exited with 1", .attempts = 4, .began_at = "b", .ended_at = "e", .succeeded_at = "s"},
                              .last_lines = {"no database \xff"}};
  EXPECT_EQ(boost::json::value(to_json(job)), said(R"json({"process": "report", "run": 3, "runs": "at deployments", "state": "failed", "release": "v2", "deployment": 7,
    "by": "root (uid 0)", "why": "w", "attempts": 4, "began_at": "b", "ended_at": "e", "result": "exited with 1", "succeeded_at": "s",
    "last_lines": ["no database )json" "\xEF\xBF\xBD" R"json("]})json"));
}

TEST(ApiJson, ASinkIsAsDocumented) {
  const ship::SinkStatus sink{.name = "central", .kind = "syslog", .state = "failing", .lag_seconds = 12.5, .last_success = "l", .failing_since = "f",
                              .last_error = "connection refused", .refused_at = "r", .refused_why = "too old \xff", .batches = 9, .retries = 4, .resets = 0,
                              .apps = {{"", {.shipped = 1}}, {"web", {.shipped = 10, .refused = 2, .limited = 5, .lost = 3}}}};
  const metrics::NodeStatus node{.node = "edge-1", .sinks = {sink}};
  EXPECT_EQ(to_json(node, {}).at("sinks").as_array().at(0),
            said(R"({"sink": "central", "kind": "syslog", "required": true, "state": "failing", "lag_seconds": 1.25e1, "last_success": "l", "failing_since": "f",
    "last_error": "connection refused", "shipped": 11, "refused": 2, "refused_at": "r", "refused_why": "too old )" "\xEF\xBF\xBD" R"(", "limited": 5, "lost": 3, "retries": 4})", true));
}

TEST(ApiJson, WholeSecondsHaveNoExponent) {
  const metrics::NodeStatus node{.sinks = {{.name = "central", .kind = "syslog"}}, .webhooks = {{.name = "chat", .kind = "webhook", .lag_seconds = 90}}};
  const std::string text = boost::json::serialize(summary_json(node, {}));
  EXPECT_NE(text.find(R"("lag_seconds":0,)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("lag_seconds":90,)"), std::string::npos) << text;
}

TEST(ApiJson, AWebhookIsAsDocumented) {
  const ship::SinkStatus webhook{.name = "chat", .kind = "webhook", .state = "failing", .lag_seconds = 2.5, .last_success = "l", .failing_since = "f",
                                 .last_error = "connection refused \xff", .refused_at = "r", .refused_why = "410 \xff", .batches = 9, .retries = 4, .resets = 0, .apps = {{"", {.shipped = 11, .refused = 2}}}};
  const metrics::NodeStatus node{.node = "edge-1", .webhooks = {webhook}};
  EXPECT_EQ(to_json(node, {}).at("webhooks").as_array().at(0),
            said(R"({"webhook": "chat", "state": "failing", "lag_seconds": 2.5e0, "last_success": "l", "failing_since": "f",
    "last_error": "connection refused )" "\xEF\xBF\xBD" R"(", "delivered": 11, "dropped": 2, "dropped_at": "r", "dropped_why": "410 )" "\xEF\xBF\xBD" R"(", "retries": 4})", true));
}

TEST(ApiJson, HoldsAndDrainsAreAsDocumented) {
  auto app = web();
  app.row.held = {.why = "an audit", .by = "root (uid 0)", .at = "h", .firm = true};
  const auto json = to_json(app, {});
  EXPECT_EQ(json.at("held"), "an audit");
  EXPECT_EQ(json.at("held_by"), "root (uid 0)");
  EXPECT_EQ(json.at("held_at"), "h");
  EXPECT_EQ(json.at("held_firmly"), true);
  app.row.stopped = true;
  app.row.stop = {.at = "t", .by = "root (uid 0)", .why = "a new disk"};
  const auto stopped = to_json(app, {});
  EXPECT_EQ(stopped.at("stopped_by"), "root (uid 0)");
  EXPECT_EQ(stopped.at("stopped_at"), "t");
  EXPECT_EQ(stopped.at("stopped_why"), "a new disk");
  const metrics::NodeStatus node{.node = "edge-1", .drained = store::Drain{.at = "d", .by = "root (uid 0)", .why = "a new kernel"}};
  const metrics::NodeStatus wrong{.node = "edge-1", .config_refused = metrics::NodeStatus::Refused{.at = "r", .reason = "line 3 \xff"}};
  EXPECT_EQ(to_json(wrong, {}).at("config_refused"), said("{\"at\": \"r\", \"reason\": \"line 3 \xEF\xBF\xBD\"}"));
  const metrics::NodeStatus edited{.node = "edge-1", .events_trouble = "event 3 is another"}, written{.node = "edge-1", .events_intrusion = "somebody wrote 8 bytes", .events_trouble = "event 3 is another"};
  EXPECT_EQ(to_json(edited, {}).at("events_damaged"), "event 3 is another");
  EXPECT_EQ(to_json(written, {}).at("events_damaged"), "somebody wrote 8 bytes") << "what is newer";
  EXPECT_EQ(to_json(node, {}).at("drained"), said(R"json({"at": "d", "by": "root (uid 0)", "why": "a new kernel"})json"));
}

TEST(ApiJson, ReleasesSlotsAndEventsAreAsDocumented) {
  EXPECT_EQ(boost::json::value(to_json(deploy::Releases{{{.release = "v2", .active = true, .in_repository = true, .bytes = 1, .sealed_at = "s"}}, "gone"})),
            said(R"({"releases": [{"release": "v2", "active": true, "previous": false, "in_repository": true, "on_node": false, "bytes": 1,
                     "sealed_at": "s", "pinned": false, "imported": false, "expired": "", "rejected": ""}], "repository_error": "gone"})"));
  EXPECT_EQ(boost::json::value(repository_apps_json({{"web", {"v1", "v2"}}})), said(R"({"apps": [{"app": "web", "releases": ["v1", "v2"]}]})"));
  const deploy::Collected collected{.slots = {{.slot = {.app = "web", .release = "v2", .bytes = 8}, .why = {"active", "newest"}},
                                              {.slot = {.app = "web", .release = "v1", .bytes = 9}, .goes = true, .why = {"not_newest"}}},
                                    .data = {{.app = "web", .folder = "data.7", .deployment = 7, .release = "v3", .bytes = 5}},
                                    .imports = {{.app = "web", .release = "v9", .manifest_sha256 = "0", .bytes = 7}},
                                    .partial_blobs = 2, .partial_bytes = 5};
  EXPECT_EQ(collected_json(collected, false).at("dry_run"), boost::json::value(false));
  EXPECT_EQ(boost::json::value(collected_json(collected, true)),
            said(R"({"dry_run": true, "removed": [{"app": "web", "release": "v1", "bytes": 9, "why": ["not_newest"]}],
                     "kept": [{"app": "web", "release": "v2", "bytes": 8, "why": ["active", "newest"]}],
                     "data": [{"app": "web", "folder": "data.7", "release": "v3", "bytes": 5}],
                     "imports": [{"app": "web", "release": "v9", "bytes": 7}],
                     "partial": {"blobs": 2, "bytes": 5}})"));
  const deploy::SlotVerdict verdict{.app = "web", .release = "v1", .verdict = {.drift = {{"app/a", "is missing"}}, .drifted = 1, .paths = 4, .bytes = 12}};
  EXPECT_EQ(boost::json::value(verdicts_json({.slots = {verdict}, .others = 2})), said(R"({"slots": [{"app": "web", "release": "v1", "paths": 4, "bytes": 12, "drifted": 1,
                                                                   "drift": [{"path": "app/a", "what": "is missing"}]}], "others": 2})"));
  EXPECT_EQ(boost::json::value(deployments_json({}, std::nullopt)), said(R"({"deployments": [], "next": null})"));
  EXPECT_EQ(deployments_json({}, 7).at("next"), 7);
}

}  // namespace
}  // namespace berth::api
