#include "daemon/store/event_log.h"

#include <gmock/gmock.h>

#include "daemon/store/database.h"
#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

class EventLogTest : public StoreTest {
 protected:
  std::string log() const { return must(files::read(paths.events(), 1u << 20)); }
  void write_log(const std::string& text) const { std::ofstream(paths.events(), std::ios::binary | std::ios::trunc) << text; }
  std::vector<std::int64_t> numbers(std::int64_t first, int most, const std::string& app = {}) {
    std::vector<std::int64_t> found;
    for (const Event& one : must(store->events(first, most, app))) found.push_back(one.number);
    return found;
  }
};

using testing::ElementsAre;

TEST_F(EventLogTest, TellsWhatHappenedBetweenTwoMoments) {
  open();
  for (const char* app : {"web", "api", "web", "web"}) ASSERT_TRUE(store->add_event(event("test.event", app)));
  const auto all = must(store->events(1, 10, "web"));
  const auto found = [&](const std::string& since, const std::string& until) {
    std::vector<std::int64_t> its;
    for (const Event& one : must(store->events_between("web", since, until))) its.push_back(one.number);
    return its;
  };
  EXPECT_THAT(found("", ""), ElementsAre(1, 3, 4));
  EXPECT_THAT(found(all[1].at, all[1].at), ElementsAre(3));
  EXPECT_THAT(found(all[1].at, ""), ElementsAre(3, 4));
  EXPECT_THAT(must(store->events_between("none", "", "")), ElementsAre());
}

TEST_F(EventLogTest, TellsWhereTheNewestBegin) {
  open();
  EXPECT_EQ(store->first_of_newest_events(3, {}), 1);
  for (const char* app : {"web", "api", "web", "", "web", "db"}) ASSERT_TRUE(store->add_event(event("test.event", app)));
  EXPECT_EQ(store->first_of_newest_events(1, {}), 6);
  EXPECT_EQ(store->first_of_newest_events(4, {}), 3);
  EXPECT_EQ(store->first_of_newest_events(100, {}), 1);
  EXPECT_EQ(store->first_of_newest_events(2, {"web"}), 3);
  EXPECT_EQ(store->first_of_newest_events(2, {"api", "web"}), 3);
  EXPECT_EQ(store->first_of_newest_events(3, {"api", "web"}), 2);
  EXPECT_EQ(store->first_of_newest_events(3, {"none"}), 7);
}

TEST_F(EventLogTest, NumbersEventsAndReadsARangeOfThem) {
  open();
  for (const char* app : {"web", "api", "web", "", "web"}) ASSERT_TRUE(store->add_event(event("test.event", app, {{"app", app}, {"share", 0.5}})));
  EXPECT_EQ(store->last_event(), 5);
  EXPECT_THAT(numbers(1, 10), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(numbers(2, 2), ElementsAre(2, 3));
  EXPECT_THAT(numbers(2, 2, "web"), ElementsAre(3, 5));
  EXPECT_THAT(numbers(6, 10), ElementsAre());
  EXPECT_THAT(numbers(1, 10, "none"), ElementsAre());
  reopen();
  EXPECT_THAT(numbers(1, 10, "web"), ElementsAre(1, 3, 5));
  const Event read = must(store->events(1, 1)).at(0);
  EXPECT_EQ(read.kind, "test.event");
  EXPECT_EQ(read.app, "web");
  EXPECT_EQ(boost::json::serialize(read.data), R"({"app":"web","share":5E-1})");
  EXPECT_EQ(read.at.size(), std::string_view("2026-11-24T09:00:00.000000Z").size());
}

TEST_F(EventLogTest, TheNewestOfAKindIsFoundAmongAnAppsLast) {
  open();
  for (const char* app : {"web", "api"})
    for (const char* kind : {"test.event", "test.other"}) ASSERT_TRUE(store->add_event(event(kind, app)));
  ASSERT_TRUE(store->add_event(event("test.event", "web", {{"newest", true}})));
  ASSERT_TRUE(store->add_event(event("test.other", "web")));
  const auto newest = must(store->newest_event("web", "test.event"));
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->number, 5);
  EXPECT_TRUE(newest->data.contains("newest"));
  EXPECT_FALSE(must(store->newest_event("web", "test.none")));
  EXPECT_FALSE(must(store->newest_event("none", "test.event")));
}

