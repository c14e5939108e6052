#include <fstream>
#include <iterator>

#include <gmock/gmock.h>

#include "daemon/store/collection.h"
#include "daemon/store/database.h"
#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class DataCopiesTest : public StoreTest {
 protected:
  void SetUp() override {
    open();
    ASSERT_TRUE(store->ensure_app("web"));
    write("v1's");
  }

  fs::path in_app(const std::string& folder_name) const { return paths.app("web") / folder_name; }
  void write(const std::string& text, const std::string& folder_name = "data") { std::ofstream(in_app(folder_name) / "file") << text; }
  std::string read(const std::string& folder_name = "data") const {
    std::ifstream file(in_app(folder_name) / "file");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static DataCopy copy_of(std::int64_t deployment, const std::string& release) {
    return {.app = "web", .folder = "snapshot." + std::to_string(deployment), .deployment = deployment, .release = release, .before = true, .method = "copy",
            .since = {}, .at = "2026-11-24T09:00:00.000000Z"};
  }
  /// A whole copy of the data as they are.
  void snapshot(std::int64_t deployment, const std::string& release) {
    const DataCopy copy = copy_of(deployment, release);
    const fs::path made = must(store->begin_data_copy(copy));
    fs::copy(paths.data("web"), made, fs::copy_options::recursive);
    ASSERT_TRUE(store->keep_data_copy(copy, event("data.copied", "web")));
  }
  std::vector<std::string> folders() {
    std::vector<std::string> names;
    for (const DataCopy& copy : must(store->data_copies("web"))) names.push_back(copy.folder);
    return names;
  }
  /// Changes the database as a berthd that died would have left it.
  void change(const std::string& sql) {
    store.reset();
    auto database = must(Database::open(paths.database()));
    ASSERT_TRUE(database.execute(sql));
  }
  const DataMove move{.app = "web", .folder = "snapshot.7", .aside = "data.7", .deployment = 7, .release = "v2", .before = false};
};

TEST_F(DataCopiesTest, ACopyThatIsPutBackBecomesTheDataAndWhatTheyWereIsKept) {
  snapshot(7, "v1");
  write("v2's");
  ASSERT_TRUE(store->put_data_back(move));
  EXPECT_EQ(read(), "v1's");
  EXPECT_EQ(read("data.7"), "v2's");
  EXPECT_FALSE(fs::exists(in_app("snapshot.7")));
  const auto copies = must(store->data_copies("web"));
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].folder, "data.7");
  EXPECT_EQ(copies[0].release, "v2");
  EXPECT_TRUE(copies[0].moved());
  EXPECT_FALSE(copies[0].before);
  EXPECT_EQ(copies[0].since, "2026-11-24T09:00:00.000000Z") << "since when its writes are not in the data";
  const auto events = must(store->events(1, 100, "web"));
  EXPECT_EQ(events.back().kind, "data.restored");
  EXPECT_EQ(events.back().data.at("set_aside"), "data.7");
}

TEST_F(DataCopiesTest, WhatIsNoCopyIsNotPutBackAndNothingIsWrittenOver) {
  const auto none = store->put_data_back(move);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::not_found);
  snapshot(7, "v1");
  fs::create_directories(in_app("data.7"));
  const auto taken = store->put_data_back(move);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::exists);
  EXPECT_EQ(read(), "v1's");
}

/// Each is a moment at which berthd may die while a copy is put back: which renames it had made.
TEST_F(DataCopiesTest, AMoveThatACrashInterruptedIsFinishedAtStart) {
  const std::string said = "INSERT INTO data_moves (app, folder, aside, deployment, release, before, method, since, at) "
                           "VALUES ('web', 'snapshot.7', 'data.7', 7, 'v2', 0, 'moved', 's', 'a')";
  for (int renames = 0; renames <= 2; ++renames) {
    snapshot(7, "v1");
    write("v2's");
    change(said);
    if (renames >= 1) fs::rename(in_app("data"), in_app("data.7"));
    if (renames >= 2) fs::rename(in_app("snapshot.7"), in_app("data"));
    open();
    EXPECT_EQ(read(), "v1's") << renames;
    EXPECT_EQ(read("data.7"), "v2's") << renames;
    EXPECT_FALSE(fs::exists(in_app("snapshot.7"))) << renames;
    EXPECT_THAT(folders(), ElementsAre("data.7")) << renames;
    reopen();
    EXPECT_EQ(read(), "v1's") << "a second start does nothing, " << renames;
    ASSERT_TRUE(store->drop_data_copy("web", "data.7"));
  }
}

TEST_F(DataCopiesTest, AMoveWhoseRecordFailedIsFinishedByTheNextTry) {
  snapshot(7, "v1");
  write("v2's");
  auto database = must(Database::open(paths.database()));
  ASSERT_TRUE(database.execute("CREATE TRIGGER broken BEFORE DELETE ON data_moves BEGIN SELECT RAISE(ABORT, 'no space'); END"));
  ASSERT_FALSE(store->put_data_back(move));
  EXPECT_FALSE(store->put_data_back(move));
  EXPECT_THAT(must(store->collect_data("web", {}, true)), IsEmpty()) << "nothing of a pending move is collected";
  ASSERT_TRUE(database.execute("DROP TRIGGER broken"));
  ASSERT_TRUE(store->put_data_back(move));
  EXPECT_EQ(read(), "v1's");
  EXPECT_EQ(read("data.7"), "v2's");
  EXPECT_THAT(folders(), ElementsAre("data.7"));
}

