#include "daemon/ship/webhook/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json/json.h"
#include "daemon/config/event_types.h"
#include "daemon/ship/event_entry.h"

namespace berth::ship {
namespace {

using config::WebhookFormat;
using testing::Contains;

const NodeNames kEdge{.node = "edge-1", .environment = "production", .labels = {}};

store::Event failed_deployment() {
  return {.number = 17, .at = "2026-11-24T09:00:00.123456Z", .kind = "deployment.state", .app = "web",
          .data = {{"deployment", 7}, {"release", "v42"}, {"kind", "deploy"}, {"state", "failed"}, {"reason", "web@v42: never <ready> & gone"}}};
}

std::string text_of_event(store::Event event, WebhookFormat format = WebhookFormat::event) {
  event.at = "2026-11-24T09:00:00.123456Z";
  const auto body = json::parse(webhook_message(entry_of(event, kEdge), format).body);
  return std::string(body->as_object().at("text").as_string());
}

TEST(WebhookMessage, HasAllThatTheEventTells) {
  const auto message = webhook_message(entry_of(failed_deployment(), kEdge), WebhookFormat::event);
  EXPECT_EQ(json::parse(message.body).value(), json::parse(R"({"type": "deployment.failed", "timestamp": "2026-11-24T09:00:00.123456Z", "node": "edge-1",
    "environment": "production", "app": "web", "number": 17, "severity": "warning",
    "text": "edge-1 (production): deployment 7 of web@v42: failed: never <ready> & gone",
    "data": {"deployment": 7, "release": "v42", "kind": "deploy", "state": "failed", "reason": "web@v42: never <ready> & gone"}})").value());
}

TEST(WebhookMessage, OfAChatIsATextInWhichNothingIsAMention) {
  const auto message = webhook_message(entry_of(failed_deployment(), kEdge), WebhookFormat::chat);
  EXPECT_EQ(message.body, R"({"text":"edge-1 (production): deployment 7 of web@v42: failed: never &lt;ready&gt; &amp; gone"})");
}

TEST(WebhookMessage, OfAChatMentionsNobodyByAnAtSign) {
  const auto said = [](const std::string& reason, WebhookFormat format) {
    return text_of_event({.kind = "operator.hold", .app = "web", .data = {{"reason", reason}}}, format).substr(std::string("edge-1 (production): operator.hold web: ").size());
  };
  const auto chat = [&said](const std::string& reason) { return said(reason, WebhookFormat::chat); };
  const std::string apart = "@\u200b";
  for (const std::string name : {"here", "channel", "all", "everyone", "Here", "EVERYONE", "alice", "developers"}) EXPECT_EQ(chat("@" + name), apart + name);
  EXPECT_EQ(chat("(@here,@all) @@alice"), "(" + apart + "here," + apart + "all) " + apart + apart + "alice");
  EXPECT_EQ(chat("now@everyone web@Channel ü@alice _@alice"), "now" + apart + "everyone web" + apart + "Channel ü" + apart + "alice _" + apart + "alice");
  EXPECT_EQ(chat("<@here>"), "&lt;" + apart + "here&gt;");
  EXPECT_EQ(chat("web@v42 by alice@example.org"), "web@v42 by alice@example.org") << "which people copy";
  EXPECT_EQ(said("@here", WebhookFormat::event), "@here");
}

TEST(WebhookMessage, IsNamedTheSameEachTimeAndAsNoOther) {
  const auto id_of_event = [](const store::Event& event, const NodeNames& names) { return webhook_message(entry_of(event, names), WebhookFormat::event).id; };
  const std::string id = id_of_event(failed_deployment(), kEdge);
  EXPECT_THAT(id, testing::MatchesRegex("evt_[0-9a-f]{32}"));
  EXPECT_EQ(id_of_event(failed_deployment(), kEdge), id);
  EXPECT_EQ(webhook_message(entry_of(failed_deployment(), kEdge), WebhookFormat::chat).id, id);
  auto next = failed_deployment(), anew = failed_deployment();
  next.number = 18;
  anew.at = "2026-11-25T09:00:00.123456Z";  // on a node that was set up anew numbers begin again
  EXPECT_NE(id_of_event(next, kEdge), id);
  EXPECT_NE(id_of_event(anew, kEdge), id);
  EXPECT_NE(id_of_event(failed_deployment(), {.node = "edge-2", .environment = "production", .labels = {}}), id);
}

TEST(WebhookMessage, TextsSayWhatWhoAndWhy) {
  EXPECT_EQ(text_of_event({.kind = "deployment.state", .app = "web", .data = {{"deployment", 7}, {"release", "v42"}, {"state", "queued"}, {"by", "root (uid 0)"}, {"why", "monday"}}}),
            "edge-1 (production): deployment 7 of web@v42: queued by root (uid 0): monday");
  EXPECT_EQ(text_of_event({.kind = "instance.exit", .app = "web", .data = {{"instance", "web/web.1"}, {"reason", "exited with 1"}, {"ran_ms", 5}}}),
            "edge-1 (production): instance.exit web/web.1: exited with 1");
  EXPECT_EQ(text_of_event({.kind = "operator.node_drain", .app = "", .data = {{"by", "root (uid 0)"}}}), "edge-1 (production): operator.node_drain by root (uid 0)");
  EXPECT_EQ(text_of_event({.kind = "slot.drifted", .app = "web", .data = {{"release", "v42"}, {"drifted", 3}}}), "edge-1 (production): slot.drifted web@v42");
  EXPECT_EQ(text_of_event({.kind = "database.rebuilt", .app = "", .data = {{"reason", "it was missing"}}}),
            "edge-1 (production): database.rebuilt: it was missing; 'berth doctor' there says what is not known any more, and what to do");
  EXPECT_EQ(text_of_event({.kind = "config.refused", .app = "", .data = {{"reason", std::string(5000, 'x')}}}).size(), 2000u);
}

TEST(WebhookMessage, TextsOfWhatOperatorsDidSayOfWhatAndWhich) {
  const auto text = [](const char* kind, json::object data) {
    data["by"] = "root (uid 0)";
    return text_of_event({.kind = kind, .app = "web", .data = std::move(data)}).substr(std::string("edge-1 (production): ").size());
  };
  EXPECT_EQ(text("operator.stop", {}), "operator.stop web by root (uid 0)");
  EXPECT_EQ(text("operator.stop", {{"what", "web/web.1"}, {"why", "noisy"}}), "operator.stop web/web.1 by root (uid 0): noisy");
  EXPECT_EQ(text("operator.restart", {{"what", "web/worker"}}), "operator.restart web/worker by root (uid 0)");
  EXPECT_EQ(text("operator.scale", {{"process", "web"}, {"instances", 3}, {"spec_instances", 2}}), "operator.scale web/web to 3 instances (its release says 2) by root (uid 0)");
  EXPECT_EQ(text("operator.mark", {{"release", "v2"}, {"as", "good"}}), "operator.mark web@v2 good by root (uid 0)");
  EXPECT_EQ(text("operator.mark", {{"release", "v2"}, {"as", "bad"}, {"why", "x"}}), "operator.mark web@v2 bad by root (uid 0): x");
  EXPECT_EQ(text("operator.remove", {{"purge", true}}), "operator.remove web with its data and logs by root (uid 0)");
  EXPECT_EQ(text("operator.remove", {{"purge", false}}), "operator.remove web by root (uid 0)");
}

TEST(WebhookMessage, TypesTellHowItEnded) {
  const auto type = [](const char* kind, json::object data) { return event_type({.kind = kind, .app = "web", .data = std::move(data)}); };
  EXPECT_EQ(type("deployment.state", {{"state", "active"}}), "deployment.active");
  EXPECT_EQ(type("job.ended", {{"state", "failed"}}), "job.failed");
  EXPECT_EQ(type("instance.exit", {{"reason", "stopped"}}), "instance.stopped");
  EXPECT_EQ(type("instance.exit", {{"reason", "stopped: it did not end within 2s of being asked to, and was killed"}}), "instance.stopped");
  EXPECT_EQ(type("instance.exit", {{"reason", "restarted"}}), "instance.stopped");
  EXPECT_EQ(type("instance.exit", {{"reason", "restarted: by root (uid 0)"}}), "instance.stopped");
  EXPECT_EQ(type("instance.exit", {{"reason", "exited with 1"}}), "instance.exit");
  EXPECT_EQ(type("operator.hold", {}), "operator.hold");
  for (const char* name : {"deployment.active", "job.failed", "instance.stopped", "instance.exit", "operator.hold"}) EXPECT_THAT(config::event_types(), Contains(name));
}

TEST(EventEntry, IsReadBack) {
  const store::Event before = failed_deployment(), after = event_of(entry_of(before, kEdge));
  EXPECT_EQ(after.number, before.number);
  EXPECT_EQ(after.at, before.at);
  EXPECT_EQ(after.kind, before.kind);
  EXPECT_EQ(after.app, before.app);
  EXPECT_EQ(after.data, before.data);
}

}  // namespace
}  // namespace berth::ship
