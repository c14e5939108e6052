#include <fstream>
#include <functional>

#include <gmock/gmock.h>

#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class EventChainTest : public StoreTest {
 protected:
  void SetUp() override {
    open();
    for (int i = 1; i <= 5; ++i) ASSERT_TRUE(store->add_event(event("test.event", "web", {{"i", i}})));
    std::ifstream file(paths.events());
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    ASSERT_EQ(lines.size(), 5u);
  }

  std::vector<std::string> verify() {
    std::ofstream file(folder.path() / "changed.log");
    for (const std::string& line : lines) file << line << '\n';
    file.close();
    return must(verify_events(folder.path() / "changed.log"));
  }

  std::vector<std::string> lines;
};

TEST_F(EventChainTest, AnUntouchedLogHolds) { EXPECT_THAT(verify(), IsEmpty()); }

TEST_F(EventChainTest, AnEditedLineIsFoundByTheOneAfterIt) {
  lines[2].replace(lines[2].find("\"i\":3"), 5, "\"i\":9");
  EXPECT_THAT(verify(), Contains(HasSubstr("line 4: event 4 does not continue")));
}

TEST_F(EventChainTest, ARemovedLineIsFound) {
  lines.erase(lines.begin() + 1);
  EXPECT_THAT(verify(), Contains(HasSubstr("line 2: event 3 follows event 1")));
}

TEST_F(EventChainTest, ARemovedBeginningIsFound) {
  lines.erase(lines.begin());
  EXPECT_THAT(verify(), Contains(HasSubstr("line 1: event 2 follows event 0")));
}

TEST_F(EventChainTest, LinesThatChangedPlacesAreFound) {
  std::swap(lines[1], lines[2]);
  EXPECT_THAT(verify(), Not(IsEmpty()));
}

TEST_F(EventChainTest, ALineThatIsNoEventIsFound) {
  lines[3] = "hello";
  EXPECT_THAT(verify(), Contains(HasSubstr("line 4: ")));
}

TEST_F(EventChainTest, WhatTheDatabaseKnowsTellsOfTheEnd) {
  EXPECT_THAT(must(verify_events(paths.events(), paths.database())), IsEmpty());
  lines[4].replace(lines[4].find("\"i\":5"), 5, "\"i\":9");
  EXPECT_THAT(verify(), IsEmpty()) << "no line continues the last one";
  EXPECT_THAT(must(verify_events(folder.path() / "changed.log", paths.database())), Contains(HasSubstr("line 5: event 5 is another than the database has")));
  lines.resize(2);
  verify();
  EXPECT_THAT(must(verify_events(folder.path() / "changed.log", paths.database())), Contains(HasSubstr("after the last line: it ends with event 2, and events up to 4 were written")));
  EXPECT_THAT(must(verify_events(folder.path() / "none.log", paths.database())), Contains(HasSubstr("all of its 4 events are missing")));
}

TEST_F(EventChainTest, WhatWasDoneWhileNobodyLookedIsToldOnceByTheNextBerthd) {
  const auto change = [this](const std::function<void()>& what) {
    store.reset();
    what();
    open();
    return store->event_trouble();
  };
  const auto rewrite = [this] {
    std::ofstream file(paths.events());
    for (const std::string& line : lines) file << line << '\n';
  };
  EXPECT_EQ(change([] {}), "");
  lines[1].replace(lines[1].find("\"i\":2"), 5, "\"i\":9");
  EXPECT_THAT(change(rewrite), HasSubstr("line 3 does not continue the line before it"));
  EXPECT_EQ(must(store->events(store->last_event(), 1)).at(0).kind, "events.damaged");
  EXPECT_EQ(change([] {}), "") << "it is told";
  EXPECT_THAT(change([this] { fs::remove(paths.events()); }), HasSubstr("all of its 5 events are missing"));
  EXPECT_EQ(change([] {}), "");
  ASSERT_TRUE(store->add_event(event("test.event", "web")));
}

TEST_F(EventChainTest, EachDamageIsToldWithItsLineAndStopsNoBerthd) {
  using Lines = std::vector<std::string>;
  const std::tuple<const char*, std::function<void(Lines&)>, const char*> table[] = {
      {"the first one is edited", [](Lines& all) { all[0].replace(all[0].find("\"i\":1"), 5, "\"i\":9"); }, "line 2: event 2 does not continue"},
      {"one in the middle is edited", [](Lines& all) { all[2].replace(all[2].find("\"i\":3"), 5, "\"i\":9"); }, "line 4: event 4 does not continue"},
      {"the last one is edited", [](Lines& all) { all[4].replace(all[4].find("\"i\":5"), 5, "\"i\":9"); }, "line 5: event 5 is another than the database has"},
      {"the first one is removed", [](Lines& all) { all.erase(all.begin()); }, "line 1: event 2 follows event 0"},
      {"one in the middle is removed", [](Lines& all) { all.erase(all.begin() + 2); }, "line 3: event 4 follows event 2"},
      {"the last two are removed", [](Lines& all) { all.resize(3); }, "after the last line: it ends with event 3, and events up to 4 were written"},
      {"two change places", [](Lines& all) { std::swap(all[1], all[2]); }, "line 2: event 3 follows event 1"},
      {"one is there twice", [](Lines& all) { all.insert(all.begin() + 2, all[1]); }, "line 3: event 2 follows event 2"},
      {"one is added", [](Lines& all) { all.insert(all.begin() + 1, all[3]); }, "line 2: event 4 follows event 1"},
      {"one is no event", [](Lines& all) { all[3] = "hello"; }, "line 4: "},
      {"one is empty", [](Lines& all) { all[3].clear(); }, "line 4: "},
      {"all are removed", [](Lines& all) { all.clear(); }, "events are missing"},
  };
  store.reset();
  int number = 0;
  for (const auto& [name, damage, expected] : table) {
    SCOPED_TRACE(name);
    Paths other = paths;
    other.state = folder.path() / ("case-" + std::to_string(++number));
    fs::copy(paths.state, other.state, fs::copy_options::recursive);
    Lines all = lines;
    damage(all);
    std::ofstream file(other.events());
    for (const std::string& line : all) file << line << '\n';
    file.close();
    const auto troubles = must(verify_events(other.events(), other.database()));
    ASSERT_THAT(troubles, Not(IsEmpty()));
    EXPECT_THAT(troubles.front(), HasSubstr(expected));
    auto opened = Store::open(other);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_NE((*opened)->event_trouble(), "");
    EXPECT_EQ(must((*opened)->events((*opened)->last_event(), 1)).at(0).kind, "events.damaged");
    EXPECT_TRUE((*opened)->add_event(event("test.event", "web")));
  }
}

TEST_F(EventChainTest, ATornLastLineIsToldWithItsLine) {
  store.reset();
  std::ofstream(paths.events(), std::ios::app) << lines[4].substr(0, 30);
  const auto troubles = must(verify_events(paths.events(), paths.database()));
  EXPECT_THAT(troubles, Contains(HasSubstr("line 6: it has no end")));
  open();
  EXPECT_EQ(store->event_trouble(), "") << "that is what a crash does";
  EXPECT_EQ(store->torn_event(), 30u);
  EXPECT_THAT(must(verify_events(paths.events(), paths.database())), IsEmpty());
}

TEST_F(EventChainTest, AMissingLogIsAnError) {
  const auto missing = verify_events(folder.path() / "none.log");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

}  // namespace
}  // namespace berth::store
