#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/io/on_loop.h"
#include "core/json/json.h"
#include "daemon/ship/kinds.h"
#include "daemon/ship/ship_fixture.h"
#include "daemon/ship/shipping.h"
#include "daemon/ship/sinks/push_server_fixture.h"

namespace berth::ship {
namespace {

using boost::asio::awaitable;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

/// The webhooks of a node, and their receiver.
class WebhooksTest : public ShipFixture {
 protected:
  ShippingParts webhook_parts() {
    ShippingParts shipping{.loop = loop, .looks = looks, .idle = idle, .logs = {}, .state = state, .node = "edge-1", .environment = "qa"};
    shipping.events = [this](std::int64_t from, int most) -> Result<std::vector<store::Event>> {
      const std::lock_guard lock(mutex);
      std::vector<store::Event> found;
      for (const auto& event : events)
        if (event.number >= from && static_cast<int>(found.size()) < most) found.push_back(event);
      return found;
    };
    shipping.last_event = [this] {
      const std::lock_guard lock(mutex);
      return static_cast<std::int64_t>(events.size());
    };
    shipping.tell = [this](store::Event event) { happen(std::move(event.kind), event.app); };
    shipping.cargo = Cargo::events;
    return shipping;
  }
  std::vector<config::Sink> said(const std::string& keys = {}) {
    const auto config = config::parse("environment = \"qa\"\n[[webhook]]\nname = \"chat\"\nevents = [\"*\"]\nurl = \"" + server.url() + "/\"\n" + keys, "berthd.toml", "edge-1");
    if (!config) ADD_FAILURE() << config.error().message;
    return config ? as_sinks(config->webhooks) : std::vector<config::Sink>();
  }
  void happen(std::string kind, const std::string& app = {}, json::object data = {}) {
    const std::lock_guard lock(mutex);
    events.push_back({.number = static_cast<std::int64_t>(events.size()) + 1, .at = store::now_text(), .kind = std::move(kind), .app = app, .data = std::move(data)});
  }
  /// Types of what the receiver was sent.
  std::vector<std::string> types() {
    std::vector<std::string> all;
    for (const Seen& seen : server.seen()) all.emplace_back(json::parse(seen.body)->as_object().at("type").as_string());
    return all;
  }
  std::vector<std::int64_t> numbers() {
    std::vector<std::int64_t> all;
    for (const Seen& seen : server.seen()) all.push_back(json::parse(seen.body)->as_object().at("number").as_int64());
    return all;
  }
  template <class Done>
  static awaitable<void> within_ten_seconds(Done done) {
    for (int i = 0; i < 2000 && !done(); ++i) co_await io::sleep_for(5ms);
    EXPECT_TRUE(done());
  }
  /// Begins, does it, and ends.
  void course(const std::vector<config::Sink>& sinks, const std::function<awaitable<void>(Shipping&)>& what) {
    Shipping webhooks(webhook_parts());
    const auto whole = [&]() -> awaitable<void> {
      webhooks.start(sinks, false);
      co_await what(webhooks);
      webhooks.stop();
      const bool ended = co_await webhooks.ended(10s);
      EXPECT_TRUE(ended);
    };
    io::on_loop(loop, whole());
  }
  awaitable<void> until_delivered(Shipping& webhooks, std::size_t count) {
    const auto there = [&] {
      webhooks.waker()();
      return server.seen().size() >= count && webhooks.statuses().at(0).state == "up to date";
    };
    co_await within_ten_seconds(there);
  }
  awaitable<void> until_begun() {
    const auto begun = [&] { return std::filesystem::exists(state / "webhooks" / "chat.cursors"); };
    co_await within_ten_seconds(begun);
  }

