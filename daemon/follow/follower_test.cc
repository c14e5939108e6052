#include "daemon/follow/follower.h"

#include <atomic>
#include <mutex>

#include <boost/json/serialize.hpp>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/api/fake_operations.h"
#include "daemon/follow/decision.h"

namespace berth::follow {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A node whose deployments are active at once, or in whatever state is set.
class Operations : public api::FakeOperations {
 public:
  std::vector<deploy::DeploymentStatus> history;  // newest first
  std::string next = "active";                    // what a deployment comes to

  awaitable<Result<deploy::AppStatus>> status(std::string) override {
    if (apps.empty()) co_return fail(Errc::not_found, "app web is not on this node");
    co_return apps.front();
  }
  awaitable<Result<std::vector<deploy::DeploymentStatus>>> deployments(store::DeploymentQuery) override { co_return history; }
  awaitable<Deployment> deploy(deploy::DeployRequest request) override {
    EXPECT_TRUE(request.yields) << "an operator's request is never superseded";
    calls.push_back(fmt::format("{}@{} by={} why={} force={}", request.app, request.release, request.asked.by, request.asked.why, request.force));
    deploy::DeploymentStatus made;
    made.row = {.id = static_cast<std::int64_t>(history.size()) + 1, .app = request.app, .release = request.release, .state = next, .by = request.asked.by,
                .ended_at = store::now_text()};
    made.exit = next == "active" ? 0 : 1;
    history.insert(history.begin(), made);
    if (next != "active") co_return made;
    apps.resize(1);
    apps[0].row.app = request.app;
    apps[0].row.active = request.release;
    co_return made;
  }
};

class FollowerTest : public testing::Test {
 protected:
  using Answer = Result<fetch::Wanted>;

  void make(std::vector<config::Follow> rules) {
    FollowerParts parts{loop, pool, operations, {}, [this](store::Event event) {
                          const std::lock_guard guard(mutex);
                          events.push_back(fmt::format("{} {} {}", event.kind, event.app, boost::json::serialize(event.data)));
                        }, [this](const std::string&) { return told; }};
    parts.source.poll = [this](fetch::Followed& followed, std::stop_token) {
      const std::lock_guard guard(mutex);
      kept.push_back(followed.stamp.bytes);
      followed.stamp.bytes = fmt::format("after poll {}", kept.size());
      return answer;
    };
    parts.source.remembered = [this](const fetch::Followed&) { return remembered; };
    follower = std::make_unique<Follower>(std::move(parts), std::move(rules), "production");
  }
  void follow_stable() { make({{.app = "web", .channel = "stable", .interval = 1h}}); }

  /// Polls once more, and waits for the end of it.
  awaitable<void> again() {
    const std::uint64_t before = follower->statuses()[0].polls;
    follower->wake("web");
    for (int i = 0; i < 2000 && follower->statuses()[0].polls == before; ++i) co_await io::sleep_for(5ms);
    EXPECT_EQ(follower->statuses()[0].polls, before + 1);
    // Its decision follows with what it has the pool do, and that has one thread: what comes after is done after.
    for (int i = 0; i < 3; ++i) {
      const auto nothing = [] { return true; };
      static_cast<void>(co_await pool.run(nothing));
    }
  }

  /// Runs the follower, with a test in a coroutine beside it.
  void run(std::function<awaitable<void>()> test) {
    follower->start();
    const auto all = [](FollowerTest* self, std::function<awaitable<void>()> body) -> awaitable<void> {
      co_await body();
      self->follower->stop();
      self->loop.stop();
    };
    loop.spawn("test", all(this, std::move(test)));
    loop.run();
  }

  Status status() const { return follower->statuses()[0]; }

