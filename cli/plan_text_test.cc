#include "cli/plan_text.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "core/json/json.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// A plan of web@v2 after v1, with members in the place of the usual ones.
std::string text(const std::string& changed = "{}", int width = 0) {
  auto plan = json::parse(R"({"app": "web", "release": "v2", "from": "v1", "already": false, "same": null, "others": [], "refusals": [], "notes": [], "exit": 0,
    "build": {"platform": "linux/amd64", "digest": "b2", "version": "1.1", "tree": {"files": 9, "bytes": 90000}, "from_digest": "b1", "from_version": "1.0"},
    "difference": {"added": {"files": 1, "bytes": 10}, "changed": {"files": 2, "bytes": 3000}, "removed": {"files": 0, "bytes": 0}, "changes": [
      {"kind": "changed", "what": "build", "name": "", "before": "b1", "after": "b2"},
      {"kind": "changed", "what": "variable", "name": "LEVEL", "before": "info", "after": "debug\u001b[2J"},
      {"kind": "added", "what": "configuration", "name": "nginx.conf", "before": "", "after": "12 bytes"},
      {"kind": "changed", "what": "file", "name": "bin/server", "before": "x", "after": "y"}], "left_out": 0},
    "fetch": {"from": "repository", "bytes": 2100, "blobs": [{"part": "app", "kind": "patch", "from": "v1", "sha256": "aa", "bytes": 2000},
                                                             {"part": "config", "kind": "layer", "from": "", "sha256": "bb", "bytes": 100}]},
    "disk": {"needed": 5000, "free": 3000000, "reserve": 1000000},
    "way": {"strategy": "blue-green", "stops_first": false, "gradual": false, "canary": null, "ports": [{"process": "web", "port": 80, "routing": "socket"}],
            "waits_for": [], "ready_timeout_ms": 60000, "drain_ms": 30000},
    "instances": [{"process": "web", "before": 2, "after": 3}],
    "hooks": [{"hook": "pre-start", "release": "v2", "timeout_ms": 300000, "may_stop": true}, {"hook": "pre-stop", "release": "v1", "timeout_ms": 1500, "may_stop": false}],
    "on_revert": false, "jobs": [],
    "bake": {"duration_ms": 30000, "reboots": 3, "metric": null, "log": {"pattern": "ERROR", "max_rate": "1/s"}},
    "data": {"snapshot": false, "method": "", "bytes": 0, "migrates": true, "revert_sets_aside": false, "migration_stays": true}})").value();
  const auto others = json::parse(changed).value();
  for (const auto& [name, value] : others.as_object()) plan.as_object()[name] = value;
  return plan_text(plan, false, width);
}

TEST(PlanText, IsOneScreenOfWhatWouldHappen) {
  EXPECT_EQ(text(), R"(web@v2 would take the place of v1.
  build      1.0 -> 1.1: 1 file (10 B) added, 2 files (3.0 kB) changed, 0 files (0 B) removed
             ~ bin/server
  config     ~ variable LEVEL: info -> debug\x1b[2J
             + configuration nginx.conf
  fetch      2.1 kB: the patch from v1 2.0 kB, the configuration's layer 100 B
  disk       5.0 kB at most; 2.0 MB are free beside the reserve of 1.0 MB
  strategy   blue-green: all new instances beside the old ones, then one switch
  routing    web at 80 by socket; a drain of 30s at most
  instances  web 3 (now 2); ready within 1m
  hooks      pre-start (5m), then pre-stop of v1 (1500ms)
  bake       30s: reverts when an instance ends or is no longer ready, lines with 'ERROR' come over 1/s
  data       not copied: what the pre-start hook does to them is not undone by a revert
)");
}

TEST(PlanText, TellsWhatBecomesOfJobs) {
  EXPECT_THAT(text(R"({"jobs": ["index", "report"], "jobs_by_hand": ["cleanup"], "jobs_ended": ["import"]})"),
              testing::HasSubstr("  jobs       index, report, after the switch; one that fails reverts nothing\n"
                                 "             cleanup, by hand alone: berth run-job\n"
                                 "             import of v1 runs now, and is ended by the switch\n"));
}

TEST(PlanText, FitsATerminal) {
  const std::string screen = text("{}", 60);
  std::size_t begin = 0;
  for (std::size_t end = screen.find('\n'); end != std::string::npos; begin = end + 1, end = screen.find('\n', begin)) EXPECT_LE(end - begin, 62u);  // '…' has three bytes
}

TEST(PlanText, OfNothingToDoIsALine) {
  EXPECT_EQ(text(R"({"already": true})"), "web@v2 is active already: nothing would be done.\n");
  EXPECT_EQ(text(R"({"same": {"id": 7, "release": "v2", "state": "baking"}})"), "web@v2: deployment 7 of it is baking already: nothing new would begin.\n");
}

TEST(PlanText, OfAFirstReleaseComparesNothing) {
  const std::string first = text(R"({"from": "", "difference": null, "data": {"snapshot": false, "migration_stays": false}})");
  EXPECT_THAT(first, AllOf(HasSubstr("would be the first release of web here"), HasSubstr("1.1, 9 files (90.0 kB)\n"), HasSubstr("there is nothing to go back to"), HasSubstr("bake       30s: is stopped, and has failed, when an instance ends"), Not(HasSubstr("reverts")), HasSubstr("data       not touched\n"), Not(HasSubstr("config "))));
  EXPECT_THAT(text(R"({"from": "", "difference": null, "data": {"snapshot": false, "migrates": true, "migration_stays": false}})"), HasSubstr("data       not copied: the pre-start hook may change what is there\n"));
}

TEST(PlanText, OfTheActiveReleaseSaysThatItsInstancesGoOn) {
  EXPECT_THAT(text(R"({"from": "v2", "way": {"strategy": "blue-green", "stops_first": false, "goes_on": true, "ports": [], "waits_for": []}})"),
              AllOf(HasSubstr("strategy   its instances go on as they are; 'berth restart web' starts them anew\n"), Not(HasSubstr("one switch"))));
}

TEST(PlanText, SaysWhatARevertWouldDoWithTheData) {
  EXPECT_THAT(text(R"({"data": {"snapshot": true, "method": "copy", "bytes": 2000}})"),
              HasSubstr("copied before (copy, 2.0 kB); a revert of this deployment puts that copy back and sets aside what was written since"));
}

/// As `text`, of a revert from v3 to v2.
std::string text_of_revert(const std::string& data, const std::string& notes = "[]") {
  return text(fmt::format(R"({{"kind": "revert", "from": "v3", "fetch": {{"from": "node", "bytes": 0, "blobs": []}}, "bake": {{"duration_ms": 0, "reboots": 3, "metric": null, "log": null}},
    "hooks": [{{"hook": "on-revert", "release": "v3", "timeout_ms": 60000, "may_stop": false}}], "data": {}, "notes": {}}})", data, notes));
}

