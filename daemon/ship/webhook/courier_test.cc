#include "daemon/ship/webhook/courier.h"

#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "daemon/ship/event_entry.h"
#include "daemon/ship/sinks/push_server_fixture.h"
#include "daemon/ship/webhook/signature.h"

namespace berth::ship {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Kind = Delivery::Kind;

class WebhookCourierTest : public testing::Test {
 protected:
  void SetUp() override {
    webhook = {.name = "chat", .url = server.url() + "/hooks/T0001/a-hidden-place", .proxy = "", .said = {}};
    webhook.secret = "file:" + secret_file;
    ASSERT_TRUE(files::replace(secret_file, "whsec_aGlkZGVuIGtleQ==\n"));
  }

  static std::vector<Entry> event(std::int64_t number, std::chrono::milliseconds age = 0ms) {
    const auto at = std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now() - age);
    return {entry_of({.number = number, .at = logs::format_rfc3339(at, 6), .kind = "operator.hold", .app = "web", .data = {}}, {.node = "edge-1", .environment = "qa", .labels = {}})};
  }
  Delivery deliver(std::int64_t number, std::chrono::milliseconds age = 0ms) {
    if (!courier) {
      auto made = make_webhook_courier(webhook, {});
      EXPECT_TRUE(made) << made.error().message;
      courier = std::move(*made);
    }
    return courier->deliver(event(number, age), {});
  }

  const files::TemporaryDirectory folder;
  const std::string secret_file = folder.path() / "secret";
  void say(std::string answer) {
    const std::lock_guard guard(mutex);
    said = std::move(answer);
  }

  std::mutex mutex;  ///< of what the server, which has a thread of its own, says
  std::string said = reply(200, "ok");
  PushServer server{[this](const Seen&) {
    const std::lock_guard guard(mutex);
    return said;
  }};
  config::Webhook webhook;
  std::unique_ptr<Courier> courier;
};

TEST_F(WebhookCourierTest, SignsWhatItSends) {
  const auto before = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_EQ(deliver(1).kind, Kind::taken);
  ASSERT_TRUE(files::replace(secret_file, "another one"));
  EXPECT_EQ(deliver(2).kind, Kind::taken);
  const auto seen = server.seen();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].method + " " + seen[0].target, "POST /hooks/T0001/a-hidden-place");
  EXPECT_EQ(seen[0].headers.at("content-type"), "application/json");
  EXPECT_EQ(seen[1].connection, 1) << "the connection is kept";
  const char* keys[] = {"hidden key", "another one"};  // a secret is read for each request
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& headers = seen[i].headers;
    const std::int64_t timestamp = std::stoll(headers.at("webhook-timestamp"));
    EXPECT_GE(timestamp, before);
    EXPECT_LE(timestamp, before + 60);
    EXPECT_EQ(headers.at("webhook-signature"), webhook_signature(crypto::Secret(keys[i]), headers.at("webhook-id"), timestamp, seen[i].body));
  }
  EXPECT_NE(seen[0].headers.at("webhook-id"), seen[1].headers.at("webhook-id"));
}

TEST_F(WebhookCourierTest, WithoutASecretNothingIsSigned) {
  webhook.secret.clear();
  EXPECT_EQ(deliver(1).kind, Kind::taken);
  EXPECT_FALSE(server.seen().at(0).headers.contains("webhook-signature"));
  EXPECT_TRUE(server.seen().at(0).headers.contains("webhook-id"));
}

TEST_F(WebhookCourierTest, TroubleOfTheReceiverIsForLaterForAsLongAsItTakes) {
  for (const int status : {401, 403, 404, 405, 408, 429, 500, 502, 503, 504}) {
    say(reply(status, "no"));
    for (int i = 0; i < 2 * kMostTries; ++i) EXPECT_EQ(deliver(1).kind, Kind::later) << status;
  }
  say(reply(429, "", "Retry-After: 7\r\n"));
  EXPECT_EQ(deliver(1).wait, 7s);
  say("");
  EXPECT_EQ(deliver(1).kind, Kind::later) << "it closes the connection";
  say("this is no HTTP\r\n\r\n");
  EXPECT_EQ(deliver(1).kind, Kind::later);
  say(reply(200, std::string(20u << 20, ' ')));
  EXPECT_EQ(deliver(1).kind, Kind::later) << "its answer has no end";
  say(reply(202));
  EXPECT_EQ(deliver(1).kind, Kind::taken);
}

TEST_F(WebhookCourierTest, RedirectsAreNotFollowed) {
  say(reply(302, "", "Location: " + server.url() + "/elsewhere\r\n"));
  const Delivery delivery = deliver(1);
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_THAT(delivery.reason, HasSubstr("redirects are not followed"));
  EXPECT_EQ(server.seen().size(), 1u);
}

