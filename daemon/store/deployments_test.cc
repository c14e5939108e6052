#include <fmt/core.h>

#include "daemon/store/database.h"
#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

using DeploymentsTest = StoreTest;

TEST_F(DeploymentsTest, KeepsEverythingARowSays) {
  open();
  must(store->ensure_app("web"));
  DeploymentRow row = deploy("web", "v2");
  EXPECT_EQ(row.id, 1);
  EXPECT_FALSE(row.created_at.empty());
  row.state = "baking";
  row.reason = "none \"yet\"";
  row.from = "v1";
  row.decided = true;
  row.manifest_sha256 = "abc";
  row.by = "root (uid 0)";
  row.why = "because";
  row.force = true;
  row.bake_until_ms = 1'700'000'000'123;
  row.detail = {{"bytes", 12}, {"last_lines", {"a", "b"}}};
  ASSERT_TRUE(store->update_deployment(row, {}));
  reopen();
  const DeploymentRow read = *must(store->deployment(1));
  EXPECT_EQ(read.state, "baking");
  EXPECT_EQ(read.reason, row.reason);
  EXPECT_EQ(read.from, "v1");
  EXPECT_TRUE(read.decided);
  EXPECT_EQ(read.manifest_sha256, "abc");
  EXPECT_EQ(read.by, row.by);
  EXPECT_EQ(read.why, row.why);
  EXPECT_TRUE(read.force);
  EXPECT_EQ(read.bake_until_ms, row.bake_until_ms);
  EXPECT_EQ(read.created_at, row.created_at);
  EXPECT_EQ(boost::json::serialize(read.detail), boost::json::serialize(row.detail));
}

TEST_F(DeploymentsTest, ByWhomOneIsCancelledStaysWhateverElseIsWritten) {
  open();
  must(store->ensure_app("web"));
  DeploymentRow row = deploy("web", "v2");
  row.detail = {{"bytes", 12}};
  ASSERT_TRUE(store->note_cancel(row.id, "alice"));
  ASSERT_TRUE(store->note_cancel(row.id, "bob"));
  row.state = "starting";
  ASSERT_TRUE(store->update_deployment(row, {}));
  reopen();
  const DeploymentRow read = *must(store->deployment(row.id));
  EXPECT_EQ(read.state, "starting");
  EXPECT_EQ(boost::json::serialize(read.detail), R"({"bytes":12,"cancelled_by":"alice"})");
  DeploymentRow over = deploy("web", "v3");
  over.ended_at = now_text();
  ASSERT_TRUE(store->update_deployment(over, {}));
  ASSERT_TRUE(store->note_cancel(over.id, "carol"));
  EXPECT_FALSE(must(store->deployment(over.id))->detail.contains("cancelled_by"));
}

TEST_F(DeploymentsTest, FindsTheUnfinishedOldestFirstAndTheRestNewestFirst) {
  open();
  must(store->ensure_app("web"));
  DeploymentRow first = deploy("web", "v1");
  deploy("web", "v2");
  deploy("api", "v1");
  first.ended_at = now_text();
  ASSERT_TRUE(store->update_deployment(first, {}));
  const auto unfinished = must(store->unfinished_deployments());
  ASSERT_EQ(unfinished.size(), 2u);
  EXPECT_EQ(unfinished[0].id, 2);
  EXPECT_EQ(unfinished[1].id, 3);
  EXPECT_EQ(must(store->deployments("web", 1)).at(0).id, 2);
  EXPECT_EQ(must(store->deployments("", 10)).size(), 3u);
}