TEST_F(EventLogTest, WhatIsFoundIsNotTooLongAgo) {
  EventLog events = must(EventLog::open(folder.path() / "events.log"));
  std::vector<Event> many;
  const auto add = [&](const char* kind, const char* app) {
    many.push_back(event(kind, app));
    many.back().number = static_cast<std::int64_t>(many.size());
  };
  add("test.event", "web");
  add("test.event", "api");
  for (int i = 0; i < 9'999; ++i) add("test.other", "api");
  ASSERT_TRUE(events.append(many));
  EXPECT_TRUE(must(events.newest("api", "test.event")));
  many.clear();
  many.push_back(event("test.other", "api"));
  many.back().number = 10'002;
  ASSERT_TRUE(events.append(many));
  EXPECT_FALSE(must(events.newest("api", "test.event")));
  EXPECT_TRUE(must(events.newest("web", "test.event"))) << "others' events are not looked at";
}

TEST_F(EventLogTest, ALineTornByACrashIsCutOffAndWrittenAgain) {
  open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(store->add_event(event("test.event", "web")));
  store.reset();
  const std::string whole = log();
  write_log(whole.substr(0, whole.size() - 20));
  open();
  EXPECT_TRUE(log().starts_with(whole));
  EXPECT_GT(store->torn_event(), 0u);
  EXPECT_THAT(numbers(1, 10), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(must(store->events(4, 1)).at(0).kind, "events.repaired");
  EXPECT_THAT(must(verify_events(paths.events(), paths.database())), ElementsAre());
  reopen();
  EXPECT_EQ(store->torn_event(), 0u);
  EXPECT_EQ(store->last_event(), 4) << "it is told once";
}

TEST_F(EventLogTest, WhatSomebodyElseAppendsBlindsNobodyAndIsTold) {
  open();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(store->add_event(event("test.event", "web")));
  std::ofstream(paths.events(), std::ios::app) << "garbage \x01 that is longer than any event is, " << std::string(1000, 'x') << "\nand more\n";
  EXPECT_THAT(numbers(1, 10), ElementsAre(1, 2));
  EXPECT_EQ(store->event_intrusion(), "");
  ASSERT_TRUE(store->add_event(event("test.event", "web")));
  EXPECT_THAT(numbers(1, 10), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(store->first_of_newest_events(1, {}), 4);
  EXPECT_THAT(store->event_intrusion(), testing::StartsWith("while berthd ran somebody else wrote 1054 bytes behind event 2, which are cut off: 'garbage   that is"));
  const Event told = must(store->events(4, 1)).at(0);
  EXPECT_EQ(told.kind, "events.damaged");
  EXPECT_EQ(told.data.at("reason").as_string(), store->event_intrusion());
  EXPECT_THAT(must(verify_events(paths.events(), paths.database())), ElementsAre());
  reopen();
  EXPECT_EQ(store->event_trouble(), "") << "an event tells of it already";
  EXPECT_THAT(numbers(1, 10), ElementsAre(1, 2, 3, 4));
}

TEST_F(EventLogTest, ALogThatBecomesShorterIsTold) {
  open();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(store->add_event(event("test.event", "web")));
  fs::resize_file(paths.events(), 10);
  ASSERT_TRUE(store->add_event(event("test.event", "web")));
  EXPECT_THAT(store->event_intrusion(), testing::HasSubstr("it became shorter while berthd ran: 10 of its"));
  EXPECT_EQ(must(store->events(4, 1)).at(0).kind, "events.damaged");
}

TEST_F(EventLogTest, WhatAnAppSaidInAnyBytesIsKept) {
  open();
  ASSERT_TRUE(store->add_event(event("instance.exited", "web", {{"reason", "it said caf\xc3"}})));
  EXPECT_EQ(must(store->events(1, 1)).at(0).data.at("reason"), "it said caf\xef\xbf\xbd");
  EXPECT_THAT(must(verify_events(paths.events())), ElementsAre());
}

TEST_F(EventLogTest, AnEventThatWasCommittedButNotWrittenIsWrittenOnceAtStart) {
  open();
  ASSERT_TRUE(store->add_event(event("test.event", "web")));
  store.reset();
  {
    Database database = must(Database::open(paths.database()));
    ASSERT_TRUE(database.run("INSERT INTO outbox (at, kind, app, data) VALUES ('now', 'left.over', 'web', '{}')"));
  }
  open();
  reopen();
  EXPECT_THAT(numbers(1, 10), ElementsAre(1, 2));
  EXPECT_EQ(must(store->events(2, 1)).at(0).kind, "left.over");
  EXPECT_THAT(must(verify_events(paths.events())), ElementsAre());
}

TEST_F(EventLogTest, ALogAheadOfARestoredDatabaseKeepsItsNumbers) {
  open();
  ASSERT_TRUE(store->add_event(event("test.event", "web")));
  store.reset();
  fs::copy(paths.database(), paths.state / "backup");
  open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(store->add_event(event("test.event", "web")));
  store.reset();
  fs::remove(paths.database().string() + "-wal");
  fs::copy(paths.state / "backup", paths.database(), fs::copy_options::overwrite_existing);
  open();
  ASSERT_TRUE(store->add_event(event("after.restore", "web")));
  EXPECT_THAT(numbers(1, 10), ElementsAre(1, 2, 3, 4, 5, 6)) << "one tells that it did not know the last three";
  EXPECT_EQ(must(store->events(5, 1)).at(0).kind, "database.rebuilt");
  EXPECT_THAT(must(verify_events(paths.events())), ElementsAre());
}

TEST_F(EventLogTest, ReadsFewOfManyWithoutReadingAll) {
  auto opened = EventLog::open(folder.path() / "events.log");
  ASSERT_TRUE(opened);
  std::vector<Event> many;
  for (int i = 1; i <= 50'000; ++i) {
    many.push_back(event("test.event", i % 100 == 0 ? "rare" : "web", {{"text", std::string(100, 'x')}}));
    many.back().number = i;
  }
  ASSERT_TRUE(opened->append(many));
  auto again = EventLog::open(folder.path() / "events.log");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->last(), 50'000);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) {
    const auto found = must(again->read(49'000, 3, "rare"));
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[1].number, 49'100);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2)) << "200 reads of all 10 MB would take far longer";
}

}  // namespace
}  // namespace berth::store