  io::Loop loop;
  io::Pool pool{1};
  Operations operations;
  std::mutex mutex;
  Answer answer = fetch::Wanted{"v1", 1};
  Result<std::optional<fetch::Wanted>> remembered = std::optional<fetch::Wanted>();
  std::optional<store::Event> told;         ///< by the berthd before
  std::vector<std::string> events, kept;  ///< what was kept between two polls
  std::unique_ptr<Follower> follower;
};

TEST_F(FollowerTest, AFreshNodeConvergesAndThenRests) {
  follow_stable();
  run([this]() -> awaitable<void> {
    co_await again();
    EXPECT_THAT(operations.calls, ElementsAre("web@v1 by=follow why=channel stable, serial 1 force=false"));
    co_await again();
    EXPECT_THAT(operations.calls, testing::SizeIs(1)) << "it is there";
  });
  EXPECT_THAT(events, ElementsAre(R"(follow.wanted web {"by":"follow","channel":"stable","release":"v1","serial":1})"));
  EXPECT_EQ(status().wanted, "v1");
  EXPECT_EQ(status().serial, 1);
  EXPECT_EQ(status().last_success, status().last_poll);
  EXPECT_EQ(status().failing_since, "");
  EXPECT_EQ(status().note, "");
  EXPECT_THAT(kept, ElementsAre("", "after poll 1"));
}

TEST_F(FollowerTest, GoesWhereTheChannelMoves) {
  follow_stable();
  run([this]() -> awaitable<void> {
    co_await again();
    answer = fetch::Wanted{"v2", 2};
    co_await again();
  });
  EXPECT_THAT(operations.calls, ElementsAre(HasSubstr("web@v1"), "web@v2 by=follow why=channel stable, serial 2 force=false"));
  EXPECT_THAT(events[1], HasSubstr(R"("before":"v1")"));
}

TEST_F(FollowerTest, AReleaseIsFollowedByItself) {
  answer = fetch::Wanted{.release = "v7"};
  make({{.app = "web", .release = "v7", .interval = 1h}});
  run([this]() -> awaitable<void> {
    co_await again();
    co_await again();
  });
  EXPECT_THAT(operations.calls, ElementsAre("web@v7 by=follow why=release v7 force=false"));
  EXPECT_THAT(events, ElementsAre(R"(follow.wanted web {"by":"follow","release":"v7"})"));
}

TEST_F(FollowerTest, ARejectedReleaseIsPassedOverUntilTheChannelMoves) {
  operations.apps.resize(1);
  operations.apps[0].row = {.app = "web", .active = "v0"};
  operations.apps[0].rejected = {{"v1", "", "it died", ""}};
  follow_stable();
  run([this]() -> awaitable<void> {
    co_await again();
    co_await again();
    EXPECT_THAT(operations.calls, IsEmpty());
    EXPECT_THAT(status().note, HasSubstr("rejected here (it died)"));
    answer = fetch::Wanted{"v2", 2};
    co_await again();
    EXPECT_THAT(operations.calls, ElementsAre(HasSubstr("web@v2")));
  });
}

TEST_F(FollowerTest, AHeldAppGoesOnOnceItIsNoLongerHeld) {
  operations.apps.resize(1);
  operations.apps[0].row = {.app = "web", .active = "v0", .held = {.why = "reverted"}};
  operations.history.resize(1);
  operations.history[0].row = {.app = "web", .release = "v1", .state = "superseded", .decided = true};
  operations.history[0].exit = 8;
  follow_stable();
  run([this]() -> awaitable<void> {
    co_await again();
    EXPECT_THAT(operations.calls, IsEmpty());
    EXPECT_THAT(status().note, HasSubstr("held"));
    operations.apps[0].row.held = {};
    co_await again();
    EXPECT_THAT(operations.calls, testing::SizeIs(1));
  });
}

TEST_F(FollowerTest, WhatCannotBeAskedChangesNothingAndIsToldSinceWhen) {
  follow_stable();
  run([this]() -> awaitable<void> {
    co_await again();
    answer = fail(Errc::unreachable, "connection refused");
    co_await again();
    const std::string since = status().failing_since, success = status().last_success;
    EXPECT_EQ(since, status().last_poll);
    EXPECT_EQ(status().last_error, "connection refused");
    co_await again();
    EXPECT_EQ(status().failing_since, since);
    EXPECT_EQ(status().last_success, success);
    EXPECT_EQ(status().wanted, "v1");
    EXPECT_EQ(status().failures, 2U);
    answer = fetch::Wanted{"v1", 1};
    co_await again();
    EXPECT_EQ(status().failing_since + status().last_error, "");
  });
  EXPECT_THAT(operations.calls, testing::SizeIs(1));
  EXPECT_THAT(events, testing::SizeIs(1)) << "a network that is away is no event";
}

TEST_F(FollowerTest, WhatIsNotBelievedIsAnEventOnce) {
  answer = fail(Errc::trust, "channel stable of web/production is an old one");
  follow_stable();
  run([this]() -> awaitable<void> {
    co_await again();
    co_await again();
  });
  EXPECT_THAT(operations.calls, IsEmpty());
  EXPECT_THAT(events, ElementsAre(HasSubstr("follow.refused web")));
  EXPECT_THAT(events[0], HasSubstr("is an old one"));
}

TEST_F(FollowerTest, FailuresThatTakeTurnsAreToldOnceEachUntilAllIsWellAgain) {
  follow_stable();
  run([this]() -> awaitable<void> {
    const Answer one = fail(Errc::trust, "an old one"), other = fail(Errc::trust, "two things under one serial");
    for (int i = 0; i < 3; ++i) {
      answer = one;
      co_await again();
      answer = other;
      co_await again();
    }
    EXPECT_EQ(status().last_error, "two things under one serial");
    EXPECT_THAT(events, ElementsAre(HasSubstr("an old one"), HasSubstr("two things")));
    answer = fetch::Wanted{"v1", 1};
    co_await again();
    answer = one;
    co_await again();
    EXPECT_THAT(events, ElementsAre(HasSubstr("an old one"), HasSubstr("two things"), HasSubstr("follow.wanted"), HasSubstr("an old one")));
  });
}

TEST_F(FollowerTest, WhatABerthdThatDiedHadNotToldYetIsToldByTheNext) {
  remembered = std::optional<fetch::Wanted>({"v2", 2});
  answer = fetch::Wanted{"v2", 2};
  told = store::Event{.number = 1, .at = {}, .kind = "follow.wanted", .app = "web", .data = {{"channel", "stable"}, {"release", "v1"}, {"serial", 1}}};
  follow_stable();
  run([this]() -> awaitable<void> { co_await again(); });
  EXPECT_THAT(events, ElementsAre(HasSubstr(R"("release":"v2","serial":2,"before":"v1")")));
}

TEST_F(FollowerTest, WhatWasToldIsNotToldAgainAfterARestart) {
  remembered = std::optional<fetch::Wanted>({"v2", 2});
  answer = fetch::Wanted{"v2", 2};
  told = store::Event{.number = 1, .at = {}, .kind = "follow.wanted", .app = "web", .data = {{"channel", "stable"}, {"release", "v2"}, {"serial", 2}}};
  follow_stable();
  run([this]() -> awaitable<void> { co_await again(); });
  EXPECT_THAT(events, IsEmpty());
}

TEST_F(FollowerTest, WhatWasToldOfAnotherChannelIsNotThisOne) {
  remembered = std::optional<fetch::Wanted>({"v2", 2});
  answer = fetch::Wanted{"v2", 2};
  told = store::Event{.number = 1, .at = {}, .kind = "follow.wanted", .app = "web", .data = {{"channel", "stable"}, {"release", "v2"}, {"serial", 2}}};
  make({{.app = "web", .channel = "canary", .interval = 1h}});
  run([this]() -> awaitable<void> { co_await again(); });
  EXPECT_THAT(events, ElementsAre(HasSubstr("canary")));
}

TEST_F(FollowerTest, WhatWasKnownBeforeIsShownAndNotActedOn) {
  remembered = std::optional<fetch::Wanted>({"v5", 9});
  answer = fail(Errc::unreachable, "connection refused");
  follow_stable();
  run([this]() -> awaitable<void> { co_await again(); });
  EXPECT_EQ(status().wanted, "v5");
  EXPECT_EQ(status().serial, 9);
  EXPECT_THAT(operations.calls, IsEmpty());
}

TEST_F(FollowerTest, ADeploymentThatFailedIsNotTriedAgainAtOnce) {
  operations.next = "failed";
  follow_stable();
  run([this]() -> awaitable<void> {
    co_await again();
    co_await again();
  });
  EXPECT_THAT(operations.calls, testing::SizeIs(1));
  EXPECT_THAT(status().note, HasSubstr("the next is tried after"));
}

TEST_F(FollowerTest, EachAppIsPolledInItsTimeByItself) {
  make({{.app = "web", .channel = "stable", .interval = 1h}, {.app = "api", .channel = "stable", .interval = 20ms}});
  run([this]() -> awaitable<void> {
    co_await again();
    for (int i = 0; i < 2000 && follower->statuses()[1].polls < 5; ++i) co_await io::sleep_for(5ms);
  });
  EXPECT_GE(follower->statuses()[1].polls, 5U);
  EXPECT_EQ(follower->statuses()[0].polls, 1U);
}

TEST(WaitBeforePoll, IsNoLongerThanUntilAWindowOpensAndALittleMoreByChance) {
  const std::chrono::system_clock::time_point now{};
  EXPECT_EQ(wait_before_poll(1min, {}, now, 0.5), 60s);
  EXPECT_EQ(wait_before_poll(1h, now + 10min, now, 0), 10min);
  EXPECT_EQ(wait_before_poll(1h, now + 10min, now, 1), 15min) << "five minutes at most, so that the nodes of a fleet do not come at once";
  EXPECT_EQ(wait_before_poll(1min, now + 30s, now, 0.25), 45s);
  EXPECT_EQ(wait_before_poll(1min, now + 10min, now, 0.5), 60s);
  EXPECT_EQ(wait_before_poll(1min, now - 10min, now, 0.5), 60s);
}

TEST(Jittered, IsATenthMoreOrLess) {
  EXPECT_EQ(jittered(1000ms, 0), 900ms);
  EXPECT_EQ(jittered(1000ms, 0.5), 1000ms);
  EXPECT_EQ(jittered(1000ms, 1), 1100ms);
}

}  // namespace
}  // namespace berth::follow