TEST(PlanText, OfARevertIsOneScreen) {
  EXPECT_EQ(text_of_revert(R"({"snapshot": false, "method": "", "bytes": 0, "migrated": "", "keeps": false,
                               "puts_back": {"folder": "snapshot.7", "method": "reflink", "bytes": 0, "at": "2026-11-24T09:00:00Z"}})", R"(["the app is held afterwards"])"),
            R"(web@v2 would come back in the place of v3.
  build      1.0 -> 1.1: 1 file (10 B) added, 2 files (3.0 kB) changed, 0 files (0 B) removed
             ~ bin/server
  config     ~ variable LEVEL: info -> debug\x1b[2J
             + configuration nginx.conf
  fetch      nothing, it is on this node, and as it was sealed
  strategy   blue-green: all new instances beside the old ones, then one switch
  routing    web at 80 by socket; a drain of 30s at most
  instances  web 3 (now 2); ready within 1m
  hooks      on-revert of v3 (1m)
  bake       none: what ran before is not judged again
  data       become what they were at 2026-11-24T09:00:00Z (snapshot.7); what was written since is set aside until 'berth gc web'
  note       the app is held afterwards
)");
}

TEST(PlanText, OfARevertSaysWhatItDoesNotUndo) {
  const char* hook = "the pre-start hook of web@v3 may have changed them\n";
  EXPECT_THAT(text_of_revert(R"({"migrated": "", "puts_back": null})"), HasSubstr("data       stay as they are\n"));
  EXPECT_THAT(text_of_revert(R"({"migrated": "web@v3", "puts_back": null})"), AllOf(HasSubstr("data       stay as they are, since there is no copy of them from before; "), HasSubstr(hook)));
  EXPECT_THAT(text_of_revert(R"({"migrated": "web@v3", "puts_back": null, "keeps": true})"), AllOf(HasSubstr("data       stay as they are, by --keep-data"), HasSubstr(hook)));
  EXPECT_THAT(text_of_revert(R"({"snapshot": true, "method": "reflink", "migrated": "", "puts_back": null})"), HasSubstr("data       stay as they are\n             copied before (reflink)"));
}

TEST(PlanText, SaysWhatBecomesOfADeploymentThatIsUnderWay) {
  EXPECT_THAT(text(R"({"others": [{"id": 6, "release": "v1", "state": "baking", "gives_way": true}, {"id": 7, "release": "v9", "state": "starting", "gives_way": false}]})"),
              AllOf(HasSubstr("deployment 6 of v1 is baking: it gives way"), HasSubstr("deployment 7 of v9 is starting: its end is waited for")));
}

TEST(PlanText, TheFirstRefusalIsWhatItEndsWith) {
  const auto plan = json::parse(R"({"exit": 8, "refusals": [{"code": "conflict", "detail": "web@v3 is rejected", "exit": 8}, {"code": "no_space", "detail": "too little", "exit": 1}]})").value();
  EXPECT_EQ(exit_of_plan(plan), Exit::conflict);
  EXPECT_EQ(refusals_text(plan), "web@v3 is rejected\ntoo little");
}

}  // namespace
}  // namespace berth::cli
