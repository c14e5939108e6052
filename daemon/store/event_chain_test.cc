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

TEST_F(EventChainTest, AMissingLogIsAnError) {
  const auto missing = verify_events(folder.path() / "none.log");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

}  // namespace
}  // namespace berth::store