TEST_F(DeploymentsTest, ArePagedByTheirNumberAndNarrowedByTheirTime) {
  open();
  constexpr int kMany = 200;
  const auto minute = [](int n) { return fmt::format("2026-11-{:02}T{:02}:{:02}:00.000000Z", 1 + n / 1440, n / 60 % 24, n % 60); };
  for (int n = 1; n <= kMany; ++n) {
    const std::string app = n % 2 == 0 ? "web" : "api";
    must(store->add_deployment({.app = app, .release = "v1", .kind = "deploy", .state = "queued", .created_at = minute(n)}, {.number = 0, .at = {}, .kind = "deployment.state", .app = app, .data = {}}));
  }
  std::vector<std::int64_t> ids;
  for (DeploymentQuery wanted{.app = "web", .most = 7, .since = {}, .until = {}};;) {
    const auto page = must(store->deployments(wanted));
    if (page.empty()) break;
    for (const auto& row : page) ids.push_back(row.id);
    wanted.before = page.back().id;
  }
  ASSERT_EQ(ids.size(), kMany / 2u) << "each once";
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], kMany - 2 * static_cast<std::int64_t>(i));
  const DeploymentQuery between{.app = "", .most = 100, .since = minute(10), .until = minute(13)};
  const auto found = must(store->deployments(between));
  ASSERT_EQ(found.size(), 3u) << "from the first moment on, and before the last";
  EXPECT_EQ(found.front().id, 12);
  EXPECT_EQ(found.back().id, 10);
  const DeploymentQuery of_web{.app = "web", .most = 1, .before = 12, .since = minute(10), .until = {}};
  EXPECT_EQ(must(store->deployments(of_web)).at(0).id, 10);
}

TEST_F(DeploymentsTest, AnIdempotencyKeyNamesOneDeploymentOfAnApp) {
  open();
  const DeploymentRow row{.app = "web", .release = "v1", .kind = "deploy", .state = "queued", .key = "k"};
  must(store->add_deployment(row, event("deployment.state", "web")));
  const auto again = store->add_deployment(row, event("deployment.state", "web"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::exists);
  EXPECT_EQ(must(store->deployment_by_key("web", "k"))->id, 1);
  EXPECT_FALSE(must(store->deployment_by_key("api", "k")));
  EXPECT_EQ(store->last_event(), 1) << "a refused row leaves no event";
}

TEST_F(DeploymentsTest, AKeyThatBeganNoDeploymentIsKept) {
  open();
  ASSERT_TRUE(store->keep_key({.app = "web", .key = "k", .release = "v1", .deployment = 7, .already = true}));
  ASSERT_TRUE(store->keep_key({.app = "web", .key = "k", .release = "v2", .deployment = 8}));
  reopen();
  const auto kept = must(store->kept_key("web", "k"));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->release, "v1") << "the first answer counts";
  EXPECT_EQ(kept->deployment, 7);
  EXPECT_TRUE(kept->already);
  EXPECT_FALSE(must(store->kept_key("api", "k")));
  EXPECT_FALSE(must(store->kept_key("web", "")));
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(store->keep_key({.app = "web", .key = std::to_string(i), .release = "v1"}));
  EXPECT_FALSE(must(store->kept_key("web", "k")));
  EXPECT_TRUE(must(store->kept_key("web", "0")));
}

TEST_F(DeploymentsTest, TheDecisionMovesActiveToPrevious) {
  open();
  must(store->ensure_app("web"));
  activate("web", "v1");
  EXPECT_EQ(must(store->app("web"))->previous, "");
  activate("web", "v2");
  EXPECT_EQ(must(store->app("web"))->active, "v2");
  EXPECT_EQ(must(store->app("web"))->previous, "v1");
  EXPECT_EQ(current("web"), "slots/v2");
  DeploymentRow same = deploy("web", "v2");
  ASSERT_TRUE(store->decide(same, {}));
  EXPECT_EQ(must(store->app("web"))->previous, "v1") << "deciding for what is active changes nothing";
}

TEST_F(DeploymentsTest, ARevertsDecisionEmptiesPreviousWhereItWentThere) {
  open();
  must(store->ensure_app("web"));
  activate("web", "v1");
  activate("web", "v2");
  DeploymentRow row = deploy("web", "v1");
  row.decided = true;
  ASSERT_TRUE(store->decide_revert(row, "v1", {}));
  EXPECT_EQ(must(store->app("web"))->active, "v1");
  EXPECT_EQ(must(store->app("web"))->previous, "");
}

