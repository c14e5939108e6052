#include <set>

#include <sys/stat.h>

#include "daemon/store/database.h"
#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

using AppsTest = StoreTest;

TEST_F(AppsTest, GivesEveryAppAUidOfItsOwnThatStaysOverARestart) {
  open();
  std::set<int> uids;
  for (int i = 0; i < 50; ++i) {
    const AppRow row = must(store->ensure_app("app" + std::to_string(i)));
    EXPECT_GE(row.uid, 61184);
    EXPECT_LE(row.uid, 65519);
    uids.insert(row.uid);
  }
  EXPECT_EQ(uids.size(), 50u);
  const int uid = must(store->ensure_app("app7")).uid;
  reopen();
  EXPECT_EQ(must(store->app("app7"))->uid, uid);
  EXPECT_EQ(must(store->apps()).size(), 50u);
}

TEST_F(AppsTest, LetsTheAppsUserPassToItsSlotsAndOwnItsData) {
  open();
  const AppRow row = must(store->ensure_app("web"));
  struct stat data{};
  ASSERT_EQ(::stat(paths.data("web").c_str(), &data), 0);
  EXPECT_EQ(data.st_uid, static_cast<uid_t>(row.uid));
  EXPECT_EQ(data.st_mode & 07777, 0750u);
  struct stat state{};
  ASSERT_EQ(::stat(paths.state.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 07777, 0711u);
  struct stat database{};
  ASSERT_EQ(::stat(paths.database().c_str(), &database), 0);
  EXPECT_EQ(database.st_mode & 07777, 0600u);
}

TEST_F(AppsTest, RefusesANameThatIsNone) {
  open();
  const auto refused = store->ensure_app("../web");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::usage);
}

