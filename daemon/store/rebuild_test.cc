#include "daemon/store/rebuild.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class RebuildTest : public StoreTest {
 protected:
  Event state(const DeploymentRow& row) {
    return event("deployment.state", row.app, {{"deployment", row.id}, {"release", row.release}, {"kind", row.kind}, {"state", row.state}, {"by", "root (uid 0)"}});
  }

  /// A deployment to its end, as berthd writes it down.
  void deploy_whole(const std::string& release) {
    DeploymentRow row = deploy("web", release);
    ASSERT_TRUE(store->add_event(state(row)));
    ASSERT_TRUE(seal("web", release, row.id));
    ASSERT_TRUE(store->add_event(event("slot.sealed", "web", {{"release", release}, {"manifest_sha256", crypto::sha256_hex("manifest of " + release)}, {"bytes", 3},
                                                              {"signed_by", {{"role", "web"}, {"keys", {"ab12", "cd34"}}}}})));
    row.state = "switching";
    row.decided = true;
    ASSERT_TRUE(store->decide(row, {state(row)}));
    ASSERT_TRUE(store->swap_current("web"));
    row.state = "active";
    row.ended_at = now_text();
    ASSERT_TRUE(store->update_deployment(row, {state(row)}));
  }

  void SetUp() override {
    open();
    must(store->ensure_app("web"));
    for (const char* release : {"v1", "v2", "v3"}) deploy_whole(release);
    ASSERT_TRUE(store->set_pinned("web", "v1", true, event("operator.pin", "web", {{"release", "v1"}, {"by", "ann (uid 7)"}})));
    ASSERT_TRUE(store->set_held("web", {.why = "an audit", .by = "ann (uid 7)", .at = "t", .firm = true},
                                event("operator.hold", "web", {{"by", "ann (uid 7)"}, {"held", "an audit"}, {"firm", true}})));
    ASSERT_TRUE(store->reject("web", "v0", "", "it crashed", {event("operator.mark", "web", {{"release", "v0"}, {"as", "bad"}, {"by", "ann (uid 7)"}})}));
    uid = must(store->app("web"))->uid;
  }

  /// What a rebuilt store has to say.
  void expect_all_is_there() {
    const AppRow app = *must(store->app("web"));
    EXPECT_EQ(app.active, "v3");
    EXPECT_EQ(app.previous, "v2");
    EXPECT_EQ(app.uid, uid);
    EXPECT_EQ(app.held.why, "an audit");
    EXPECT_TRUE(app.held.firm);
    EXPECT_EQ(current("web"), "slots/v3");
    const auto slots = must(store->slots("web"));
    ASSERT_EQ(slots.size(), 3u);
    EXPECT_EQ(slots[0].release, "v3") << "the newest first";
    EXPECT_EQ(slots[2].manifest_sha256, crypto::sha256_hex("manifest of v1"));
    EXPECT_TRUE(slots[2].pinned);
    EXPECT_THAT(slots[2].signing_keys, ElementsAre("ab12", "cd34"));
    const auto deployments = must(store->deployments("web", 10));
    ASSERT_EQ(deployments.size(), 3u);
    EXPECT_EQ(deployments[0].state, "active");
    EXPECT_EQ(deployments[0].release, "v3");
    EXPECT_EQ(deployments[0].by, "root (uid 0)");
    EXPECT_EQ(must(store->rejected("web")).at(0).release, "v0");
    EXPECT_THAT(must(verify_events(paths.events(), paths.database())), IsEmpty());
  }

  std::vector<std::string> set_aside() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(paths.state))
      if (entry.path().filename().string().starts_with("berth.db.damaged-")) names.push_back(entry.path().filename().string());
    return names;
  }

  void expect_told_once(const std::string& why) {
    ASSERT_NE(store->rebuilt(), nullptr);
    EXPECT_THAT(store->rebuilt()->why, HasSubstr(why));
    EXPECT_EQ(must(store->events(store->last_event(), 1)).at(0).kind, "database.rebuilt");
    const auto events = store->last_event();
    reopen();
    EXPECT_EQ(store->rebuilt(), nullptr);
    EXPECT_EQ(store->last_event(), events);
  }

  int uid = -1;
};