TEST_F(DeploymentsTest, PreviousIsWhatWasFoundGoodLastAndIsNotRejected) {
  open();
  must(store->ensure_app("web"));
  const auto previous = [this] { return must(store->app("web"))->previous; };
  for (const char* release : {"v1", "v2"}) {
    DeploymentRow row = activate("web", release);
    row.state = "active";
    ASSERT_TRUE(store->update_deployment(row, {}));
  }
  DeploymentRow bad = activate("web", "v3");
  EXPECT_EQ(previous(), "v2");
  ASSERT_TRUE(store->reject("web", "v3", "", "it died"));
  bad.state = "reverting";
  ASSERT_TRUE(store->decide_revert(bad, "v2", {}));
  EXPECT_EQ(previous(), "v1") << "what was to be gone back to before the bad one came";

  activate("web", "v4");  // in its bake when the next one takes its place
  activate("web", "v5");
  EXPECT_EQ(previous(), "v2");
  ASSERT_TRUE(store->reject("web", "v2", "", "marked bad"));
  EXPECT_EQ(previous(), "v1");
}

TEST_F(DeploymentsTest, WhatWasDecidedAndRevertedIsNothingToGoBackTo) {
  open();
  must(store->ensure_app("web"));
  DeploymentRow good = activate("web", "v1");
  end(good, "active");
  DeploymentRow hooked = activate("web", "v2");  // as with `recreate`, before its hook and its start
  EXPECT_EQ(must(store->release_before("web")), "v1");
  hooked.state = "reverting";
  ASSERT_TRUE(store->decide_revert(hooked, "v1", {}));
  end(hooked, "reverted");
  EXPECT_EQ(must(store->release_before("web")), "") << "v2 is not rejected, and was never active";
  EXPECT_EQ(must(store->app("web"))->previous, "");
  EXPECT_FALSE(was_active(hooked));

  DeploymentRow stuck = activate("web", "v3");
  end(stuck, "failed");  // it could not be left, and stayed
  DeploymentRow next = activate("web", "v4");
  EXPECT_EQ(must(store->release_before("web")), "v1");
  ASSERT_TRUE(store->reject("web", "v1", "", "marked bad"));
  EXPECT_EQ(must(store->release_before("web")), "") << "neither v2 nor v3";
}

TEST_F(DeploymentsTest, WhatServedInItsBakeIsGoneBackToWhereNothingWasFoundGoodAndOnlyBackwards) {
  open();
  must(store->ensure_app("web"));
  DeploymentRow first = activate("web", "v1");
  first.state = "baking";
  ASSERT_TRUE(store->update_deployment(first, {}));
  DeploymentRow second = activate("web", "v2");
  EXPECT_EQ(must(store->release_before("web")), "v1") << "it gives way, and serves until v2 does";
  end(second, "active");
  end(first, "superseded");
  EXPECT_EQ(must(store->release_before("web")), "v1");
  EXPECT_EQ(must(store->app("web"))->previous, "v1");

  DeploymentRow third = activate("web", "v3");
  third.state = "baking";
  ASSERT_TRUE(store->update_deployment(third, {}));
  DeploymentRow fourth = activate("web", "v4");
  end(fourth, "active");
  end(third, "superseded");
  EXPECT_EQ(must(store->release_before("web")), "v2") << "not v3, of which nobody knows whether it is good";
  DeploymentRow back = deploy("web", "v2");
  back.kind = "revert";
  back.decided = true;
  back.state = "switching";
  ASSERT_TRUE(store->decide(back, {}));
  ASSERT_TRUE(store->reject("web", "v4", "", "v4 was reverted by hand"));
  end(back, "active");
  EXPECT_EQ(must(store->release_before("web")), "v1") << "v3 came after v2: that would be forward";
  EXPECT_EQ(must(store->app("web"))->previous, "v1");
}

