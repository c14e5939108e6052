#include "daemon/deploy/counts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

std::size_t keys(const Counts& counts) {
  return counts.ended.size() + counts.fetched.size() + counts.steps.size() + counts.hooks.size() + counts.execs.size() + counts.jobs.size();
}

/// Something of each kind.
void count_all(Counts& counts, const std::string& app) {
  ++counts.ended[{app, "failed"}];
  counts.fetched[{app, "layer"}] += 10;
  ++counts.steps[{app, "fetching"}].count;
  ++counts.hooks[{app, "pre-start", "ok"}];
  ++counts.execs[{app, "ok"}];
  ++counts.jobs[{app, "report", "failed"}];
}

TEST(Counts, ForgetEverythingOfAnAppThatIsRemoved) {
  Counts counts;
  count_all(counts, "web");
  count_all(counts, "api");
  counts.forget("web");
  EXPECT_EQ(keys(counts), 6u);
  EXPECT_TRUE(counts.jobs.contains({"api", "report", "failed"}));
  counts.forget("api");
  EXPECT_EQ(keys(counts), 0u);
}

TEST(Counts, OfAnAppThatIsNotOnTheNodeStayForAnHour) {
  Counts counts;
  UnknownApps unknown;
  const UnknownApps::Time began{};
  count_all(counts, "typo");
  unknown.add("typo", began, counts);
  unknown.forget_old(began + 59min, counts);
  EXPECT_EQ(keys(counts), 6u);
  unknown.add("typo", began + 30min, counts);  // tried again
  unknown.forget_old(began + 61min, counts);
  EXPECT_EQ(keys(counts), 6u) << "from its last deployment on";
  unknown.forget_old(began + 90min, counts);
  EXPECT_EQ(keys(counts), 0u);
}

TEST(Counts, OfAnAppThatCameToTheNodeStay) {
  Counts counts;
  UnknownApps unknown;
  count_all(counts, "web");
  unknown.add("web", {}, counts);
  unknown.remove("web");
  unknown.forget_old(UnknownApps::Time(100h), counts);
  EXPECT_EQ(keys(counts), 6u);
}

TEST(Counts, AreBoundedHoweverManyNamesAreTyped) {
  Counts counts;
  UnknownApps unknown;
  for (int i = 1; i <= 1000; ++i) {
    const std::string app = fmt::format("typo{}", i);
    count_all(counts, app);
    unknown.add(app, {}, counts);
  }
  EXPECT_EQ(keys(counts), 6u * UnknownApps::kMost);
  EXPECT_TRUE(counts.ended.contains({"typo1000", "failed"})) << "the newest are told";
}

}  // namespace
}  // namespace berth::deploy