TEST_F(AppsTest, KeepsStoppedAndHeldOverARestart) {
  open();
  must(store->ensure_app("web"));
  ASSERT_TRUE(store->set_stopped("web", Stop{.at = "2026-11-24T09:00:00Z", .by = "root (uid 0)", .why = "a new disk"}, event("operator.stop", "web")));
  ASSERT_TRUE(store->set_held("web", {.why = "an audit", .by = "root (uid 0)", .at = "2026-11-24T09:00:00Z", .firm = true}, event("app.held", "web")));
  reopen();
  EXPECT_TRUE(must(store->app("web"))->stopped);
  EXPECT_EQ(stopped_text(*must(store->app("web"))), "stopped (by root (uid 0) since 2026-11-24T09:00:00Z: a new disk)");
  EXPECT_EQ(stopped_text({.app = "web", .stopped = true}), "stopped") << "by a berthd that did not keep who";
  const Hold held = must(store->app("web"))->held;
  EXPECT_TRUE(held && held.firm);
  EXPECT_EQ(to_string(held), "by root (uid 0) since 2026-11-24T09:00:00Z: an audit");
  EXPECT_EQ(to_string(Hold{.why = "an audit", .by = "ann", .at = "2026-11-24T09:00:00.757000Z"}), "by ann since 2026-11-24T09:00:00Z: an audit") << "microseconds say nothing to people";
  EXPECT_EQ(to_string(Hold{.why = "v2 was reverted by hand"}), "v2 was reverted by hand") << "of a berthd that did not keep who";
  ASSERT_TRUE(store->set_held("web", {}, event("app.resumed", "web")));
  EXPECT_FALSE(must(store->app("web"))->held);
  ASSERT_TRUE(store->set_stopped("web", std::nullopt, event("operator.start", "web")));
  EXPECT_FALSE(must(store->app("web"))->stopped);
  EXPECT_EQ(must(store->app("web"))->stop.why, "");
  const auto missing = store->set_stopped("nope", Stop{}, event("operator.stop", "nope"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

TEST_F(AppsTest, ADrainHoldsOverARestartUntilItIsEnded) {
  open();
  EXPECT_FALSE(must(store->drained()));
  ASSERT_TRUE(store->set_drained(Drain{.at = "2026-11-24T09:00:00Z", .by = "root (uid 0)", .why = "a new kernel"}, event("operator.node_drain")));
  reopen();
  const auto drained = must(store->drained());
  ASSERT_TRUE(drained);
  EXPECT_EQ(to_string(*drained), "by root (uid 0) since 2026-11-24T09:00:00Z: a new kernel");
  EXPECT_EQ(to_string(Drain{.at = "now", .by = "me"}), "by me since now");
  ASSERT_TRUE(store->set_drained(std::nullopt, event("operator.node_resume")));
  EXPECT_FALSE(must(store->drained()));
  EXPECT_EQ(must(store->events(1, 10)).back().kind, "operator.node_resume");
}

TEST_F(AppsTest, RemovingAnAppLeavesItsDataToTheSameUid) {
  open();
  const int uid = must(store->ensure_app("web")).uid;
  activate("web", "v1");
  std::ofstream(paths.data("web") / "kept") << "yes";
  ASSERT_TRUE(store->remove_app("web", false, event("operator.remove", "web")));
  EXPECT_FALSE(must(store->app("web")));
  EXPECT_FALSE(fs::exists(paths.app("web") / "slots"));
  EXPECT_EQ(current("web"), "");
  EXPECT_TRUE(fs::exists(paths.data("web") / "kept"));
  reopen();
  EXPECT_EQ(must(store->ensure_app("web")).uid, uid);
  EXPECT_TRUE(fs::exists(paths.data("web") / "kept"));
  EXPECT_TRUE(must(store->slots("web")).empty());
}

TEST_F(AppsTest, PurgingAnAppRemovesItsData) {
  open();
  must(store->ensure_app("web"));
  activate("web", "v1");
  std::ofstream(paths.data("web") / "gone") << "yes";
  ASSERT_TRUE(store->remove_app("web", true, event("operator.remove", "web")));
  EXPECT_FALSE(fs::exists(paths.app("web")));
  must(store->ensure_app("web"));
  EXPECT_FALSE(fs::exists(paths.data("web") / "gone"));
}

TEST_F(AppsTest, APurgeTakesTheLogsWithIt) {
  open();
  must(store->ensure_app("web"));
  fs::create_directories(paths.logs / "web" / "web.1");
  fs::create_directories(paths.logs / "other");
  EXPECT_EQ(must(store->remove_app("web", true, event("operator.remove", "web"))).left, "");
  EXPECT_FALSE(fs::exists(paths.logs / "web"));
  EXPECT_TRUE(fs::exists(paths.logs / "other"));
  fs::create_directories(paths.logs / "gone" / "web.1");
  EXPECT_EQ(must(store->purge_left("gone", event("operator.remove", "gone"))).left, "") << "it has logs alone";
  EXPECT_FALSE(fs::exists(paths.logs / "gone"));
  EXPECT_EQ(store->purge_left("gone", event("operator.remove", "gone")).error().code, Errc::not_found);
}

TEST_F(AppsTest, APurgeThatDiedIsFinishedAtTheNextStartLogsIncluded) {
  open();
  const int uid = must(store->ensure_app("web")).uid;
  ASSERT_TRUE(store->remove_app("web", false, event("operator.remove", "web")));
  fs::create_directories(paths.logs / "web" / "web.1");
  store.reset();
  {
    Database database = must(Database::open(paths.database()));
    ASSERT_TRUE(database.execute("INSERT INTO purges (app) VALUES ('web')"));
  }
  open();
  EXPECT_FALSE(fs::exists(paths.app("web")));
  EXPECT_FALSE(fs::exists(paths.logs / "web"));
  EXPECT_TRUE(must(store->left_apps()).empty());
  EXPECT_EQ(must(store->ensure_app("web")).uid, uid) << "by its name, since nobody has it";
}

TEST_F(AppsTest, WhatWasLoadedOfAnAppGoesWithIt) {
  open();
  must(store->ensure_app("web"));
  fs::create_directories(paths.imports() / "web" / "v1");
  fs::create_directories(paths.imports() / "other" / "v1");
  EXPECT_EQ(must(store->remove_app("web", false, event("operator.remove", "web"))).left, "");
  EXPECT_FALSE(fs::exists(paths.imports() / "web"));
  EXPECT_TRUE(fs::exists(paths.imports() / "other" / "v1"));
  EXPECT_TRUE(store->remove_rests()) << "nothing is left";
}

TEST_F(AppsTest, AppsThatWereRemovedAndLeftSomethingAreKnown) {
  open();
  must(store->ensure_app("web"));
  must(store->ensure_app("old"));
  fs::create_directories(paths.logs / "older");
  fs::create_directories(paths.state / "apps" / "half");  // without data
  EXPECT_EQ(must(store->left_apps()).size(), 1u);
  ASSERT_TRUE(store->remove_app("old", false, event("operator.remove", "old")));
  fs::create_directories(paths.logs / "old");
  const auto left = must(store->left_apps());
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].app, "old");
  EXPECT_TRUE(left[0].data && left[0].logs);
  EXPECT_EQ(left[1].app, "older");
  EXPECT_TRUE(!left[1].data && left[1].logs);
  EXPECT_TRUE(store->left_of("old").data && store->left_of("old").logs);
  EXPECT_TRUE(!store->left_of("older").data && store->left_of("older").logs);
  for (const char* name : {"half", "never", "..", "../apps/old"}) EXPECT_TRUE(!store->left_of(name).data && !store->left_of(name).logs) << name;
}

TEST_F(AppsTest, WhatARemovedAppLeftCanBePurgedAfterwards) {
  open();
  must(store->ensure_app("web"));
  activate("web", "v1");
  std::ofstream(paths.data("web") / "kept") << "yes";
  EXPECT_EQ(store->purge_left("web", event("operator.remove", "web")).error().code, Errc::conflict) << "it is there";
  ASSERT_TRUE(store->remove_app("web", false, event("operator.remove", "web")));
  reopen();
  ASSERT_TRUE(store->purge_left("web", event("operator.remove", "web")));
  EXPECT_FALSE(fs::exists(paths.app("web")));
  EXPECT_EQ(store->purge_left("web", event("operator.remove", "web")).error().code, Errc::not_found);
}

}  // namespace
}  // namespace berth::store