TEST_F(DeploymentsTest, WhatAnotherBerthdTookForPreviousIsJudgedAtTheStart) {
  open();
  must(store->ensure_app("web"));
  for (const char* release : {"v1", "v2"}) {
    DeploymentRow row = activate("web", release);
    end(row, release[1] == '1' ? "active" : "reverted");
  }
  DeploymentRow row = activate("web", "v3");
  end(row, "active");
  store.reset();
  {
    auto database = Database::open(paths.database());
    ASSERT_TRUE(database) << database.error().message;
    ASSERT_TRUE(database->run("UPDATE apps SET previous = 'v2'"));
  }
  open();
  EXPECT_EQ(must(store->app("web"))->previous, "v1");
}

TEST_F(DeploymentsTest, ADecisionForAnUnknownDeploymentChangesNothing) {
  open();
  must(store->ensure_app("web"));
  activate("web", "v1");
  ASSERT_TRUE(seal("web", "v2"));
  const DeploymentRow unknown{.id = 99, .app = "web", .release = "v2"};
  std::vector<Event> events{event("deployment.decided", "web")};
  const std::int64_t before = store->last_event();
  EXPECT_FALSE(store->decide(unknown, events));
  EXPECT_EQ(must(store->app("web"))->active, "v1");
  EXPECT_EQ(store->last_event(), before);
}

