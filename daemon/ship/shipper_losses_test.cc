#include "daemon/ship/shipper_fixture.h"

#include <sstream>

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

namespace berth::ship {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ShipperTest, ADamagedCursorIsToldOnceAndAllComesAgain) {
  write("web/web.1", 1, numbered(1, 2));
  std::ofstream(state / "agent.cursors") << "nonsense";
  {
    Shipper shipper(shipper_parts());
    run(shipper, taken(shipper, 1));
    EXPECT_EQ(shipper.status().resets, 1u);
  }
  EXPECT_THAT(kinds_told(), ElementsAre("logs.cursor_damaged"));
  Shipper again(shipper_parts());
  run(again, [] { return true; });
  EXPECT_EQ(again.status().resets, 0u);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(ShipperTest, WhatIsLostIsAnEventOfARequiredSinkAlone) {
  write("web/web.1", 1, numbered(1, 1));
  {
    Shipper shipper(shipper_parts());
    run(shipper, taken(shipper, 1));
  }
  write("web/web.1", 5, numbered(5, 5));
  prune("web/web.1", 1);
  const auto cursor = CursorFile(state, "agent").load().value().value();
  for (const bool required : {true, false}) {
    ASSERT_TRUE(CursorFile(state, "agent").store(cursor));
    told.clear();
    Shipper shipper(shipper_parts(required));
    run(shipper, taken(shipper, 1));
    EXPECT_EQ(shipper.status().apps.at("web").lost, 3u);
    EXPECT_EQ(told.size(), required ? 1u : 0u);
    for (const auto& event : told) EXPECT_EQ(event.data.at("lines").to_number<int>(), 3);
  }
}

/// The keeper removes what its budget has no room for, while the sink is away: that is told at once, and once.
TEST_F(ShipperTest, WhatIsLostWhileTheSinkIsAwayIsToldThenAndOnlyOnce) {
  write("web/web.1", 1, numbered(1, 4));
  write("web/web.1", 5, numbered(5, 6));
  write("web/web.1", 7, numbered(7, 9));
  write("web/web.1", 10, numbered(10, 11));
  write("web/web.1", 12, numbered(12, 12));
  const auto go_away = [this] {
    seen->sent.clear();
    seen->answers.assign(1'000'000, {.kind = Delivery::Kind::later, .reason = "connection refused"});
  };
  go_away();
  seen->answers.front() = {};
  {
    Shipper shipper(shipper_parts());
    bool is_pruned = false;
    run(shipper, [&] {
      // Lines 4 to 6 are under way by then, and those up to 9 are in memory.
      if (seen->sent.size() > 20 && !std::exchange(is_pruned, true)) {
        for (const int first : {1, 5, 7, 10}) prune("web/web.1", static_cast<std::uint64_t>(first));
        write("web/web.1", 12, numbered(13, 13));
        shipper.news(std::make_shared<Scan>(scan()));
      }
      return shipper.status().apps["web"].lost > 0;
    });
    EXPECT_EQ(shipper.status().state, "failing");
    EXPECT_EQ(shipper.status().apps["web"].lost, 2u);
  }
  ASSERT_THAT(kinds_told(), ElementsAre("logs.lost"));
  EXPECT_EQ(told[0].data.at("first").to_number<int>(), 10);
  EXPECT_EQ(told[0].data.at("last").to_number<int>(), 11);
  for (const std::uint64_t lost : {6, 0, 0}) {
    go_away();
    Shipper again(shipper_parts());
    run(again, [&] { return seen->sent.size() > 3; });
    EXPECT_EQ(again.status().apps["web"].lost, lost) << "first what had been in memory alone, and then nothing again";
  }
  ASSERT_THAT(kinds_told(), ElementsAre("logs.lost", "logs.lost"));
  EXPECT_EQ(told[1].data.at("first").to_number<int>(), 4);
  EXPECT_EQ(told[1].data.at("lines").to_number<int>(), 6);
  seen->answers.clear();
  seen->sent.clear();
  Shipper last(shipper_parts());
  run(last, taken(last, 1));
  EXPECT_EQ(told.size(), 2u);
  EXPECT_THAT(seen->sent.at(0), ElementsAre(HasSubstr("lines 4 to 11 are missing here"), "line 12", "line 13")) << "in its place it is said as a whole";
}

TEST_F(ShipperTest, ASinkThatCannotBeMadeIsBehindAndLosesLinesToo) {
  write("web/web.1", 1, numbered(1, 4));
  { Shipper shipper(shipper_parts()); run(shipper, taken(shipper, 1)); }
  write("web/web.1", 5, numbered(5, 6));
  write("web/web.1", 7, numbered(7, 7));
  prune("web/web.1", 1);
  prune("web/web.1", 5);
  refusals_to_make = 1'000'000;
  Shipper again(shipper_parts());
  run(again, [&] { return again.status().apps.contains("web") && again.status().apps.at("web").lost == 2; });
  EXPECT_EQ(again.status().state, "failing");
  EXPECT_GT(again.status().lag_seconds, 0);
  EXPECT_THAT(kinds_told(), ElementsAre("logs.lost"));
}

TEST_F(ShipperTest, ShowsThatALogCannotBeReadAndSaysSoWhenThatChanges) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  const auto times = [&](const std::string& text) {
    int count = 0;
    for (std::size_t at = 0; (at = log.str().find(text, at)) != std::string::npos; ++at) ++count;
    return count;
  };
  write("web/web.1", 1, numbered(1, 1));
  write("web/web.2", 1, numbered(2, 2));
  const auto path = logs_root / "web/web.1" / segment_name(1);
  std::filesystem::rename(path, root / "kept");
  std::filesystem::create_symlink(root / "kept", path);
  Shipper shipper(shipper_parts());
  SinkStatus status;
  const auto begun = std::chrono::steady_clock::now();
  run(shipper, [&] {
    if (std::chrono::steady_clock::now() - begun < 1200ms) return false;  // it has been tried more than once
    if (status.state.empty()) {
      status = shipper.status();
      std::filesystem::rename(root / "kept", path);
    }
    return shipper.status().state == "up to date" && seen->sent.size() == 2;
  });
  spdlog::set_default_logger(before);
  EXPECT_EQ(status.state, "unreadable");
  EXPECT_THAT(status.last_error, HasSubstr("the log of web/web.1 cannot be read: log segment " + path.string()));
  EXPECT_GT(status.lag_seconds, 0.5);
  EXPECT_FALSE(status.failing_since.empty());
  EXPECT_THAT(seen->sent, ElementsAre(ElementsAre("line 2"), ElementsAre("line 1")));
  EXPECT_EQ(shipper.status().failing_since + shipper.status().last_error, "");
  EXPECT_EQ(times("cannot be read, and waits"), 1);
  EXPECT_EQ(times("can be read again"), 1);
}

TEST_F(ShipperTest, OfAnAppWhoseLogsAreRemovedTheLossIsAnEventAndCounted) {
  write("web/web.1", 1, numbered(1, 9));
  write("web/web.1", 10, numbered(10, 12));
  seen->takes = 100ms;
  Shipper shipper(shipper_parts());
  bool removed = false;
  run(shipper, [&] {
    if (seen->is_sending && !removed) {
      std::filesystem::remove_all(logs_root / "web");
      shipper.news(std::make_shared<Scan>(scan()));
      removed = true;
    }
    return removed && shipper.status().apps.contains("web") && shipper.status().apps.at("web").lost > 0;
  });
  EXPECT_THAT(kinds_told(), ElementsAre("logs.lost"));
  // Whether the next batch was read already is up to the threads.
  const int first = told.at(0).data.at("first").to_number<int>();
  EXPECT_THAT(first, testing::AnyOf(4, 7));
  EXPECT_EQ(told.at(0).data.at("lines").to_number<int>(), 10 - first);
  EXPECT_TRUE(told.at(0).data.at("at_least").as_bool());
}

}  // namespace
}  // namespace berth::ship
