#include "daemon/ship/shipper.h"

#include <sstream>

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "core/io/on_loop.h"
#include "daemon/ship/ship_fixture.h"

namespace berth::ship {
namespace {

using boost::asio::awaitable;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

/// Does with batches what a test says, in turn; takes what comes afterwards.
class FakeSink final : public Sink {
 public:
  struct Seen {
    std::vector<std::vector<std::string>> sent;
    std::deque<Delivery> answers;
    std::chrono::milliseconds takes{0};
    bool is_sending = false;
  };
  explicit FakeSink(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {}

  const std::string& name() const override { return name_; }
  BatchLimits limits() const override { return {.entries = 3}; }
  awaitable<Delivery> send(std::span<const Entry> batch) override {
    std::vector<std::string> texts;
    for (const Entry& entry : batch) texts.push_back(entry.text);
    const auto seen = seen_;  // it may be gone before it has sent
    seen->sent.push_back(std::move(texts));
    seen->is_sending = true;
    if (seen->takes > 0ms) co_await io::sleep_for(seen->takes);
    seen->is_sending = false;
    Delivery delivery;
    if (!seen->answers.empty()) {
      delivery = seen->answers.front();
      seen->answers.pop_front();
    }
    co_return delivery;
  }

 private:
  std::string name_ = "fake";
  std::shared_ptr<Seen> seen_;
};

class ShipperTest : public ShipFixture {
 protected:
  ShipperParts shipper_parts(bool required = true) {
    return {.loop = loop,
            .make_sink = [this]() -> Result<std::unique_ptr<Sink>> {
              if (refusals_to_make > 0) {
                --refusals_to_make;
                return fail(Errc::usage, "ca_file: it is not there");
              }
              return std::make_unique<FakeSink>(seen);
            },
            .gatherer = parts(),
            .tell = [this](store::Event event) {
              const std::lock_guard lock(mutex);
              told.push_back(std::move(event));
            },
            .name = "agent",
            .kind = "fake",
            .required = required,
            .batch_wait = 5ms,
            .wait_before_retry = [this](int failures, std::chrono::milliseconds asked, double) {
              waits.emplace_back(failures, asked);
              return pause;
            }};
  }

  /// Runs until `done`, or for ten seconds; then ends the shipper.
  void run(Shipper& shipper, std::function<bool()> done) {
    shipper.start();
    shipper.news(std::make_shared<Scan>(scan()));
    io::on_loop(loop, until(shipper, std::move(done)));
  }
  awaitable<void> until(Shipper& shipper, std::function<bool()> done) {
    for (int i = 0; i < 2000 && !done(); ++i) co_await io::sleep_for(5ms);
    EXPECT_TRUE(done());
    shipper.stop();
    const bool ended = co_await shipper.ended(10s);
    EXPECT_TRUE(ended);
  }
  std::vector<std::string> kinds_told() {
    std::vector<std::string> kinds;
    for (const auto& event : told) kinds.push_back(event.kind);
    return kinds;
  }
  std::function<bool()> taken(Shipper& shipper, std::uint64_t batches) {
    return [&shipper, batches] { return shipper.status().batches >= batches && shipper.status().state == "up to date"; };
  }

