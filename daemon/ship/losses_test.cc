#include "daemon/ship/losses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/ship/backoff.h"

namespace berth::ship {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

logs::Time at_second(int second) { return logs::parse_rfc3339("2026-11-24T09:00:00Z").value() + std::chrono::seconds(second); }

Loss loss(int number, std::uint64_t first, std::uint64_t last, int from, int to) {
  return {.instance = {.app = "web", .process = "web", .number = number}, .first = first, .last = last, .lines = last - first + 1, .from = at_second(from), .to = at_second(to)};
}

TEST(LossReport, TellsTheFirstAtOnceAndThoseThatFollowTogether) {
  LossReport report;
  const auto now = std::chrono::steady_clock::now();
  report.add(loss(1, 5, 9, 1, 2));
  EXPECT_FALSE(report.empty());
  ASSERT_EQ(report.due(now).size(), 1u);
  EXPECT_TRUE(report.empty());
  report.add(loss(1, 20, 29, 3, 4));
  report.add(loss(2, 1, 1, 3, 4));
  report.add(loss(1, 40, 49, 5, 6));
  ASSERT_EQ(report.due(now + 1s).size(), 1u) << "the other instance's";
  EXPECT_THAT(report.due(now + 9s), IsEmpty());
  const auto told = report.due(now + 10s);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].first, 20u);
  EXPECT_EQ(told[0].last, 49u);
  EXPECT_EQ(told[0].lines, 20u);
  EXPECT_EQ(told[0].from, at_second(3));
  EXPECT_EQ(told[0].to, at_second(6));
  EXPECT_THAT(report.due(now + 60s), IsEmpty());
}

TEST(LossReport, SaysWhatIsKnown) {
  EXPECT_THAT(loss_text(loss(1, 5, 9, 1, 2)), HasSubstr("web/web.1: 5 lines (of 5 to 9, after 2026-11-24T09:00:01.000Z, before 2026-11-24T09:00:02.000Z)"));
  Loss unknown = loss(1, 5, 9, 1, 2);
  unknown.from = unknown.to = {};
  EXPECT_THAT(loss_text(unknown), HasSubstr("(of 5 to 9) were removed"));
  const store::Event event = loss_event(loss(1, 5, 9, 1, 2), "loki");
  EXPECT_EQ(event.kind, "logs.lost");
  EXPECT_EQ(event.app, "web");
  EXPECT_EQ(event.data.at("lines").to_number<int>(), 5);
  EXPECT_EQ(event.data.at("from").as_string(), "2026-11-24T09:00:01.000Z");
  EXPECT_FALSE(loss_event(unknown, "loki").data.contains("from"));
}

TEST(LossReport, SaysWhereTheNumberIsNotKnown) {
  Loss least = loss(1, 5, 9, 1, 2);
  least.is_least = true;
  EXPECT_THAT(loss_text(least), HasSubstr("web/web.1: at least 5 lines (from 5 on, after 2026-11-24T09:00:01.000Z, before 2026-11-24T09:00:02.000Z) were removed"));
  EXPECT_TRUE(loss_event(least, "loki").data.at("at_least").as_bool());
  EXPECT_FALSE(loss_event(loss(1, 5, 9, 1, 2), "loki").data.contains("at_least"));
  least.last = least.lines = 0;
  EXPECT_THAT(loss_text(least), HasSubstr("web/web.1: an unknown number of lines (from 5 on,"));
  EXPECT_FALSE(loss_event(least, "loki").data.contains("last"));
  LossReport report;
  report.add(loss(1, 20, 29, 1, 2));
  report.add(least);
  const auto told = report.due(std::chrono::steady_clock::now());
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(told[0].is_least);
  EXPECT_EQ(told[0].lines, 10u);
}

TEST(LossReport, TellsLinesThatAreTornApart) {
  Loss torn = loss(1, 7, 8, 1, 2);
  torn.is_torn = true;
  EXPECT_THAT(loss_text(torn), HasSubstr("web/web.1: 2 lines (of 7 to 8, after 2026-11-24T09:00:01.000Z, before 2026-11-24T09:00:02.000Z) cannot be read"));
  EXPECT_TRUE(loss_event(torn, "loki").data.at("torn").as_bool());
  EXPECT_FALSE(loss_event(loss(1, 5, 9, 1, 2), "loki").data.contains("torn"));
  LossReport report;
  report.add(loss(1, 5, 6, 1, 2));
  report.add(torn);
  EXPECT_EQ(report.due(std::chrono::steady_clock::now()).size(), 2u);
}

TEST(Backoff, DoublesWithChanceAndHeedsWhatTheSinkAsks) {
  EXPECT_EQ(wait_before_retry(1, 0ms, 0.5), 500ms);
  EXPECT_EQ(wait_before_retry(1, 0ms, 0), 375ms);
  EXPECT_EQ(wait_before_retry(1, 0ms, 1), 625ms);
  EXPECT_EQ(wait_before_retry(3, 0ms, 0.5), 2000ms);
  EXPECT_EQ(wait_before_retry(7, 0ms, 0.5), 30'000ms);
  EXPECT_EQ(wait_before_retry(1'000'000, 0ms, 1), 37'500ms);
  EXPECT_EQ(wait_before_retry(1, 5s, 0.5), 5s);
  EXPECT_EQ(wait_before_retry(1, std::chrono::hours(9), 0.5), kLongestAsked);
}

}  // namespace
}  // namespace berth::ship