TEST_F(RebuildTest, AMissingDatabaseIsMadeOfSlotsAndEvents) {
  store.reset();
  for (const char* part : {"", "-wal", "-shm"}) fs::remove(paths.database().string() + part);
  open();
  expect_all_is_there();
  EXPECT_THAT(set_aside(), IsEmpty());
  EXPECT_THAT(store->rebuilt()->lost, ElementsAre(HasSubstr("the keys that requests gave themselves")));
  struct stat entry{};
  ASSERT_EQ(::stat(paths.database().c_str(), &entry), 0);
  EXPECT_EQ(entry.st_mode & 07777, 0600u);
  expect_told_once("it was missing");
  EXPECT_EQ(deploy("web", "v4").id, 4) << "numbers go on";
}

TEST_F(RebuildTest, ADamagedOneIsSetAsideAndKept) {
  store.reset();
  const auto size = fs::file_size(paths.database());
  ASSERT_GT(size, 8192u);
  {
    std::fstream file(paths.database(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(size - 4096, 'x');
  }
  open();
  expect_all_is_there();
  ASSERT_EQ(set_aside().size(), 1u);
  EXPECT_EQ(fs::file_size(paths.state / set_aside().front()), size);
  EXPECT_EQ(store->rebuilt()->set_aside.filename(), set_aside().front());
  expect_told_once("it was damaged: ");
}

TEST_F(RebuildTest, OneThatIsNoDatabaseOrCutOffIsSetAside) {
  store.reset();
  const std::string cut_off = must(files::read(paths.database(), 1u << 20)).substr(0, 50'000);
  int times = 0;
  for (const std::string& content : {std::string(5000, 'x'), std::string(), cut_off}) {
    store.reset();
    for (const char* part : {"-wal", "-shm"}) fs::remove(paths.database().string() + part);
    std::ofstream(paths.database(), std::ios::binary | std::ios::trunc) << content;
    open();
    expect_all_is_there();
    EXPECT_EQ(static_cast<int>(set_aside().size()), ++times);
  }
}

TEST_F(RebuildTest, OneWhoseEndWasLostIsBroughtForward) {
  store.reset();
  fs::copy(paths.database(), paths.state / "older");
  open();
  deploy_whole("v4");
  ASSERT_TRUE(store->set_held("web", {}, event("operator.resume", "web", {{"by", "ann (uid 7)"}})));
  store.reset();
  fs::remove(paths.database().string() + "-wal");
  fs::rename(paths.state / "older", paths.database());
  open();
  const AppRow app = *must(store->app("web"));
  EXPECT_EQ(app.active, "v4");
  EXPECT_EQ(app.previous, "v3");
  EXPECT_FALSE(app.held);
  EXPECT_TRUE(fs::exists(paths.slot("web", "v4"))) << "a slot without a row would go";
  EXPECT_EQ(current("web"), "slots/v4");
  EXPECT_TRUE(must(store->slot("web", "v1"))->pinned);
  EXPECT_EQ(must(store->deployment(4))->state, "active");
  EXPECT_THAT(set_aside(), IsEmpty());
  EXPECT_THAT(to_string(*store->rebuilt()), AllOf(testing::StartsWith("was brought forward by events.log: "), Not(HasSubstr("releases: 0")), HasSubstr("what it had is still there")));
  expect_told_once("it did not know events ");
}

TEST_F(RebuildTest, WhatWasDecidedAndRevertedIsNothingToGoBackTo) {
  DeploymentRow row = deploy("web", "v4");
  ASSERT_TRUE(store->add_event(state(row)));
  ASSERT_TRUE(seal("web", "v4", row.id));
  row.state = "switching";
  row.decided = true;
  ASSERT_TRUE(store->decide(row, {state(row)}));
  row.state = "reverting";
  ASSERT_TRUE(store->decide_revert(row, "v3", {state(row)}));
  row.state = "reverted";
  row.ended_at = now_text();
  ASSERT_TRUE(store->update_deployment(row, {state(row)}));
  store.reset();
  fs::remove(paths.database());
  open();
  EXPECT_EQ(must(store->app("web"))->active, "v3");
  EXPECT_EQ(must(store->app("web"))->previous, "v2");
  for (const char* release : {"v1", "v2"}) ASSERT_TRUE(store->reject("web", release, "", "marked bad"));
  EXPECT_EQ(must(store->release_before("web")), "") << "v4 is on the node and not rejected, and never was active";
}

TEST_F(RebuildTest, WhatIsActiveIsKnownWithoutEventsToo) {
  store.reset();
  fs::remove(paths.database());
  fs::remove(paths.events());
  std::ofstream(paths.database().string() + "-wal") << "left";
  open();
  const AppRow app = *must(store->app("web"));
  EXPECT_EQ(app.active, "v3");
  EXPECT_EQ(app.uid, uid);
  EXPECT_FALSE(app.held);
  EXPECT_EQ(must(store->slots("web")).size(), 3u);
  EXPECT_THAT(store->rebuilt()->lost, Contains(HasSubstr("who signed web@v1")));
  EXPECT_THAT(store->rebuilt()->lost, Contains(AllOf(HasSubstr("held"), HasSubstr("pinned and rejected"), HasSubstr("events.log"))));
  const std::string told = to_string(*store->rebuilt());
  EXPECT_THAT(told, testing::StartsWith("was made anew: it was missing, and its journal was left"));
  EXPECT_EQ(told.find("not known any more"), told.rfind("not known any more")) << told;
}

TEST_F(RebuildTest, AFolderInItsPlaceIsSetAside) {
  store.reset();
  for (const char* part : {"", "-wal", "-shm"}) fs::remove(paths.database().string() + part);
  fs::create_directory(paths.database());
  open();
  expect_all_is_there();
  EXPECT_EQ(set_aside().size(), 1u);
  expect_told_once("a folder was in its place");
}

TEST_F(RebuildTest, ALogThatEndsBeforeTheReleaseThatIsLinkedDoesNotLeadBack) {
  store.reset();
  std::ifstream file(paths.events());
  std::string kept;
  for (std::string line; std::getline(file, line) && !(line.contains("slot.sealed") && line.contains("\"v3\""));) kept += line + "\n";
  ASSERT_THAT(kept, HasSubstr("\"v2\""));
  std::ofstream(paths.events(), std::ios::trunc) << kept;
  fs::remove(paths.database());
  open();
  EXPECT_EQ(must(store->app("web"))->active, "v3");
}

TEST_F(RebuildTest, ADeploymentThatWasUnderWayIsSaidNotToGoOn) {
  DeploymentRow row = deploy("web", "v4");
  ASSERT_TRUE(store->add_event(state(row)));
  store.reset();
  fs::remove(paths.database());
  open();
  const DeploymentRow found = *must(store->deployment(row.id));
  EXPECT_EQ(found.state, "interrupted");
  EXPECT_THAT(found.reason, HasSubstr("ask for it again"));
  EXPECT_THAT(must(store->unfinished_deployments()), IsEmpty());
  EXPECT_THAT(store->rebuilt()->lost, Contains(HasSubstr("deployment 4 of web@v4")));
}

TEST_F(RebuildTest, AnAppThatWasRemovedStaysAwayAndKeepsItsUser) {
  ASSERT_TRUE(store->remove_app("web", false, event("operator.remove", "web", {{"purge", false}})));
  store.reset();
  fs::remove(paths.database());
  open();
  EXPECT_FALSE(must(store->app("web")));
  EXPECT_EQ(must(store->ensure_app("web")).uid, uid);
}

TEST_F(RebuildTest, WhatInterruptsItIsTriedAgain) {
  store.reset();
  std::ofstream(paths.database(), std::ios::trunc) << std::string(5000, 'x');
  std::ofstream(paths.database().string() + ".rebuilding") << "half of one";
  std::ofstream(paths.database().string() + ".rebuilding-wal") << "and of its journal";
  open();
  expect_all_is_there();
  EXPECT_FALSE(fs::exists(paths.database().string() + ".rebuilding"));
  EXPECT_FALSE(fs::exists(paths.database().string() + ".rebuilding-wal"));
}

TEST_F(RebuildTest, ANewNodeIsNotRebuilt) {
  store.reset();
  fs::remove_all(paths.state);
  open();
  EXPECT_EQ(store->rebuilt(), nullptr);
  EXPECT_EQ(store->last_event(), 0);
}

}  // namespace
}  // namespace berth::store
