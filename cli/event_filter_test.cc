#include "cli/event_filter.h"

#include <gmock/gmock.h>

#include <fmt/core.h>

#include "cli/fake_daemon.h"
#include "cli/run_berth.h"
#include "core/json/json.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

bool wants(const EventFilter& filter, const std::string& event, const std::string& line = "") { return filter.wants(json::parse(event).value(), line); }

TEST(EventFilter, KindsAreAsTheyAreShownOrAsWebhooksHaveThem) {
  const std::string failed = R"({"at": "2026-11-24T09:00:00Z", "kind": "deployment.state", "data": {"state": "failed"}})";
  for (const char* pattern : {"deployment.state", "deployment.failed", "deployment.*", "*"}) EXPECT_TRUE(wants({.kinds = {pattern}}, failed)) << pattern;
  for (const char* pattern : {"deployment.active", "deployment", "job.*"}) EXPECT_FALSE(wants({.kinds = {pattern}}, failed)) << pattern;
  EXPECT_TRUE(wants({.kinds = {"job.ok", "deployment.failed"}}, failed)) << "any of them";
  const std::string stopped = R"({"at": "2026-11-24T09:00:00Z", "kind": "instance.exit", "data": {"reason": "stopped"}})";
  EXPECT_TRUE(wants({.kinds = {"instance.stopped"}}, stopped));
  EXPECT_TRUE(wants({.kinds = {"job.failed"}}, R"({"kind": "job.ended", "data": {"state": "failed"}})"));
}

TEST(EventFilter, TimesAreFromAndBefore) {
  const auto filter = event_filter("2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z", {}, "");
  ASSERT_TRUE(filter);
  EXPECT_TRUE(wants(*filter, R"({"at": "2026-11-24T09:00:00.000000Z"})"));
  EXPECT_FALSE(wants(*filter, R"({"at": "2026-11-24T08:59:59.999999Z"})"));
  EXPECT_FALSE(wants(*filter, R"({"at": "2026-11-24T10:00:00.000000Z"})"));
}

TEST(EventFilter, WhatIsMistypedIsRefused) {
  const auto complaint = [](const std::string& since, const std::string& until, const std::vector<std::string>& kinds) {
    const auto filter = event_filter(since, until, kinds, "");
    return filter ? std::string() : filter.error().message;
  };
  EXPECT_THAT(complaint("yesterday", "", {}), HasSubstr("berth events: --since: 'yesterday' is no moment"));
  EXPECT_THAT(complaint("1h", "2h", {}), HasSubstr("--since 1h is not before --until 2h"));
  EXPECT_THAT(complaint("", "", {"deploymnt.failed"}), HasSubstr("--kind deploymnt.failed: there is no such kind (did you mean 'deployment.failed'?)"));
  EXPECT_THAT(complaint("", "", {"operator"}), HasSubstr("(did you mean 'operator.*'?)"));
  EXPECT_THAT(complaint("", "", {"opperator.*"}), HasSubstr("there is no such kind"));
  for (const char* known : {"deployment.state", "job.ended", "operator.*", "operator.of_a_newer_berthd", "*"}) EXPECT_EQ(complaint("", "", {known}), "") << known;
}

/// `berth events` of a node with events.
class EventSearch : public testing::Test {
 protected:
  Ran events(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "events");
    arguments.insert(arguments.end(), {"--socket", daemon.socket()});
    return run_berth(std::move(arguments));
  }
  FakeDaemon daemon;
};

TEST_F(EventSearch, ShowsWhatIsWantedAlone) {
  daemon.on("GET /v1/events", R"({"events": [{"number": 1, "at": "2026-11-24T08:00:00Z", "kind": "operator.hold", "app": "web", "data": {"why": "oops"}},
    {"number": 2, "at": "2026-11-24T09:00:00Z", "kind": "deployment.state", "app": "web", "data": {"state": "active"}},
    {"number": 3, "at": "2026-11-24T10:00:00Z", "kind": "operator.resume", "app": "web"}]})");
  EXPECT_EQ(events({"--kind", "operator.*"}).out, "     1  2026-11-24T08:00:00Z  operator.hold  web  {\"why\":\"oops\"}\n     3  2026-11-24T10:00:00Z  operator.resume  web\n");
  EXPECT_EQ(daemon.asked().back().query.at("from"), "1") << "how far back they are is not known";
  EXPECT_EQ(events({"--kind", "operator.*", "-n", "1"}).out, "     3  2026-11-24T10:00:00Z  operator.resume  web\n") << "the newest";
  EXPECT_EQ(events({"--grep", "oops"}).out, "     1  2026-11-24T08:00:00Z  operator.hold  web  {\"why\":\"oops\"}\n");
  EXPECT_THAT(events({"--until", "2026-11-24T09:30:00Z"}).out, AllOf(HasSubstr("     2  "), Not(HasSubstr("     3  "))));
  EXPECT_EQ(events({"--grep", "nothing of it"}).out, "No event is of that kind, time and text.\n");
  EXPECT_EQ(events({"-f", "--until", "1h"}).exit, 2);
  EXPECT_THAT(events({"--verify", "--kind", "*"}).err, HasSubstr("--verify reads the whole log"));
}

TEST_F(EventSearch, BeginsWhereThatTimeIs) {
  const auto page = [](int number, const char* at) { return fmt::format(R"({{"events": [{{"number": {}, "at": "{}", "kind": "k"}}]}})", number, at); };
  daemon.on("GET /v1/events", {{200, page(99'900, "2026-11-24T09:30:00Z")}, {200, page(99'000, "2026-11-24T08:00:00Z")}, {200, page(99'950, "2026-11-24T09:45:00Z")}});
  EXPECT_EQ(events({"--since", "2026-11-24T09:00:00Z"}).out, " 99950  2026-11-24T09:45:00Z  k\n");
  const auto asked = daemon.asked();
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[0].query.at("last"), "100");
  EXPECT_EQ(asked[1].query.at("last"), "1000");
  EXPECT_EQ(asked[2].query.at("from"), "99000");
}

}  // namespace
}  // namespace berth::cli