TEST_F(WebhookCourierTest, AnEventThatIsRefusedForWhatItIsIsGivenUpAfterSomeTries) {
  for (const int status : {400, 413, 422}) {
    say(reply(500));
    EXPECT_EQ(deliver(status).kind, Kind::later) << "which counts for nothing";
    say(reply(status, "invalid_payload"));
    for (int i = 1; i < kMostTries; ++i) EXPECT_EQ(deliver(status).kind, Kind::later) << status;
    const Delivery last = deliver(status);
    EXPECT_EQ(last.kind, Kind::taken);
    EXPECT_EQ(last.refused, 1u);
    EXPECT_FALSE(last.untried);
    EXPECT_THAT(last.reason, HasSubstr("invalid_payload"));
    EXPECT_EQ(deliver(status + 1000).kind, Kind::later) << "the next one is tried as often";
  }
}

TEST_F(WebhookCourierTest, WhoIsGoneIsAskedOnceForEachEvent) {
  say(reply(410, "channel_is_archived"));
  const Delivery delivery = deliver(1);
  EXPECT_EQ(delivery.kind, Kind::taken);
  EXPECT_EQ(delivery.refused, 1u);
  EXPECT_THAT(delivery.reason, HasSubstr("410 Gone: channel_is_archived"));
  say(reply(200));
  EXPECT_EQ(deliver(2).refused, 0u);
}

TEST_F(WebhookCourierTest, WhatIsOlderThanItIsKeptIsGivenUpUnasked) {
  webhook.keep = 1h;
  const Delivery old = deliver(1, 61min);
  EXPECT_EQ(old.kind, Kind::taken);
  EXPECT_EQ(old.refused, 1u);
  EXPECT_TRUE(old.untried);
  EXPECT_TRUE(server.seen().empty());
  EXPECT_EQ(deliver(2, 59min).refused, 0u);
  EXPECT_EQ(server.seen().size(), 1u);
}

TEST_F(WebhookCourierTest, WhatItSaysHasNeitherThePathNorTheSecret) {
  say(reply(404, "Cannot POST /hooks/T0001/a-hidden-place; nothing at a-hidden-place"));
  const std::string denied = deliver(1).reason;
  EXPECT_THAT(denied, AllOf(HasSubstr(server.url() + ": it answers 404"), HasSubstr("Cannot POST [redacted]"), Not(HasSubstr("hidden"))));
  ASSERT_TRUE(files::replace(secret_file, "whsec_hidden*"));
  EXPECT_THAT(deliver(1).reason, AllOf(HasSubstr("secret: behind its 'whsec_' is no base64"), Not(HasSubstr("hidden"))));
}

TEST_F(WebhookCourierTest, AnAddressMayBeASecretToo) {
  const std::string file = folder.path() / "url";
  webhook.url = "file:" + file;
  ASSERT_TRUE(files::replace(file, server.url() + "/hooks/first\n"));
  EXPECT_EQ(deliver(1).kind, Kind::taken);
  ASSERT_TRUE(files::replace(file, server.url() + "/hooks/second\n"));
  EXPECT_EQ(deliver(2).kind, Kind::taken);
  EXPECT_EQ(server.seen().at(1).target, "/hooks/second");
  ASSERT_TRUE(files::replace(file, "hidden"));
  const Delivery delivery = deliver(3);
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_THAT(delivery.reason, AllOf(HasSubstr("url: it is no address of the web"), Not(HasSubstr("hidden"))));
}

TEST_F(WebhookCourierTest, WhatIsWrongIsToldWhenItIsMade) {
  const auto complaint = [&](const std::function<void(config::Webhook&)>& change) {
    config::Webhook wrong = webhook;
    change(wrong);
    const auto made = make_webhook_courier(wrong, {});
    return made ? std::string() : made.error().message;
  };
  EXPECT_EQ(complaint([](config::Webhook&) {}), "");
  EXPECT_THAT(complaint([](config::Webhook& one) { one.secret = "file:/nonexistent/secret"; }), AllOf(HasSubstr("secret: "), HasSubstr("/nonexistent/secret")));
  EXPECT_THAT(complaint([](config::Webhook& one) { one.url = "env:BERTH_NO_SUCH_VARIABLE"; }), AllOf(HasSubstr("url: "), HasSubstr("BERTH_NO_SUCH_VARIABLE")));
  EXPECT_THAT(complaint([](config::Webhook& one) { one.url = "https://host:99999/hidden"; }), AllOf(HasSubstr("url: "), Not(HasSubstr("hidden"))));
  EXPECT_THAT(complaint([](config::Webhook& one) { one.ca_file = "/nonexistent/ca"; }), HasSubstr("ca_file: "));
  EXPECT_EQ(complaint([](config::Webhook& one) { one.secret = "command:/bin/false"; }), "") << "a command takes a while, and runs for each request";
}

}  // namespace
}  // namespace berth::ship