  io::Loop loop;
  std::shared_ptr<FakeSink::Seen> seen = std::make_shared<FakeSink::Seen>();
  int refusals_to_make = 0;
  std::mutex mutex;
  std::vector<store::Event> told;
  std::vector<std::pair<int, std::chrono::milliseconds>> waits;
  std::chrono::milliseconds pause{2};  ///< after a failure
};

TEST_F(ShipperTest, IsTriedNowWhereSomebodyWantsThat) {
  write("web/web.1", 1, numbered(1, 2));
  pause = 10min;
  refusals_to_make = 1;
  seen->answers = {{.kind = Delivery::Kind::later, .refused = 0, .wait = 1h, .reason = "503"}};
  Shipper shipper(shipper_parts());
  shipper.try_now();  // before there is anything to wait for
  std::vector<std::size_t> asked;  // how often it had been sent
  run(shipper, [&] {
    if (waits.size() > asked.size()) {
      asked.push_back(seen->sent.size());
      shipper.try_now();
    }
    return shipper.status().batches == 1;
  });
  EXPECT_THAT(asked, ElementsAre(0u, 1u)) << "once it could not be made, and once it took nothing";
  EXPECT_EQ(seen->sent.size(), 2u);
}

/// As at a start in an outage: an alert sees what is lost only where it was 0 before.
TEST_F(ShipperTest, CountsNoneOfEachAppThatItGetsBeforeTheSinkTookAnything) {
  write("web/web.1", 1, numbered(1, 7));
  write("api/web.1", 1, numbered(1, 7));
  write("db/web.1", 1, numbered(1, 7));
  refusals_to_make = 1000;
  auto its_parts = shipper_parts();
  its_parts.gatherer.wanted = {.apps = {"web", "api"}, .events = true};
  Shipper shipper(std::move(its_parts));
  run(shipper, [&] { return shipper.status().state == "failing"; });
  const std::map<std::string, ShippedCounts> none{{"", {}}, {"api", {}}, {"web", {}}};
  EXPECT_EQ(shipper.status().apps, none);
  std::filesystem::remove_all(logs_root / "api");
  shipper.news(std::make_shared<Scan>(scan()));
  EXPECT_FALSE(shipper.status().apps.contains("api")) << "its log is gone";
}

TEST_F(ShipperTest, SendsBatchAfterBatchAndSaysHowFarItIs) {
  write("web/web.1", 1, numbered(1, 7));
  {
    Shipper shipper(shipper_parts());
    run(shipper, taken(shipper, 3));
    EXPECT_EQ(shipper.status().apps.at("web").shipped, 7u);
    EXPECT_EQ(shipper.status().retries, 0u);
    EXPECT_FALSE(shipper.status().last_success.empty());
  }
  EXPECT_THAT(seen->sent, ElementsAre(ElementsAre("line 1", "line 2", "line 3"), ElementsAre("line 4", "line 5", "line 6"), ElementsAre("line 7")));
  write("web/web.1", 1, numbered(8, 8));
  Shipper again(shipper_parts());
  run(again, taken(again, 1));
  EXPECT_THAT(seen->sent.back(), ElementsAre("line 8"));
  EXPECT_EQ(seen->sent.size(), 4u);
}

TEST_F(ShipperTest, SendsTheSameBatchUntilItIsTaken) {
  write("web/web.1", 1, numbered(1, 2));
  seen->answers = {{.kind = Delivery::Kind::later, .reason = "503"}, {.kind = Delivery::Kind::later, .wait = 9s, .reason = "429"}, {.kind = Delivery::Kind::later, .reason = "429"}};
  Shipper shipper(shipper_parts());
  run(shipper, taken(shipper, 1));
  EXPECT_EQ(seen->sent.size(), 4u);
  for (const auto& batch : seen->sent) EXPECT_THAT(batch, ElementsAre("line 1", "line 2"));
  EXPECT_THAT(waits, ElementsAre(std::pair(1, 0ms), std::pair(2, std::chrono::milliseconds(9s)), std::pair(3, 0ms)));
  EXPECT_EQ(shipper.status().retries, 3u);
  EXPECT_TRUE(shipper.status().failing_since.empty());
}

TEST_F(ShipperTest, ShowsASinkThatFailsAndHowFarItIsBehind) {
  write("web/web.1", 1, numbered(1, 2));
  seen->answers.assign(1'000'000, {.kind = Delivery::Kind::later, .reason = "connection refused"});
  Shipper shipper(shipper_parts());
  run(shipper, [&] { return seen->sent.size() > 3; });
  const SinkStatus status = shipper.status();
  EXPECT_EQ(status.state, "failing");
  EXPECT_EQ(status.last_error, "connection refused");
  EXPECT_FALSE(status.failing_since.empty());
  EXPECT_GT(status.lag_seconds, 1);
  seen->answers.clear();
  seen->sent.clear();
  Shipper again(shipper_parts());
  run(again, taken(again, 1));
  EXPECT_THAT(seen->sent, ElementsAre(ElementsAre("line 1", "line 2"))) << "nothing was said to be delivered";
}

TEST_F(ShipperTest, CountsWhatIsRefusedForGoodAndGoesOn) {
  write("web/web.1", 1, numbered(1, 5));
  seen->answers = {{.kind = Delivery::Kind::taken, .refused = 2, .reason = "too old"}};
  Shipper shipper(shipper_parts());
  run(shipper, taken(shipper, 2));
  EXPECT_EQ(shipper.status().apps.at("web").refused, 2u);
  EXPECT_EQ(shipper.status().apps.at("web").shipped, 3u);
  EXPECT_THAT(shipper.status().last_error, HasSubstr("2 entries were refused: too old")) << "also when the next batch was taken";
  EXPECT_EQ(shipper.status().refused_why, "too old");
  EXPECT_NE(shipper.status().refused_at, "");
}

TEST_F(ShipperTest, ASinkThatRefusesBatchAfterBatchFailsUntilItTakesSomething) {
  write("web/web.1", 1, numbered(1, 10));
  const Delivery refused{.kind = Delivery::Kind::taken, .refused = 3, .reason = "400 wrong schema"};
  seen->answers = {refused, refused, refused};
  Shipper shipper(shipper_parts());
  seen->takes = 100ms;  // so that it is seen in between
  SinkStatus after_one, after_three;
  run(shipper, [&] {
    const SinkStatus now = shipper.status();
    if (now.batches == 1) after_one = now;
    if (now.batches == 3) after_three = now;
    return now.batches == 4 && now.state == "up to date";
  });
  EXPECT_EQ(after_one.state, "shipping") << "it may have been one line";
  EXPECT_EQ(after_three.state, "failing");
  EXPECT_THAT(after_three.last_error, HasSubstr("refuses all entries for good: 400 wrong schema"));
  EXPECT_EQ(after_three.last_success, "");
  EXPECT_EQ(shipper.status().apps.at("web").refused, 9u);
  EXPECT_EQ(shipper.status().failing_since + shipper.status().last_error, "");
  EXPECT_NE(shipper.status().last_success, "");
}

TEST_F(ShipperTest, ABatchOfOneLineThatIsRefusedIsNoFailureYet) {
  write("web/web.1", 1, numbered(1, 1));
  seen->answers = {{.kind = Delivery::Kind::taken, .refused = 1, .reason = "too long"}};
  Shipper shipper(shipper_parts());
  run(shipper, taken(shipper, 1));
  EXPECT_EQ(shipper.status().failing_since, "");
  EXPECT_THAT(shipper.status().last_error, HasSubstr("too long"));
}

TEST_F(ShipperTest, WhatIsRefusedWithoutAskingDoesNotTellThatTheSinkTakesAgain) {
  write("web/web.1", 1, numbered(1, 7));
  Delivery unasked{.kind = Delivery::Kind::taken, .refused = 3, .reason = "too old"};
  unasked.untried = true;
  seen->answers.assign(1'000'000, {.kind = Delivery::Kind::later, .reason = "connection refused"});
  seen->answers[1] = unasked;
  Shipper shipper(shipper_parts());
  run(shipper, [&] { return seen->sent.size() > 3; });
  EXPECT_EQ(shipper.status().apps.at("web").refused, 3u);
  EXPECT_EQ(shipper.status().state, "failing");
  EXPECT_EQ(shipper.status().last_error, "connection refused");
  EXPECT_EQ(shipper.status().last_success, "");
}

TEST_F(ShipperTest, WhatHasNothingLeftToTakeDoesNotFail) {
  write("web/web.1", 1, numbered(1, 3));
  Delivery unasked{.kind = Delivery::Kind::taken, .refused = 3, .reason = "too old"};
  unasked.untried = true;
  seen->answers = {{.kind = Delivery::Kind::later, .reason = "connection refused"}, unasked};
  Shipper shipper(shipper_parts());
  run(shipper, [&] { return shipper.status().apps["web"].refused == 3 && shipper.status().lag_seconds == 0; });
  EXPECT_EQ(shipper.status().state, "up to date");
  EXPECT_EQ(shipper.status().failing_since, "");
  EXPECT_EQ(shipper.status().last_error, "connection refused") << "why they were given up";
}

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

TEST_F(ShipperTest, ASinkThatCannotBeMadeIsMadeLater) {
  write("web/web.1", 1, numbered(1, 1));
  refusals_to_make = 3;
  Shipper shipper(shipper_parts());
  run(shipper, taken(shipper, 1));
  EXPECT_THAT(seen->sent, ElementsAre(ElementsAre("line 1")));
  EXPECT_EQ(waits.size(), 3u);
}

TEST_F(ShipperTest, GathersTheNextBatchWhileOneIsUnderWay) {
  write("web/web.1", 1, numbered(1, 7));
  seen->takes = 100ms;
  seen->answers = {{}, {.kind = Delivery::Kind::later, .reason = "503"}};
  Shipper shipper(shipper_parts());
  run(shipper, taken(shipper, 3));
  EXPECT_THAT(seen->sent, ElementsAre(ElementsAre("line 1", "line 2", "line 3"), ElementsAre("line 4", "line 5", "line 6"), ElementsAre("line 4", "line 5", "line 6"),
                                      ElementsAre("line 7")));
  EXPECT_EQ(shipper.status().apps.at("web").shipped, 7u);
}

TEST_F(ShipperTest, TellsWhenALongBacklogIsDeliveredAndOfAShortOneNothing) {
  write("web/web.1", 1, numbered(1, 3 * kBacklog));
  int told_of = 0;
  auto its_parts = shipper_parts();
  its_parts.caught_up = [&] { ++told_of; };
  {
    Shipper shipper(its_parts);
    run(shipper, [&] { return told_of > 0; });
    EXPECT_EQ(shipper.status().batches, static_cast<std::uint64_t>(kBacklog));
  }
  write("web/web.1", 1, numbered(3 * kBacklog + 1, 3 * kBacklog + 9));
  Shipper again(its_parts);
  run(again, taken(again, 3));
  EXPECT_EQ(told_of, 1);
}

TEST_F(ShipperTest, SinksThatAreBehindShareTheMemoryForBatches) {
  limits = {.entries = 100, .bytes = 1u << 20};
  write("web/web.1", 1, numbered(1, 40));
  auto its_parts = shipper_parts();
  const std::size_t a_line = Entry{.text = "line 10", .origin = {}}.memory();
  its_parts.budget = std::make_shared<BatchBudget>(BudgetLimits{.total = 8 * a_line, .least = 2 * a_line});
  BatchBudget::Part other(its_parts.budget);
  other.hold(8 * a_line);
  Shipper shipper(std::move(its_parts));
  run(shipper, taken(shipper, 20));
  EXPECT_EQ(seen->sent.size(), 20u);
  for (const auto& batch : seen->sent) EXPECT_EQ(batch.size(), 2u);
}

TEST_F(ShipperTest, ABatchThatWasOnlyGatheredComesAfterARestart) {
  write("web/web.1", 1, numbered(1, 7));
  seen->takes = 100ms;
  {
    Shipper shipper(shipper_parts());
    run(shipper, [&] { return seen->is_sending; });
    EXPECT_EQ(shipper.status().apps.at("web").shipped, 3u);
  }
  seen->takes = 0ms;
  Shipper again(shipper_parts());
  run(again, taken(again, 2));
  ASSERT_EQ(seen->sent.size(), 3u);
  EXPECT_THAT(seen->sent[1], ElementsAre("line 4", "line 5", "line 6"));
  EXPECT_THAT(seen->sent[2], ElementsAre("line 7"));
}

TEST_F(ShipperTest, AStopLetsTheBatchThatIsUnderWayEnd) {
  write("web/web.1", 1, numbered(1, 2));
  seen->takes = 100ms;
  {
    Shipper shipper(shipper_parts());
    run(shipper, [&] { return seen->is_sending; });
    EXPECT_EQ(shipper.status().batches, 1u);
  }
  Shipper again(shipper_parts());
  run(again, [] { return true; });
  EXPECT_EQ(seen->sent.size(), 1u) << "and it does not come twice";
}

TEST_F(ShipperTest, OneThatIsDestroyedWhileItSendsLeavesNothingRunning) {
  write("web/web.1", 1, numbered(1, 7));
  seen->takes = 10s;
  auto shipper = std::make_unique<Shipper>(shipper_parts());
  shipper->start();
  shipper->news(std::make_shared<Scan>(scan()));
  const auto wait = [this]() -> awaitable<void> {
    for (int i = 0; i < 2000 && !seen->is_sending; ++i) co_await io::sleep_for(5ms);
  };
  io::on_loop(loop, wait());
  EXPECT_TRUE(seen->is_sending);
  shipper.reset();
}

TEST_F(ShipperTest, OneThatIsDestroyedWhileItSendsMayEndLater) {
  write("web/web.1", 1, numbered(1, 7));
  seen->takes = 200ms;
  auto shipper = std::make_unique<Shipper>(shipper_parts());
  shipper->start();
  shipper->news(std::make_shared<Scan>(scan()));
  const auto wait = [this](bool is_sending) -> awaitable<void> {
    for (int i = 0; i < 2000 && seen->is_sending != is_sending; ++i) co_await io::sleep_for(5ms);
    co_await io::sleep_for(20ms);
  };
  io::on_loop(loop, wait(true));
  shipper.reset();
  io::on_loop(loop, wait(false));
  EXPECT_FALSE(seen->is_sending);
  EXPECT_FALSE(CursorFile(state, "agent").load().value().has_value()) << "it has no thread any more to say how far it is";
}

TEST_F(ShipperTest, KnowsHowFarBerthdsOwnLogIs) {
  wanted.daemon = true;
  daemon_log->add({}, Severity::info, "one");
  seen->answers = {{.kind = Delivery::Kind::later, .reason = "503"}};
  Shipper shipper(shipper_parts());
  EXPECT_EQ(shipper.daemon_line(), 0u);
  run(shipper, taken(shipper, 1));
  EXPECT_EQ(shipper.daemon_line(), 1u);
}

}  // namespace
}  // namespace berth::ship
