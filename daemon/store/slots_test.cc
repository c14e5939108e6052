#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/database.h"
#include "daemon/store/seal.h"
#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

using SlotsTest = StoreTest;

TEST_F(SlotsTest, SealingMovesTheStagedTreeToItsSlot) {
  open();
  must(store->ensure_app("web"));
  ASSERT_TRUE(seal("web", "v1"));
  EXPECT_FALSE(fs::exists(paths.staging() / "1"));
  EXPECT_EQ(must(files::read(paths.slot("web", "v1") / "app" / "bin" / "server", 10)), "v1");
  struct stat slot{};
  ASSERT_EQ(::stat(paths.slot("web", "v1").c_str(), &slot), 0);
  EXPECT_EQ(slot.st_mode & 07777, 0555u);
  reopen();
  const SlotRow row = *must(store->slot("web", "v1"));
  EXPECT_EQ(row.bytes, 3u);
  EXPECT_FALSE(row.pinned);
  EXPECT_FALSE(row.sealed_at.empty());
  EXPECT_EQ(row.signed_by, "web");
  EXPECT_EQ(row.signing_keys, (std::vector<std::string>{"ab12", "cd34"}));
}

TEST_F(SlotsTest, AnEqualSlotIsKeptAndADifferentOneIsRefused) {
  open();
  must(store->ensure_app("web"));
  ASSERT_TRUE(seal("web", "v1"));
  const std::int64_t events = store->last_event();
  ASSERT_TRUE(seal("web", "v1", 2));
  EXPECT_EQ(store->last_event(), events);
  EXPECT_FALSE(fs::exists(paths.staging() / "2"));
  must(store->make_staging(3));
  const auto other = store->seal(3, {.app = "web", .release = "v1", .manifest_sha256 = "other"}, event("slot.sealed", "web"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::exists);
  EXPECT_EQ(must(files::read(paths.slot("web", "v1") / "app" / "bin" / "server", 10)), "v1");
}

TEST_F(SlotsTest, NothingIsLeftOfASlotThatTheDatabaseDidNotTake) {
  open();
  must(store->ensure_app("web"));
  Database database = must(Database::open(paths.database()));
  ASSERT_TRUE(database.execute("CREATE TRIGGER no_room BEFORE INSERT ON slots BEGIN SELECT RAISE(ABORT, 'no space'); END"));
  ASSERT_FALSE(seal("web", "v1"));
  EXPECT_FALSE(fs::exists(paths.slot("web", "v1")));
  ASSERT_TRUE(database.execute("DROP TRIGGER no_room"));
  ASSERT_TRUE(seal("web", "v1", 2));
  EXPECT_TRUE(fs::exists(paths.slot("web", "v1") / "manifest.json"));
}

TEST_F(SlotsTest, ASlotThatVanishedFromTheDiskIsSealedAnew) {
  open();
  must(store->ensure_app("web"));
  ASSERT_TRUE(seal("web", "v1"));
  ASSERT_TRUE(files::remove_tree(paths.slot("web", "v1")));
  ASSERT_TRUE(seal("web", "v1", 2));
  EXPECT_TRUE(fs::exists(paths.slot("web", "v1") / "manifest.json"));
  EXPECT_EQ(must(store->slots("web")).size(), 1u);
}

TEST_F(SlotsTest, WhatAVerdictFoundIsKeptAndNewsIsAnEvent) {
  open();
  must(store->ensure_app("web"));
  ASSERT_TRUE(seal("web", "v1"));
  const SlotRow fresh = *must(store->slot("web", "v1"));
  EXPECT_EQ(fresh.looked_at(), fresh.sealed_at);
  const std::int64_t before = store->last_event();
  ASSERT_TRUE(store->note_verdict(fresh, {}));
  EXPECT_EQ(store->last_event(), before) << "that all is well is no news";
  const SlotRow verified = *must(store->slot("web", "v1"));
  EXPECT_FALSE(verified.verified_at.empty());
  ASSERT_TRUE(store->note_verdict(verified, {.drift = {{"app/bin/server", "has another content"}}, .drifted = 1}));
  reopen();
  const SlotRow drifted = *must(store->slot("web", "v1"));
  EXPECT_EQ(drifted.drifted, 1u);
  EXPECT_EQ(drifted.drift, "app/bin/server: has another content");
  EXPECT_EQ(must(store->events(store->last_event(), 1)).front().kind, "slot.drifted");
  ASSERT_TRUE(store->note_verdict(verified, {})) << "of a look that began before the last one ended";
  EXPECT_EQ(must(store->slot("web", "v1"))->drifted, 1u);
  ASSERT_TRUE(store->note_verdict(drifted, {}));
  EXPECT_EQ(must(store->slot("web", "v1"))->drifted, 0u);
  EXPECT_EQ(must(store->events(store->last_event(), 1)).front().kind, "slot.whole");
}

TEST_F(SlotsTest, ADriftedSlotIsMendedByWhatIsStagedAnew) {
  open();
  must(store->ensure_app("web"));
  ASSERT_TRUE(seal("web", "v1"));
  const fs::path server = paths.slot("web", "v1") / "app" / "bin" / "server";
  const Fd bin = must(files::open(server.parent_path(), O_RDONLY | O_DIRECTORY));  // as of a process that works there
  std::ofstream(server) << "changed";
  ASSERT_TRUE(store->note_verdict(*must(store->slot("web", "v1")), {.drift = {{"app/bin/server", "has 7 bytes, not 2"}}, .drifted = 1}));
  ASSERT_TRUE(seal("web", "v1", 2));
  EXPECT_EQ(must(files::read(server, 10)), "v1");
  EXPECT_EQ(::faccessat(bin.get(), "server", R_OK, 0), 0) << "whoever works there finds it";
  EXPECT_FALSE(fs::exists(paths.staging() / "2"));
  const SlotRow row = *must(store->slot("web", "v1"));
  EXPECT_EQ(row.drifted, 0u);
  EXPECT_TRUE(row.drift.empty());
  EXPECT_EQ(must(store->events(store->last_event(), 1)).front().kind, "slot.repaired");
}

TEST_F(SlotsTest, CollectingRemovesFoldersAndRows) {
  open();
  must(store->ensure_app("web"));
  for (int i = 1; i <= 6; ++i) activate("web", "v" + std::to_string(i));
  ASSERT_TRUE(store->set_pinned("web", "v1", true, event("operator.pin", "web")));
  const auto would = must(store->collect("web", {"v2"}, {.releases = 3}, true));
  ASSERT_EQ(would.size(), 6u);
  EXPECT_TRUE(would[3].goes);
  EXPECT_TRUE(fs::exists(paths.slot("web", "v3"))) << "nobody asked for it";
  EXPECT_TRUE(must(store->slot("web", "v3")));
  const auto fates = must(store->collect("web", {"v2"}, {.releases = 3}));
  ASSERT_EQ(fates.size(), 6u);
  for (const SlotFate& fate : fates) EXPECT_EQ(fate.goes, fate.slot.release == "v3") << fate.slot.release;
  const Event told = must(store->events(store->last_event(), 1)).at(0);
  EXPECT_EQ(told.kind, "slot.removed");
  EXPECT_EQ(told.data.at("reason"), "not_newest");
  EXPECT_FALSE(fs::exists(paths.slot("web", "v3")));
  EXPECT_FALSE(must(store->slot("web", "v3")));
  for (const char* kept : {"v1", "v2", "v4", "v5", "v6"}) EXPECT_TRUE(fs::exists(paths.slot("web", kept))) << kept;
  EXPECT_EQ(must(store->collect("web", {"v2"}, {.releases = 3})).size(), 5u);
  EXPECT_EQ(store->last_event(), told.number) << "nothing goes a second time";
}

TEST_F(SlotsTest, WhatIsInUseWhenItIsRemovedIsNotCollected) {
  open();
  must(store->ensure_app("web"));
  for (int i = 1; i <= 5; ++i) activate("web", "v" + std::to_string(i));
  const auto gone = [this] {
    std::vector<std::string> releases;
    for (const SlotFate& fate : must(store->collect("web", {}, {.releases = 1})))
      if (fate.goes) releases.push_back(fate.slot.release);
    return releases;
  };
  InUse deployed = store->use("web", {"v1", ""}), again = store->use("web", {"v1"});
  must(store->add_instance({.app = "web", .process = "web", .number = 1, .release = "v2"}, false));
  EXPECT_EQ(gone(), std::vector<std::string>{"v3"}) << "v1 is being deployed, v2 runs";
  deployed.reset();
  EXPECT_TRUE(gone().empty()) << "somebody else uses v1 still";
  InUse copy = again;
  again.reset();
  EXPECT_TRUE(gone().empty());
  const InUse of_another = store->use("web2", {"v1"});
  copy.reset();
  EXPECT_EQ(gone(), std::vector<std::string>{"v1"});
}

TEST_F(SlotsTest, CollectingByAgeTakesWhatCameLongAgo) {
  open();
  must(store->ensure_app("web"));
  for (int i = 1; i <= 4; ++i) activate("web", "v" + std::to_string(i));
  const Keep a_day{.releases = 9, .age = std::chrono::hours(24)};
  for (const SlotFate& fate : must(store->collect("web", {}, a_day, true))) EXPECT_FALSE(fate.goes) << fate.slot.release;
  store.reset();
  {
    Database database = must(Database::open(paths.database()));
    ASSERT_TRUE(database.execute("UPDATE slots SET sealed_at = '2020-01-01T00:00:00.000000Z' WHERE release <> 'v4'"));
  }
  open();
  const auto fates = must(store->collect("web", {}, a_day));
  ASSERT_EQ(fates.size(), 4u);
  for (const SlotFate& fate : fates) EXPECT_EQ(fate.goes, fate.slot.release == "v1" || fate.slot.release == "v2") << fate.slot.release;
}

TEST_F(SlotsTest, PinningWhatIsPinnedIsNoEvent) {
  open();
  must(store->ensure_app("web"));
  activate("web", "v1");
  const auto events_of = [this](bool pinned) {
    const auto before = store->last_event();
    EXPECT_TRUE(store->set_pinned("web", "v1", pinned, event("operator.pin", "web")));
    return store->last_event() - before;
  };
  EXPECT_EQ(events_of(false), 0);
  EXPECT_EQ(events_of(true), 1);
  EXPECT_EQ(events_of(true), 0);
  EXPECT_TRUE(must(store->slot("web", "v1"))->pinned);
  EXPECT_EQ(events_of(false), 1);
}

TEST_F(SlotsTest, PinningWhatIsNotThereIsRefused) {
  open();
  must(store->ensure_app("web"));
  const auto refused = store->set_pinned("web", "v1", true, event("operator.pin", "web"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::not_found);
}

TEST_F(SlotsTest, AManifestThatWasChangedOnDiskIsNotBelieved) {
  open();
  must(store->ensure_app("web"));
  ASSERT_TRUE(seal("web", "v1"));
  std::ofstream(paths.slot("web", "v1") / "manifest.json") << "{}";
  const auto refused = store->manifest("web", "v1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::trust);
  const auto missing = store->manifest("web", "v2");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

TEST_F(SlotsTest, ATreeOfManyFilesIsSyncedToo) {
  for (int i = 0; i < 200; ++i) {
    fs::create_directories(folder.path() / "tree" / std::to_string(i % 7));
    std::ofstream(folder.path() / "tree" / std::to_string(i % 7) / std::to_string(i)) << i;
  }
  fs::create_symlink("nowhere", folder.path() / "tree" / "dangling");
  EXPECT_TRUE(sync_tree(folder.path() / "tree"));
  const auto missing = sync_tree(folder.path() / "none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

}  // namespace
}  // namespace berth::store
