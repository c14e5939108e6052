#include "daemon/store/history.h"

#include <gmock/gmock.h>

namespace berth::store {
namespace {

using testing::ElementsAre;
using testing::Pair;

/// Tells events, numbered, a second apart.
class HistoryTest : public testing::Test {
 protected:
  void tell(std::string kind, std::string app, boost::json::object data = {}) {
    ++number;
    reader.read({.number = number, .at = "2026-11-24T09:00:" + std::to_string(10 + number) + "Z", .kind = std::move(kind), .app = std::move(app), .data = std::move(data)});
  }
  /// A deployment goes through states.
  void deploy(std::int64_t id, const std::string& release, const std::vector<std::string>& states, const std::string& kind = "deploy") {
    for (const std::string& state : states) {
      boost::json::object data{{"deployment", id}, {"release", release}, {"kind", kind}, {"state", state}};
      if (state == "queued") data["by"] = "root (uid 0)";
      if (state == "failed" || state == "reverting") {
        data["rejected"] = true;
        data["reason"] = "it crashed";
      }
      tell("deployment.state", "web", std::move(data));
    }
  }
  const AppHistory& web() const { return reader.history().apps.at("web"); }
  const DeploymentRow& row(std::int64_t id) const { return reader.history().deployments.at(id); }

  std::int64_t number = 0;
  HistoryReader reader;
};

const std::vector<std::string> kGood{"queued", "fetching", "unpacking", "sealed", "preparing", "starting", "switching", "baking", "active"};

TEST_F(HistoryTest, ADeploymentIsWhatItsStatesSay) {
  deploy(1, "v1", kGood);
  EXPECT_EQ(web().active, "v1");
  EXPECT_EQ(row(1).state, "active");
  EXPECT_EQ(row(1).by, "root (uid 0)");
  EXPECT_TRUE(row(1).decided);
  EXPECT_EQ(row(1).created_at, "2026-11-24T09:00:11Z");
  EXPECT_EQ(row(1).ended_at, "2026-11-24T09:00:19Z");
  EXPECT_EQ(row(1).detail.at("steps").as_array().size(), 9u);
}

TEST_F(HistoryTest, WhatIsActiveFollowsDecisions) {
  deploy(1, "v1", kGood);
  deploy(2, "v2", {"queued", "sealed", "starting"});
  EXPECT_EQ(web().active, "v1") << "nothing is decided";
  deploy(2, "v2", {"switching"});
  EXPECT_EQ(web().active, "v2");
  EXPECT_EQ(row(2).from, "v1");
  EXPECT_EQ(row(2).ended_at, "");
  deploy(2, "v2", {"baking", "reverting"});
  EXPECT_TRUE(web().going_back);
  EXPECT_EQ(web().active, "v2") << "the decision to go back is not told on its own";
  deploy(2, "v2", {"reverted"});
  EXPECT_EQ(web().active, "v1");
  EXPECT_FALSE(web().going_back);
  EXPECT_EQ(web().rejected.at("v2")->reason, "it crashed");
}

TEST_F(HistoryTest, AFirstReleaseThatFailsLeavesNothingActive) {
  deploy(1, "v1", {"queued", "switching", "baking", "failed"});
  EXPECT_EQ(web().active, "");
}

TEST_F(HistoryTest, OneThatCannotGoBackStays) {
  deploy(1, "v1", kGood);
  deploy(2, "v2", {"queued", "switching", "baking", "reverting", "failed"});
  EXPECT_EQ(web().active, "v2");
}

TEST_F(HistoryTest, ARevertByHandRejectsWhatItLeftAndADeploymentTakesThatBack) {
  deploy(1, "v1", kGood);
  deploy(2, "v2", kGood);
  deploy(3, "v1", kGood, "revert");
  EXPECT_EQ(web().active, "v1");
  EXPECT_EQ(web().rejected.at("v2")->reason, "v2 was reverted by hand");
  deploy(4, "v2", kGood);
  EXPECT_FALSE(web().rejected.at("v2"));
}

TEST_F(HistoryTest, ARevertByHandThatIsRevertedItselfRejectsNothing) {
  deploy(1, "v1", kGood);
  deploy(2, "v2", kGood);
  deploy(3, "v1", {"queued", "sealed", "switching"}, "revert");
  tell("operator.hold", "web", {{"by", "ann (uid 7)"}, {"held", "v2 was reverted by hand"}, {"firm", false}});
  EXPECT_TRUE(web().rejected.at("v2"));
  tell("operator.resume", "web", {{"by", "ann (uid 7)"}});
  tell("deployment.state", "web", {{"deployment", 3}, {"release", "v1"}, {"kind", "revert"}, {"state", "reverted"}, {"accepted", "v2"}});
  EXPECT_EQ(web().active, "v2");
  EXPECT_FALSE(web().rejected.at("v2"));
  EXPECT_FALSE(*web().held);
}

TEST_F(HistoryTest, KnowsWhatOperatorsSaid) {
  tell("operator.hold", "web", {{"by", "ann (uid 7)"}, {"why", "an audit"}, {"held", "an audit"}, {"firm", true}});
  tell("operator.stop", "web", {{"by", "bob (uid 8)"}, {"why", "a new disk"}});
  tell("operator.stop", "web", {{"by", "bob (uid 8)"}, {"what", "web/worker.2"}});
  tell("operator.pin", "web", {{"release", "v1"}});
  tell("operator.scale", "web", {{"process", "worker"}, {"instances", 4}, {"spec_instances", 2}});
  tell("operator.mark", "web", {{"release", "v7"}, {"as", "bad"}, {"by", "ann (uid 7)"}, {"why", "slow"}});
  tell("operator.node_drain", "", {{"by", "ann (uid 7)"}, {"why", "a kernel"}});
  EXPECT_EQ(web().held->why, "an audit");
  EXPECT_TRUE(web().held->firm);
  EXPECT_EQ((*web().stopped)->why, "a new disk");
  EXPECT_EQ(web().paused.at("web/worker.2")->by, "bob (uid 8)");
  EXPECT_THAT(web().pinned, ElementsAre(Pair("v1", true)));
  EXPECT_THAT(web().scales, ElementsAre(Pair("worker", Pair(4, 2))));
  EXPECT_EQ(web().rejected.at("v7")->reason, "marked bad by ann (uid 7): slow");
  EXPECT_EQ((*reader.history().drained)->why, "a kernel");
  tell("operator.resume", "web");
  tell("operator.start", "web");
  tell("operator.unpin", "web", {{"release", "v1"}});
  tell("operator.mark", "web", {{"release", "v7"}, {"as", "good"}});
  tell("operator.node_resume", "");
  EXPECT_FALSE(*web().held);
  EXPECT_FALSE(*web().stopped);
  EXPECT_FALSE(web().paused.at("web/worker.2"));
  EXPECT_THAT(web().pinned, ElementsAre(Pair("v1", false)));
  EXPECT_FALSE(web().rejected.at("v7"));
  EXPECT_FALSE(*reader.history().drained);
}

TEST_F(HistoryTest, AnAppThatWasRemovedIsForgottenButForWhatIsRemembered) {
  deploy(1, "v1", kGood);
  tell("operator.pin", "web", {{"release", "v1"}});
  tell("operator.mark", "web", {{"release", "v7"}, {"as", "bad"}});
  tell("operator.remove", "web", {{"purge", false}});
  EXPECT_TRUE(web().removed);
  EXPECT_EQ(web().active, "");
  EXPECT_TRUE(web().pinned.empty());
  EXPECT_TRUE(web().rejected.contains("v7"));
  deploy(2, "v2", kGood);
  EXPECT_FALSE(web().removed);
  EXPECT_EQ(web().active, "v2");
  tell("operator.remove", "web", {{"purge", true}});
  EXPECT_TRUE(web().rejected.empty());
}

TEST_F(HistoryTest, KnowsHowSlotsWereSealed) {
  tell("slot.sealed", "web", {{"release", "v1"}, {"manifest_sha256", "ab12"}, {"bytes", 7}, {"signed_by", {{"role", "web"}, {"keys", {"k1", "k2"}}}}});
  const Sealing& sealing = web().sealed.at("v1");
  EXPECT_EQ(sealing.manifest_sha256, "ab12");
  EXPECT_EQ(sealing.bytes, 7u);
  EXPECT_EQ(sealing.signed_by, "web");
  EXPECT_THAT(sealing.signing_keys, ElementsAre("k1", "k2"));
  tell("slot.removed", "web", {{"release", "v1"}});
  EXPECT_TRUE(web().sealed.empty());
}

TEST_F(HistoryTest, KnowsCopiesOfDataAndRunsOfJobs) {
  tell("data.copied", "web", {{"deployment", 2}, {"release", "v1"}, {"folder", "snapshot.2"}, {"method", "copy"}, {"bytes", 7}});
  EXPECT_EQ(web().copies.at("snapshot.2")->release, "v1");
  tell("data.restored", "web", {{"deployment", 2}, {"restored", "snapshot.2"}, {"set_aside", "data.2"}, {"release", "v2"}, {"since", "s"}});
  EXPECT_FALSE(web().copies.at("snapshot.2"));
  EXPECT_EQ(web().copies.at("data.2")->method, "moved");
  tell("job.started", "web", {{"instance", "web/report.3@v1"}, {"run", 3}, {"by", "ann (uid 7)"}});
  EXPECT_EQ(web().jobs.at("report").state, "running");
  EXPECT_EQ(web().jobs.at("report").release, "v1");
  tell("job.ended", "web", {{"instance", "web/report.3@v1"}, {"run", 3}, {"by", "ann (uid 7)"}, {"state", "ok"}, {"result", "ok"}, {"attempts", 1}});
  EXPECT_EQ(web().jobs.at("report").result, "ok");
  EXPECT_FALSE(web().jobs.at("report").succeeded_at.empty());
}

TEST_F(HistoryTest, WhatIsNoEventOfOursTellsNothing) {
  tell("deployment.state", "../etc", {{"deployment", 1}, {"release", "v1"}, {"state", "active"}});
  tell("deployment.state", "web", {{"deployment", "one"}, {"release", 7}});
  tell("slot.sealed", "web", {{"signed_by", "me"}});
  EXPECT_FALSE(reader.history().apps.contains("../etc"));
  EXPECT_TRUE(reader.history().deployments.empty());
}

TEST(HistoryGoesOn, FromWhatADatabaseSays) {
  HistoryReader reader({{"web", "v1"}}, {DeploymentRow{.id = 7, .app = "web", .release = "v2", .kind = "deploy", .state = "starting", .from = "v0", .key = "k", .force = true}});
  reader.read({.number = 1, .at = "t", .kind = "deployment.state", .app = "web", .data = {{"deployment", 7}, {"release", "v2"}, {"kind", "deploy"}, {"state", "switching"}}});
  const DeploymentRow& row = reader.history().deployments.at(7);
  EXPECT_EQ(row.from, "v1");
  EXPECT_TRUE(row.force);
  EXPECT_EQ(row.key, "k");
  EXPECT_EQ(reader.history().apps.at("web").active, "v2");
}

}  // namespace
}  // namespace berth::store