TEST_F(DeploymentsTest, NoReleaseWithoutASlotBecomesActive) {
  open();
  must(store->ensure_app("web"));
  activate("web", "v1");
  const DeploymentRow row = deploy("web", "v2");
  const std::int64_t before = store->last_event();
  const auto refused = store->decide(row, {event("deployment.state", "web")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_EQ(refused.error().message, "web@v2 is not on this node any more; 'berth deploy web@v2' fetches it again");
  EXPECT_EQ(store->decide_revert(row, "v0", {}).error().code, Errc::conflict);
  EXPECT_EQ(must(store->app("web"))->active, "v1");
  EXPECT_EQ(store->last_event(), before);
  EXPECT_TRUE(store->decide_revert(row, "", {})) << "a first release goes back to none";
}

TEST_F(DeploymentsTest, TheRecordOfAnAppHasWhatIsToldOfItOneByOne) {
  open();
  for (const char* app : {"web", "other"}) {
    ASSERT_TRUE(store->ensure_app(app));
    activate(app, "v1");
    ASSERT_TRUE(store->set_scale(app, "worker", app[0] == 'w' ? 3 : 7, 1, event("scale", app)));
  }
  ASSERT_TRUE(store->ensure_app("empty"));
  ASSERT_TRUE(store->reject("web", "v9", "00", "crashed"));
  ASSERT_TRUE(store->begin_data_copy({.app = "web", .folder = "snapshot.1", .deployment = 1, .release = "v1", .before = true, .method = "copy"}));
  ASSERT_TRUE(store->keep_data_copy({.app = "web", .folder = "snapshot.1", .deployment = 1, .release = "v1", .before = true, .method = "copy"}, event("data.copied", "web")));
  DeploymentRow ended = deploy("web", "v2");
  ended.state = "failed";
  ended.ended_at = "2026-11-24T09:00:00Z";
  ASSERT_TRUE(store->update_deployment(ended, {}));
  for (int i = 0; i < 12; ++i) deploy("web", "v3");  // under way

  const auto one = store->records("web");
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_EQ(one->size(), 1u);
  const AppRecord& web = one->at("web");
  ASSERT_TRUE(web.last);
  EXPECT_EQ(web.last->id, ended.id) << "not one that is under way";
  EXPECT_EQ(web.scales, (std::map<std::string, std::pair<int, int>>{{"worker", {3, 1}}}));
  ASSERT_EQ(web.rejected.size(), 1u);
  EXPECT_EQ(web.rejected[0].reason, "crashed");
  ASSERT_EQ(web.slots.size(), 1u);
  EXPECT_EQ(web.slots[0].release, "v1");
  ASSERT_EQ(web.copies.size(), 1u);

  const auto all = store->records("");
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->at("web").last->id, ended.id);
  EXPECT_EQ(all->at("web").slots.size(), 1u);
  EXPECT_EQ(all->at("other").scales.at("worker").first, 7);
  EXPECT_TRUE(all->at("other").rejected.empty());
  EXPECT_FALSE(all->contains("empty"));
}

TEST_F(DeploymentsTest, AReleaseIsRejectedWithTheStateThatTellsOfIt) {
  open();
  must(store->ensure_app("web"));
  activate("web", "v1");
  DeploymentRow row = activate("web", "v2");
  const Rejected bad{.release = "v2", .manifest_sha256 = "ab", .reason = "it died", .at = {}};
  DeploymentRow unknown = row;
  unknown.id = 99;
  EXPECT_FALSE(store->update_deployment(unknown, {}, bad));
  EXPECT_FALSE(store->decide_revert(unknown, "v1", {}, bad));
  EXPECT_TRUE(must(store->rejected("web")).empty()) << "neither without the other";
  EXPECT_EQ(must(store->app("web"))->active, "v2");
  row.state = "reverting";
  ASSERT_TRUE(store->update_deployment(row, {event("deployment.state", "web", {{"rejected", true}})}, bad));
  ASSERT_EQ(must(store->rejected("web")).size(), 1u);
  EXPECT_EQ(must(store->rejected("web"))[0].reason, "it died");
  ASSERT_TRUE(store->decide_revert(row, "v1", {}, Rejected{.release = "v2", .manifest_sha256 = "ab", .reason = "again", .at = {}}));
  EXPECT_EQ(must(store->rejected("web"))[0].reason, "again");
}

/// v1 was active, v2 is, and a revert by hand to v1 is decided.
class RevertsByHandTest : public DeploymentsTest {
 protected:
  void begin() {
    open();
    must(store->ensure_app("web"));
    for (const char* release : {"v1", "v2"}) {
      DeploymentRow row = activate("web", release);
      end(row, "active");
    }
    DeploymentRow row{.app = "web", .release = "v1", .kind = "revert", .state = "queued", .from = "v2", .by = "ann", .why = "slow"};
    back = must(store->add_deployment(row, event("deployment.state", "web")));
    back.decided = true;
    back.state = "switching";
    ASSERT_TRUE(store->decide(back, {}));
  }
  Result<Hold> hold() {
    const Hold said{.why = reverted_by_hand(back), .by = "ann", .at = "2026-11-24T09:00:00.000000Z"};
    return store->hold_by_revert(back, said, Rejected{.release = "v2", .manifest_sha256 = "ab", .reason = said.why, .at = {}}, event("operator.hold", "web"));
  }
  /// It goes back itself, to v2.
  Hold undo() {
    back.state = "reverting";
    EXPECT_TRUE(store->decide_revert(back, "v2", {}));
    back.state = "reverted";
    back.ended_at = "2026-11-24T10:00:00.000000Z";
    return must(store->end_undone_revert(back, event("deployment.state", "web", {{"state", "reverted"}})));
  }
  std::vector<std::string> rejected() {
    std::vector<std::string> all;
    for (const Rejected& one : must(store->rejected("web"))) all.push_back(one.release + ": " + one.reason);
    return all;
  }

  DeploymentRow back;
};

TEST_F(RevertsByHandTest, HoldsTheAppAndRejectsWhatItLeavesInOneChange) {
  begin();
  DeploymentRow unknown = back;
  unknown.app = "nothing";
  EXPECT_FALSE(store->hold_by_revert(unknown, {.why = "why"}, Rejected{.release = "v2", .manifest_sha256 = {}, .reason = "why", .at = {}}, event("operator.hold", "nothing")));
  EXPECT_TRUE(must(store->rejected("nothing")).empty());
  EXPECT_EQ(must(hold()).why, "v2 was reverted by hand: slow");
  EXPECT_EQ(must(store->app("web"))->held.why, "v2 was reverted by hand: slow");
  EXPECT_EQ(rejected(), std::vector<std::string>{"v2: v2 was reverted by hand: slow"});
  const std::int64_t told = store->last_event();
  EXPECT_EQ(must(hold()).at, "2026-11-24T09:00:00.000000Z");
  EXPECT_EQ(store->last_event(), told) << "said again, it is not told again";
}

TEST_F(RevertsByHandTest, OneThatIsRevertedItselfTakesBothBack) {
  begin();
  must(hold());
  reopen();  // what was before is in the row, whatever the next berthd knows of it
  EXPECT_FALSE(undo());
  EXPECT_FALSE(must(store->app("web"))->held);
  EXPECT_TRUE(rejected().empty());
  EXPECT_EQ(must(store->app("web"))->active, "v2");
  EXPECT_EQ(must(store->app("web"))->previous, "v1");
  EXPECT_EQ(must(store->deployment(back.id))->state, "reverted");
  const auto events = must(store->events(store->last_event() - 1, 2));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kind, "operator.resume");
  EXPECT_EQ(events[0].data.at("why"), "the revert to v1 was itself reverted");
  EXPECT_EQ(events[1].data.at("accepted"), "v2");
}