TEST_F(DataCopiesTest, AMoveThatCannotBeFinishedStaysSaidAndKeepsNoStoreFromOpening) {
  snapshot(7, "v1");
  write("v2's");
  change("INSERT INTO data_moves (app, folder, aside, deployment, release, before, method, since, at) VALUES ('web', 'snapshot.7', 'data.7', 7, 'v2', 0, 'moved', 's', 'a')");
  fs::rename(in_app("data"), in_app("data.7"));
  fs::create_directories(in_app("data"));
  write("in the way");
  open();
  const auto failed = store->put_data_back(move);
  ASSERT_FALSE(failed);
  EXPECT_FALSE(store->remove_app("web", false, event("operator.remove", "web"))) << "its data stay, and are not whole";
  fs::remove_all(in_app("data"));
  ASSERT_TRUE(store->put_data_back({.app = "web"})) << "finishes what is pending";
  EXPECT_EQ(read(), "v1's");
  EXPECT_EQ(read("data.7"), "v2's");
  ASSERT_TRUE(store->put_data_back({.app = "web"})) << "nothing is pending";
}

TEST_F(DataCopiesTest, APurgeForgetsAPendingMove) {
  snapshot(7, "v1");
  change("INSERT INTO data_moves (app, folder, aside, deployment, release, before, method, since, at) VALUES ('web', 'snapshot.7', 'data.7', 7, 'v2', 0, 'moved', 's', 'a')");
  fs::create_directories(in_app("data.7"));
  open();
  ASSERT_TRUE(store->remove_app("web", true, event("operator.remove", "web")));
  ASSERT_TRUE(store->ensure_app("web"));
  reopen();
  EXPECT_THAT(folders(), IsEmpty());
}

TEST_F(DataCopiesTest, OfACopyThatWasBeingMadeOrRemovedNothingStays) {
  static_cast<void>(must(store->begin_data_copy(copy_of(7, "v1"))));
  fs::create_directories(in_app("snapshot.7"));
  write("half", "snapshot.7");
  EXPECT_THAT(folders(), IsEmpty());
  reopen();
  EXPECT_FALSE(fs::exists(in_app("snapshot.7")));
  snapshot(8, "v1");
  change("UPDATE data_copies SET state = 'going'");
  open();
  EXPECT_FALSE(fs::exists(in_app("snapshot.8")));
  EXPECT_EQ(read(), "v1's");
}

TEST_F(DataCopiesTest, WholeCopiesOutliveAStart) {
  snapshot(7, "v1");
  reopen();
  EXPECT_THAT(folders(), ElementsAre("snapshot.7"));
  EXPECT_EQ(read("snapshot.7"), "v1's");
}

TEST_F(DataCopiesTest, AnAppThatIsRemovedKeepsWhatWasSetAsideWithItsData) {
  snapshot(7, "v1");
  ASSERT_TRUE(store->put_data_back(move));
  snapshot(8, "v1");
  ASSERT_TRUE(store->remove_app("web", false, event("operator.remove", "web")));
  EXPECT_TRUE(fs::exists(in_app("data.7")));
  EXPECT_FALSE(fs::exists(in_app("snapshot.8")));
  ASSERT_TRUE(store->ensure_app("web"));
  EXPECT_THAT(folders(), ElementsAre("data.7"));
  ASSERT_TRUE(store->remove_app("web", true, event("operator.remove", "web")));
  EXPECT_FALSE(fs::exists(paths.app("web")));
  ASSERT_TRUE(store->ensure_app("web"));
  EXPECT_THAT(folders(), IsEmpty());
}

TEST_F(DataCopiesTest, CollectingTellsWhatItRemovedAndHowMuch) {
  activate("web", "v1");
  snapshot(7, "v1");
  snapshot(6, "v0");
  const auto collected = must(store->collect_data("web", {}, false));
  ASSERT_EQ(collected.size(), 1u);
  EXPECT_EQ(collected[0].folder, "snapshot.6");
  EXPECT_EQ(collected[0].bytes, 4u);
  EXPECT_FALSE(fs::exists(in_app("snapshot.6")));
  EXPECT_THAT(folders(), ElementsAre("snapshot.7"));
  EXPECT_EQ(must(store->events(1, 100, "web")).back().kind, "data.removed");
}

TEST(CopiesToCollect, AreThoseThatNoRevertWouldPutBack) {
  const auto copied = [](std::int64_t deployment, std::string release) {
    return DataCopy{.folder = "snapshot." + std::to_string(deployment), .deployment = deployment, .release = std::move(release), .before = true, .method = "copy"};
  };
  const auto moved = [](std::int64_t deployment) { return DataCopy{.folder = "data." + std::to_string(deployment), .deployment = deployment, .method = "moved"}; };
  const std::vector<DataCopy> copies{copied(9, "v3"), moved(8), copied(7, "v3"), copied(6, "v1"), moved(5), copied(4, "v2")};
  const auto names = [&](const std::vector<std::string>& slots, const std::vector<std::int64_t>& in_use, bool all) {
    std::vector<std::string> folders;
    for (const DataCopy& copy : copies_to_collect(copies, slots, in_use, all)) folders.push_back(copy.folder);
    return folders;
  };
  EXPECT_THAT(names({"v3", "v2"}, {}, false), ElementsAre("snapshot.7", "snapshot.6", "data.5"));
  EXPECT_THAT(names({"v3", "v2"}, {}, true), ElementsAre("data.8", "snapshot.7", "snapshot.6", "data.5"));
  EXPECT_THAT(names({"v3", "v2"}, {5, 6, 7}, false), IsEmpty());
  EXPECT_THAT(names({}, {}, false), ElementsAre("snapshot.9", "snapshot.7", "snapshot.6", "data.5", "snapshot.4"));
}

}  // namespace
}  // namespace berth::store