  std::mutex mutex;
  std::string answer = reply(200);
  PushServer server{[this](const Seen&) { return answer; }};
  io::Loop loop;
  io::Pool looks{1}, idle{1};
};

TEST_F(WebhooksTest, ANewOneBeginsNowAndGoesOnWhereItWas) {
  happen("operator.hold", "web");
  course(said(), [&](Shipping& webhooks) -> awaitable<void> {
    co_await until_begun();
    happen("operator.resume", "web");
    co_await until_delivered(webhooks, 1);
  });
  EXPECT_THAT(types(), ElementsAre("operator.resume"));
  happen("operator.stop", "web");  // while no berthd runs
  happen("operator.start", "web");
  course(said(), [&](Shipping& webhooks) -> awaitable<void> { co_await until_delivered(webhooks, 3); });
  EXPECT_THAT(types(), ElementsAre("operator.resume", "operator.stop", "operator.start"));
}

TEST_F(WebhooksTest, OneThatNeverGotAnythingIsOwedWhatCameSinceItBegan) {
  course(said(), [&](Shipping&) -> awaitable<void> { co_await until_begun(); });
  happen("operator.hold", "web");
  course(said(), [&](Shipping& webhooks) -> awaitable<void> { co_await until_delivered(webhooks, 1); });
  EXPECT_THAT(numbers(), ElementsAre(1));
}

TEST_F(WebhooksTest, GetsATestOfItsOwnAloneWhateverItWants) {
  const std::string keys = "events = [\"operator.hold\"]\napps = [\"web\"]\n";
  const auto choosy = config::parse("environment = \"qa\"\n[[webhook]]\nname = \"chat\"\nurl = \"" + server.url() + "/\"\n" + keys, "berthd.toml", "edge-1");
  for (const auto& sinks : {as_sinks(choosy->webhooks), said()}) {
    course(sinks, [&](Shipping&) -> awaitable<void> { co_await until_begun(); });
    happen(kWebhookTest, "", {{"webhook", "incidents"}});
    happen(kWebhookTest, "", {{"webhook", "chat"}});
    happen(kWebhookTest);
    happen("operator.hold", "web");
    const std::size_t more = server.seen().size() + 2;
    course(sinks, [&](Shipping& webhooks) -> awaitable<void> { co_await until_delivered(webhooks, more); });
  }
  EXPECT_THAT(numbers(), ElementsAre(2, 4, 6, 8));
}

TEST_F(WebhooksTest, GetsTheTypesAndAppsThatItWantsInOrder) {
  course(said("apps = [\"web\"]\n"), [&](Shipping&) -> awaitable<void> { co_await until_begun(); });
  for (int i = 0; i < 200; ++i) happen("operator.scale", "api");  // more than are looked at at once
  happen("deployment.state", "web", {{"state", "queued"}});
  happen("operator.hold", "web");
  happen("deployment.state", "api", {{"state", "failed"}});
  happen("deployment.state", "web", {{"state", "failed"}});
  happen("operator.node_drain");
  for (int i = 0; i < 200; ++i) happen("operator.scale", "web");
  happen("deployment.state", "web", {{"state", "active"}});
  const std::string keys = "events = [\"deployment.*\", \"operator.node_drain\"]\napps = [\"web\"]\n";
  const auto config = config::parse("environment = \"qa\"\n[[webhook]]\nname = \"chat\"\nurl = \"" + server.url() + "/\"\n" + keys, "berthd.toml", "edge-1");
  course(as_sinks(config->webhooks), [&](Shipping& webhooks) -> awaitable<void> { co_await until_delivered(webhooks, 4); });
  EXPECT_THAT(types(), ElementsAre("deployment.queued", "deployment.failed", "operator.node_drain", "deployment.active"));
}

TEST_F(WebhooksTest, WhatIsNotTakenComesAgainBeforeWhatFollows) {
  course(said(), [&](Shipping&) -> awaitable<void> { co_await until_begun(); });
  happen("operator.hold", "web");
  happen("operator.resume", "web");
  answer = reply(500);
  course(said(), [&](Shipping& webhooks) -> awaitable<void> {
    const auto tried = [&] { return webhooks.statuses().at(0).retries >= 1; };
    co_await within_ten_seconds(tried);
    EXPECT_EQ(webhooks.statuses().at(0).state, "failing");
    EXPECT_THAT(webhooks.statuses().at(0).last_error, HasSubstr("500"));
  });
  EXPECT_THAT(numbers(), testing::Each(1)) << "the first one holds up the next";
  const std::size_t before = server.seen().size();
  answer = reply(200);
  course(said(), [&](Shipping& webhooks) -> awaitable<void> {
    co_await until_delivered(webhooks, before + 2);
    EXPECT_EQ(webhooks.statuses().at(0).all().shipped, 2u);
  });
  EXPECT_EQ(numbers().at(before), 1);
  EXPECT_EQ(numbers().at(before + 1), 2);
  EXPECT_EQ(server.seen().at(0).headers.at("webhook-id"), server.seen().at(before).headers.at("webhook-id")) << "a double is known by it";
}

TEST_F(WebhooksTest, ADamagedCursorIsToldAndAllThatIsKeptComesAgain) {
  happen("operator.hold", "web");
  std::filesystem::create_directories(state / "webhooks");
  ASSERT_TRUE(files::replace(state / "webhooks" / "chat.cursors", "nonsense"));
  course(said(), [&](Shipping& webhooks) -> awaitable<void> {
    co_await until_delivered(webhooks, 2);
    EXPECT_EQ(webhooks.statuses().at(0).resets, 1u);
  });
  EXPECT_THAT(types(), ElementsAre("operator.hold", "webhook.cursor_damaged"));
}

TEST_F(WebhooksTest, AWrongChangeChangesNothing) {
  course(said(), [&](Shipping& webhooks) -> awaitable<void> {
    co_await until_begun();
    const auto refused = webhooks.change(said("secret = \"file:/nonexistent\"\n"), false);
    EXPECT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("[[webhook]] chat: secret: "));
    happen("operator.hold", "web");
    co_await until_delivered(webhooks, 1);
    const auto gone = webhooks.change({}, false);
    EXPECT_TRUE(gone);
    EXPECT_THAT(webhooks.statuses(), IsEmpty());
  });
}

TEST_F(WebhooksTest, LogsAreNotLookedAt) {
  write("web/web.1", 1, numbered(1, 3));
  course(said(), [&](Shipping& webhooks) -> awaitable<void> {
    co_await until_begun();
    happen("operator.hold", "web");
    co_await until_delivered(webhooks, 1);
    EXPECT_EQ(webhooks.statuses().at(0).all().lost, 0u);
  });
  EXPECT_THAT(types(), ElementsAre("operator.hold"));
}

}  // namespace
}  // namespace berth::ship
