#include "daemon/deploy/deployment_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

bundle::Manifest release(const std::string& id, const std::vector<std::string>& hooks) {
  bundle::Manifest manifest{.app = "web", .environment = "production", .release = id};
  for (const std::string& name : hooks) manifest.spec.hooks[name] = {.command = {"bin/" + name}, .timeout = 7s};
  return manifest;
}

std::vector<std::string> names(const std::vector<DeploymentPlan::Hook>& hooks) {
  std::vector<std::string> all;
  for (const auto& one : hooks) all.push_back(one.hook + "@" + one.release);
  return all;
}

const std::vector<std::string> kAll{"pre-start", "post-start", "ready-to-switch", "pre-stop", "post-switch", "on-revert"};

TEST(HooksOnTheWay, ComeBeforeAndAfterTheDecision) {
  const auto old = release("v1", kAll), fresh = release("v2", kAll);
  const auto way = hooks_on_the_way({}, fresh, &old);
  EXPECT_THAT(names(way), ElementsAre("pre-start@v2", "post-start@v2", "ready-to-switch@v2", "pre-stop@v1", "post-switch@v2"));
  EXPECT_EQ(way.front().timeout, 7s);
  EXPECT_TRUE(way[2].may_stop);
  EXPECT_FALSE(way[3].may_stop || way[4].may_stop);
}

TEST(HooksOnTheWay, WithRecreateTheReleaseIsAskedBeforeAnythingStops) {
  const auto old = release("v1", kAll), fresh = release("v2", kAll);
  EXPECT_THAT(names(hooks_on_the_way({.stop_first = true}, fresh, &old)),
              ElementsAre("ready-to-switch@v2", "pre-start@v2", "pre-stop@v1", "post-start@v2", "post-switch@v2"));
}

TEST(HooksOnTheWay, WithASnapshotTheMigrationComesAfterIt) {
  const auto old = release("v1", kAll);
  auto fresh = release("v2", kAll);
  fresh.spec.data.snapshot = true;
  EXPECT_THAT(names(hooks_on_the_way({.stop_first = true}, fresh, &old)),
              ElementsAre("ready-to-switch@v2", "pre-stop@v1", "pre-start@v2", "post-start@v2", "post-switch@v2"));
}

TEST(HooksOnTheWay, AreThoseThatThereAre) {
  const auto old = release("v1", {"pre-start"}), fresh = release("v2", {"post-switch"});
  EXPECT_THAT(names(hooks_on_the_way({}, fresh, &old)), ElementsAre("post-switch@v2"));
  EXPECT_THAT(names(hooks_on_the_way({}, release("v1", kAll), nullptr)), ElementsAre("pre-start@v1", "post-start@v1", "ready-to-switch@v1", "post-switch@v1"));
}

TEST(HooksOnTheWay, BackNothingIsAskedOrMigrated) {
  const auto left = release("v2", kAll), back = release("v1", kAll);
  const auto way = hooks_on_the_way_back({}, back, &left, true);
  EXPECT_THAT(names(way), ElementsAre("post-start@v1", "pre-stop@v2", "on-revert@v2", "post-switch@v1"));
  EXPECT_TRUE(way.front().may_stop);
  EXPECT_FALSE(way[1].may_stop || way[2].may_stop || way[3].may_stop);
  EXPECT_THAT(names(hooks_on_the_way_back({.stop_first = true}, back, &left, true)), ElementsAre("pre-stop@v2", "on-revert@v2", "post-start@v1", "post-switch@v1"));
  EXPECT_THAT(names(hooks_on_the_way_back({}, back, &left, false)), ElementsAre("post-start@v1", "on-revert@v2", "post-switch@v1")) << "nothing runs that could be told to stop";
  EXPECT_THAT(names(hooks_on_the_way_back({}, back, nullptr, false)), ElementsAre("post-start@v1", "post-switch@v1"));
}

TEST(PlannedChanges, CountFilesAndTheirBytes) {
  const auto file = [](const char* path, std::uint64_t size, const char* hash) {
    return bundle::Entry{.path = path, .size = size, .sha256 = hash, .target = {}};
  };
  const std::vector<bundle::Entry> before{file("a", 10, "1"), file("b", 20, "2"), file("c", 30, "3")};
  const std::vector<bundle::Entry> after{file("a", 10, "1"), file("b", 25, "4"), file("d", 40, "5"), file("e", 1, "6")};
  const auto old = release("v1", {}), fresh = release("v2", {});
  const bundle::BuildRef build;
  DeploymentPlan plan;
  compare(plan, {.manifest = old, .build = build, .app = before, .config = {}}, {.manifest = fresh, .build = build, .app = after, .config = {}});
  EXPECT_EQ(plan.added.files, 2u);
  EXPECT_EQ(plan.added.bytes, 41u);
  EXPECT_EQ(plan.changed.files, 1u);
  EXPECT_EQ(plan.changed.bytes, 25u);
  EXPECT_EQ(plan.removed.files, 1u);
  EXPECT_EQ(plan.removed.bytes, 30u);
  EXPECT_EQ(plan.changes.size(), 4u);
  EXPECT_EQ(count_files(after).bytes, 76u);
}

}  // namespace
}  // namespace berth::deploy