TEST_F(RevertsByHandTest, WhatWasSaidBeforeComesBack) {
  begin();
  ASSERT_TRUE(store->set_held("web", {.why = "v3 was reverted by hand", .by = "bob", .at = "2026-11-23T09:00:00.000000Z"}, event("operator.hold", "web")));
  ASSERT_TRUE(store->reject("web", "v2", "ab", "marked bad by bob"));
  must(hold());
  EXPECT_EQ(undo().by, "bob");
  const Hold held = must(store->app("web"))->held;
  EXPECT_EQ(held.why, "v3 was reverted by hand");
  EXPECT_EQ(held.at, "2026-11-23T09:00:00.000000Z");
  EXPECT_EQ(rejected(), std::vector<std::string>{"v2: marked bad by bob"});
  EXPECT_EQ(must(store->newest_event("web", "operator.hold"))->data.at("held"), "v3 was reverted by hand");
}

TEST_F(RevertsByHandTest, WhatABerthdSaidThatKeptNothingOfBeforeIsTakenBackToo) {
  begin();
  ASSERT_TRUE(store->set_held("web", {.why = reverted_by_hand(back), .by = "ann", .at = "t"}, event("operator.hold", "web")));
  ASSERT_TRUE(store->reject("web", "v2", "ab", reverted_by_hand(back)));
  EXPECT_EQ(must(hold()).at, "t") << "the next berthd comes to it once more";
  EXPECT_FALSE(undo());
  EXPECT_FALSE(must(store->app("web"))->held);
  EXPECT_TRUE(rejected().empty());
}

TEST_F(RevertsByHandTest, WhatOperatorsSaidMeanwhileStays) {
  begin();
  must(hold());
  ASSERT_TRUE(store->set_held("web", {.why = "an audit", .by = "bob", .at = "t", .firm = true}, event("operator.hold", "web")));
  ASSERT_TRUE(store->reject("web", "v2", "ab", "marked bad by bob"));
  EXPECT_TRUE(undo().firm);
  EXPECT_EQ(must(store->app("web"))->held.why, "an audit");
  EXPECT_EQ(rejected(), std::vector<std::string>{"v2: marked bad by bob"});
}

TEST_F(DeploymentsTest, RemembersRejectedReleasesUntilTheyAreTakenBack) {
  open();
  ASSERT_TRUE(store->reject("web", "v3", "abc", "never ready"));
  ASSERT_TRUE(store->reject("web", "v3", "abd", "died in its bake"));
  reopen();
  const auto rejected = must(store->rejected("web"));
  ASSERT_EQ(rejected.size(), 1u);
  EXPECT_EQ(rejected[0].reason, "died in its bake");
  EXPECT_EQ(rejected[0].manifest_sha256, "abd");
  ASSERT_TRUE(store->unreject("web", "v3"));
  EXPECT_TRUE(must(store->rejected("web")).empty());
}

}  // namespace
}  // namespace berth::store
