#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/json/json.h"
#include "daemon/ship/sinks/gzip.h"
#include "daemon/ship/sinks/http_courier.h"
#include "daemon/ship/sinks/loki.h"
#include "daemon/ship/sinks/otlp.h"
#include "daemon/ship/sinks/push_server_fixture.h"
#include "daemon/ship/sinks/push_time.h"
#include "daemon/ship/sinks/sinks_fixture.h"

namespace berth::ship {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Kind = Delivery::Kind;

HttpAccess access_to(const PushServer& server, const std::string& path) { return {.url = server.url() + path, .proxy = "", .timeout = 10s}; }

std::unique_ptr<Courier> loki(const PushServer& server, const std::function<void(LokiSettings&)>& change = {}) {
  LokiSettings settings{.name = "l", .access = access_to(server, "/loki/api/v1/push")};
  if (change) change(settings);
  auto courier = make_loki_courier(std::move(settings), {});
  EXPECT_TRUE(courier) << courier.error().message;
  return std::move(*courier);
}

std::unique_ptr<Courier> otlp(const PushServer& server) {
  auto courier = make_otlp_courier({.name = "o", .access = access_to(server, "/v1/logs")}, {});
  EXPECT_TRUE(courier) << courier.error().message;
  return std::move(*courier);
}

/// How many entries a push has.
std::size_t count_values(const std::string& body) {
  std::size_t count = 0;
  const auto push = json::parse(body);
  for (const auto& stream : push->as_object().at("streams").as_array()) count += stream.as_object().at("values").as_array().size();
  return count;
}

std::string loki_push(std::span<const Entry> batch, bool has_metadata = true) {
  PushBody body(false);
  loki_push(batch, has_metadata, body);
  return *body.finish();
}

std::string otlp_export(std::span<const Entry> batch, logs::Time observed) {
  PushBody body(false);
  otlp_export(batch, observed, body);
  return *body.finish();
}

TEST(Gzip, IsReadBack) {
  for (const std::string& text : {std::string(), std::string("hello"), std::string(3u << 20, 'x')}) {
    Gzip whole, pieces;
    whole.add(text);
    EXPECT_EQ(gunzip(*whole.finish()), text);
    for (std::size_t at = 0; at < text.size(); at += 1000) pieces.add(std::string_view(text).substr(at, 1000));
    EXPECT_EQ(gunzip(*pieces.finish()), text);
  }
}

TEST(PushBody, IsTheSameCompressedAndNeverThereWhole) {
  PushBody plain(false), compressed(true);
  std::size_t most = 0;
  for (int i = 0; i < 30'000; ++i) {
    for (PushBody* body : {&plain, &compressed}) {
      body->text() += fmt::format("entry {} of many;", i);
      body->pause();
    }
    most = std::max(most, compressed.text().size());
  }
  const std::string text = *plain.finish();
  EXPECT_EQ(gunzip(*compressed.finish()), text);
  EXPECT_LT(most, text.size() / 8);
}

TEST(LokiPush, HasAStreamForEachSetOfLabelsAndTheRestAsMetadata) {
  auto origin = sample_origin(), newer = sample_origin(), errors = sample_origin();
  newer->release = "v43";
  errors->stream = "stderr";
  errors->labels = {{"rack-7", "r7"}};
  const std::vector<Entry> batch{sample_entry(1, "a \"q\"", origin), sample_entry(2, "b", newer), sample_entry(3, "c", errors)};
  EXPECT_EQ(loki_push(batch),
            R"({"streams":[{"stream":{"app":"web","environment":"qa","process":"worker","node":"edge-1","stream":"stderr","instance":"web/worker.2","rack_7":"r7"},"values":[)"
            R"(["1795510801123000003","c",{"release":"v42","deployment":"17","sequence":"3","level":"info"}]]},)"
            R"({"stream":{"app":"web","environment":"qa","process":"worker","node":"edge-1","stream":"stdout","instance":"web/worker.2"},"values":[)"
            R"(["1795510801123000001","a \"q\"",{"release":"v42","deployment":"17","sequence":"1","level":"info"}],)"
            R"(["1795510801123000002","b",{"release":"v43","deployment":"17","sequence":"2","level":"info"}]]}]})");
}

/// What a Loki keeps of pushes: of entries of the same labels, time and text one.
std::set<std::string> kept_by_loki(const std::vector<std::vector<Entry>>& batches) {
  std::set<std::string> kept;
  for (const auto& batch : batches) {
    const auto push = json::parse(loki_push(batch));
    for (const auto& stream : push->as_object().at("streams").as_array())
      for (const auto& value : stream.as_object().at("values").as_array())
        kept.insert(json::text(stream.as_object().at("stream")) + json::text(value.as_array().at(0)) + json::text(value.as_array().at(1)));
  }
  return kept;
}

TEST(LokiPush, EqualLinesOfOneReadAndOfTwoInstancesStayApartAndWhatIsSentAgainIsTheSame) {
  auto first = sample_origin(), second = sample_origin();
  second->instance = "web/worker.3";
  std::vector<Entry> batch;
  for (std::uint64_t sequence = 4'999'000; sequence < 5'065'536; ++sequence) batch.push_back(sample_entry(sequence, "", first));  // all that a read has room for
  batch.push_back(sample_entry(5'000'000, "", second));
  auto again = std::vector<Entry>(batch.begin() + 100, batch.begin() + 300);
  EXPECT_EQ(kept_by_loki({batch, again}).size(), batch.size());
}

TEST(LokiPush, LinesOfAnAppWhoseClockTellsSecondsStayApartAndInTheirOrder) {
  std::vector<Entry> batch;
  for (std::uint64_t sequence = 7; sequence < 1007; ++sequence) batch.push_back(sample_entry(sequence, "retrying", sample_origin()));
  for (Entry& entry : batch) entry.time = sample_time("2026-11-24T09:00:01Z");
  const auto kept = kept_by_loki({batch});
  EXPECT_EQ(kept.size(), 1000u);
  for (std::size_t i = 1; i < batch.size(); ++i) EXPECT_GT(pushed_time(batch[i]), pushed_time(batch[i - 1]));
  EXPECT_LT(pushed_time(batch.back()) - batch.back().time.time_since_epoch().count(), 1'000'000);
}

TEST(LokiPush, TheInstanceOfAnEventIsNoLabel) {
  auto origin = std::make_shared<Origin>(Origin{.node = "edge-1", .app = "web", .instance = "web/web.1@v42", .stream = "events"});
  const std::string body = loki_push(std::vector{sample_entry(1, "x", origin)});
  EXPECT_THAT(body, HasSubstr(R"("stream":{"app":"web","node":"edge-1","stream":"events"})"));
  EXPECT_THAT(body, HasSubstr(R"({"instance":"web/web.1@v42","sequence":"1")"));
}

TEST(LokiPush, LabelsAreNoMoreThanLokiTakesAndTheOthersAreMetadata) {
  auto origin = std::make_shared<Origin>(Origin{.node = "edge-1", .stream = "events"});
  for (int i = 0; i < 30; ++i) origin->labels.emplace_back("l" + std::to_string(i), "v");
  origin->labels.emplace_back("node", "another");
  const std::string body = loki_push(std::vector{sample_entry(1, "x", origin)});
  const auto read = json::parse(body);
  ASSERT_TRUE(read) << read.error().message;
  const auto& stream = read->as_object().at("streams").as_array().at(0).as_object();
  EXPECT_EQ(stream.at("stream").as_object().size(), 15u);
  EXPECT_EQ(stream.at("stream").as_object().at("app"), "berthd");
  EXPECT_EQ(stream.at("stream").as_object().at("node"), "edge-1");
  EXPECT_EQ(stream.at("values").as_array().at(0).as_array().at(2).as_object().at("l29"), "v");
}

TEST(LokiPush, WithoutMetadataTheLevelIsALabelAndTheRestIsInTheText) {
  auto origin = sample_origin();
  for (int i = 0; i < 30; ++i) origin->labels.emplace_back("l" + std::to_string(i), "v");
  std::vector<Entry> batch{sample_entry(1, "plain", sample_origin()), sample_entry(2, R"({"a":1})", sample_origin()), sample_entry(3, "{ }", sample_origin()), sample_entry(4, "x", origin)};
  batch[1].severity = Severity::error;
  const auto push = json::parse(loki_push(batch, false));
  ASSERT_TRUE(push) << push.error().message;
  std::map<std::string, std::string> texts;  // and the level
  for (const auto& stream : push->as_object().at("streams").as_array()) {
    const auto& labels = stream.as_object().at("stream").as_object();
    EXPECT_LE(labels.size(), 15u);
    for (const auto& value : stream.as_object().at("values").as_array()) {
      EXPECT_EQ(value.as_array().size(), 2u);
      texts.emplace(value.as_array().at(1).as_string(), labels.at("level").as_string());
    }
  }
  EXPECT_EQ(texts.size(), 4u);
  EXPECT_EQ(texts[R"(plain berth={"release":"v42","deployment":"17","sequence":"1"})"], "info");
  EXPECT_EQ(texts[R"({"a":1,"berth":{"release":"v42","deployment":"17","sequence":"2"}})"], "error");
  EXPECT_EQ(texts[R"({ "berth":{"release":"v42","deployment":"17","sequence":"3"}})"], "info");
  EXPECT_THAT(texts.lower_bound("x berth=")->first, HasSubstr(R"("l29":"v","sequence":"4"})"));
}

TEST(OtlpExport, HasAResourceForEachOriginAndARecordForEachEntry) {
  auto origin = sample_origin(), node = std::make_shared<Origin>(Origin{.node = "edge-1", .stream = "events"});
  origin->labels = {{"rack", "r7"}};
  std::vector<Entry> batch{sample_entry(1, "a", origin), sample_entry(9, "deployed", node)};
  batch[0].severity = Severity::error;
  EXPECT_EQ(
      otlp_export(batch, sample_time("2026-11-24T09:00:02Z")),
      R"({"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}},{"key":"service.version","value":{"stringValue":"v42"}},)"
      R"({"key":"service.instance.id","value":{"stringValue":"edge-1/web/worker.2"}},{"key":"deployment.environment.name","value":{"stringValue":"qa"}},)"
      R"({"key":"deployment.id","value":{"stringValue":"17"}},{"key":"host.name","value":{"stringValue":"edge-1"}},{"key":"berth.process","value":{"stringValue":"worker"}},)"
      R"({"key":"berth.instance","value":{"stringValue":"web/worker.2"}},{"key":"berth.label.rack","value":{"stringValue":"r7"}}]},)"
      R"("scopeLogs":[{"scope":{"name":"berth","version":")" BERTH_VERSION R"("},"logRecords":[{"timeUnixNano":"1795510801123000001","observedTimeUnixNano":"1795510802000000000",)"
      R"("severityNumber":17,"severityText":"error","body":{"stringValue":"a"},"attributes":[{"key":"log.iostream","value":{"stringValue":"stdout"}},)"
      R"({"key":"berth.sequence","value":{"intValue":"1"}}]}]}]},{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"berthd"}},)"
      R"({"key":"service.instance.id","value":{"stringValue":"edge-1"}},{"key":"host.name","value":{"stringValue":"edge-1"}}]},)"
      R"("scopeLogs":[{"scope":{"name":"berth","version":")" BERTH_VERSION R"("},"logRecords":[{"timeUnixNano":"1795510801123000009","observedTimeUnixNano":"1795510802000000000",)"
      R"("severityNumber":9,"severityText":"info","body":{"stringValue":"deployed"},"attributes":[{"key":"berth.stream","value":{"stringValue":"events"}},)"
      R"({"key":"berth.sequence","value":{"intValue":"9"}}]}]}]}]})");
}

TEST(LokiSink, PushesOverOneConnectionThatIsKept) {
  PushServer server([](const Seen&) { return reply(204); });
  const auto courier = loki(server, [](LokiSettings& settings) { settings.tenant = "team-a"; });
  for (int i = 0; i < 3; ++i) {
    const Delivery delivery = courier->deliver(sample_batch(10), {});
    EXPECT_EQ(delivery.kind, Kind::taken) << delivery.reason;
    EXPECT_EQ(delivery.refused, 0u);
    EXPECT_EQ(delivery.reason, "");
  }
  const auto seen = server.seen();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[2].connection, 1);
  EXPECT_EQ(seen[0].method + " " + seen[0].target, "POST /loki/api/v1/push");
  EXPECT_EQ(seen[0].headers.at("x-scope-orgid"), "team-a");
  EXPECT_EQ(seen[0].headers.at("content-type"), "application/json");
  EXPECT_EQ(seen[0].headers.at("content-encoding"), "gzip");
  EXPECT_EQ(count_values(seen[0].body), 10u);
}

TEST(LokiSink, AConnectionThatWasClosedMeanwhileIsMadeAnew) {
  int answers = 0;
  PushServer server([&](const Seen&) { return ++answers == 2 ? "" : reply(204); });  // the second request is read, and nothing said
  const auto courier = loki(server);
  EXPECT_EQ(courier->deliver(sample_batch(1), {}).kind, Kind::taken);
  EXPECT_EQ(courier->deliver(sample_batch(1), {}).kind, Kind::taken);
  const auto seen = server.seen();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[2].connection, 2);
}

TEST(LokiSink, AServerThatSaysSoIsAskedOnAnotherConnection) {
  PushServer server([&](const Seen&) { return reply(200, "{}", "Connection: close\r\n"); });
  const auto courier = loki(server);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(courier->deliver(sample_batch(1), {}).kind, Kind::taken);
  EXPECT_EQ(server.seen().at(1).connection, 2);
}

TEST(LokiSink, ThrottlingAndTroubleAreForLater) {
  std::string said;
  PushServer server([&](const Seen&) { return said; });
  const auto courier = loki(server);
  said = reply(429, "Ingestion rate limit exceeded", "Retry-After: 3\r\n");
  Delivery delivery = courier->deliver(sample_batch(5), {});
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_EQ(delivery.wait, 3s);
  EXPECT_THAT(delivery.reason, HasSubstr("/loki/api/v1/push: it answers 429 Too Many Requests: Ingestion rate limit exceeded"));
  said = reply(500);
  EXPECT_EQ(courier->deliver(sample_batch(5), {}).kind, Kind::later);
  said = "this is no HTTP\r\n\r\n";
  EXPECT_EQ(courier->deliver(sample_batch(5), {}).kind, Kind::later);
  said = "";
  EXPECT_EQ(courier->deliver(sample_batch(5), {}).kind, Kind::later);
}

TEST(LokiSink, TheEntriesThatARefusalIsAboutAreFoundAndCounted) {
  PushServer server([](const Seen& seen) { return seen.body.find("bad") == std::string::npos ? reply(204) : reply(400, "entry too far behind"); });
  auto batch = sample_batch(100);
  batch[17].text = "bad";
  batch[80].text = "bad too";
  const Delivery delivery = loki(server)->deliver(batch, {});
  EXPECT_EQ(delivery.kind, Kind::taken);
  EXPECT_EQ(delivery.refused, 2u);
  EXPECT_THAT(delivery.reason, HasSubstr("400 Bad Request: entry too far behind"));
  std::size_t accepted = 0;
  for (const Seen& seen : server.seen())
    if (seen.body.find("bad") == std::string::npos) accepted += count_values(seen.body);
  EXPECT_EQ(accepted, 98u);
  EXPECT_LE(server.seen().size(), 40u);
}

TEST(LokiSink, WhereMetadataIsNotAllowedEverythingWaitsAndSaysWhatToDo) {
  std::string said = reply(400, "stream '{app=\"web\"}' includes structured metadata, but this feature is disallowed. Please see `limits_config.allow_structured_metadata` or contact your Loki "
                                "administrator to enable it");
  PushServer server([&](const Seen& seen) { return seen.body.find("\"release\"") != std::string::npos ? said : reply(204); });
  const Delivery delivery = loki(server)->deliver(sample_batch(10), {});
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_EQ(server.seen().size(), 1u);
  EXPECT_THAT(delivery.reason, testing::AllOf(HasSubstr("includes structured metadata"), HasSubstr("set metadata = false")));
  EXPECT_EQ(loki(server, [](LokiSettings& settings) { settings.has_metadata = false; })->deliver(sample_batch(10), {}).kind, Kind::taken);
  said = reply(400, "stream '{}' has structured metadata too large: '70000' bytes, limit: '65536' bytes. Please see `limits_config.max_structured_metadata_size`");
  EXPECT_EQ(loki(server)->deliver(sample_batch(1), {}).refused, 1u) << "which is about the entry";
}

TEST(LokiSink, ARefusalOfEverythingHasAnEnd) {
  PushServer server([](const Seen&) { return reply(400, "no"); });
  const Delivery delivery = loki(server)->deliver(sample_batch(1000), {});
  EXPECT_EQ(delivery.kind, Kind::taken);
  EXPECT_EQ(delivery.refused, 1000u);
  EXPECT_GE(server.seen().size(), static_cast<std::size_t>(kMostRequests));
  EXPECT_LE(server.seen().size(), static_cast<std::size_t>(kMostRequests) + 11) << "and once for each half that is left";
}

TEST(LokiSink, WhatIsGoodIsSentAlsoBehindMuchThatIsRefused) {
  PushServer server([](const Seen& seen) { return seen.body.find("bad") == std::string::npos ? reply(204) : reply(400, "no"); });
  auto batch = sample_batch(1000);
  for (std::size_t i = 0; i < 400; ++i) batch[i].text = "bad";
  const Delivery delivery = loki(server)->deliver(batch, {});
  EXPECT_EQ(delivery.kind, Kind::taken);
  EXPECT_GE(delivery.refused, 400u);
  EXPECT_LE(delivery.refused, 500u) << "the half in which nothing is bad is taken";
}

TEST(LokiSink, ABatchThatIsTooLargeIsSentInParts) {
  PushServer server([](const Seen& seen) { return count_values(seen.body) > 3 ? reply(413, "too large") : reply(204); });
  const Delivery delivery = loki(server)->deliver(sample_batch(10), {});
  EXPECT_EQ(delivery.kind, Kind::taken);
  EXPECT_EQ(delivery.refused, 0u);
}

TEST(LokiSink, ATokenIsLookedUpAgainWhenItIsNotTaken) {
  const files::TemporaryDirectory folder;
  const std::string file = folder.path() / "token";
  ASSERT_TRUE(files::replace(file, "first\n"));
  PushServer server([](const Seen& seen) { return seen.headers.at("authorization") == "Bearer second" ? reply(204) : reply(401, "who?"); });
  const auto courier = loki(server, [&](LokiSettings& settings) { settings.access.token = "file:" + file; });
  const Delivery denied = courier->deliver(sample_batch(1), {});
  EXPECT_EQ(denied.kind, Kind::later);
  EXPECT_THAT(denied.reason, testing::AllOf(HasSubstr("401"), testing::Not(HasSubstr("first"))));
  ASSERT_TRUE(files::replace(file, "second\n"));
  EXPECT_EQ(courier->deliver(sample_batch(1), {}).kind, Kind::taken);
  ASSERT_TRUE(files::replace(file, "third\n"));
  EXPECT_EQ(courier->deliver(sample_batch(1), {}).kind, Kind::taken);  // what is taken is kept
}

TEST(LokiSink, PasswordsAndOwnHeadersAreSentAsTheyShould) {
  const files::TemporaryDirectory folder;
  const std::string file = folder.path() / "secret";
  ASSERT_TRUE(files::replace(file, "pass"));
  PushServer server([](const Seen&) { return reply(204); });
  EXPECT_EQ(loki(server, [&](LokiSettings& settings) {
              settings.access.user = "user";
              settings.access.password = "file:" + file;
            })->deliver(sample_batch(1), {}).kind, Kind::taken);
  EXPECT_EQ(loki(server, [&](LokiSettings& settings) {
              settings.access.token = "file:" + file;
              settings.access.token_header = "x-api-key";
            })->deliver(sample_batch(1), {}).kind, Kind::taken);
  EXPECT_EQ(server.seen().at(0).headers.at("authorization"), "Basic dXNlcjpwYXNz");
  EXPECT_EQ(server.seen().at(1).headers.at("x-api-key"), "pass");
  EXPECT_FALSE(server.seen().at(1).headers.contains("authorization"));
}

TEST(LokiSink, ASecretThatIsNotThereIsForLaterAndSaysWhich) {
  PushServer server([](const Seen&) { return reply(204); });
  const Delivery delivery = loki(server, [](LokiSettings& settings) { settings.access.token = "file:/nonexistent/token"; })->deliver(sample_batch(1), {});
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_THAT(delivery.reason, HasSubstr("token: "));
  EXPECT_TRUE(server.seen().empty());
}

TEST(OtlpSink, CountsWhatIsRejected) {
  std::string said = reply(200, "{}");
  PushServer server([&](const Seen&) { return said; });
  const auto courier = otlp(server);
  EXPECT_EQ(courier->deliver(sample_batch(4), {}).refused, 0u);
  EXPECT_EQ(server.seen().at(0).target, "/v1/logs");
  said = reply(200, R"({"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}})");
  const Delivery delivery = courier->deliver(sample_batch(4), {});
  EXPECT_EQ(delivery.kind, Kind::taken);
  EXPECT_EQ(delivery.refused, 3u);
  EXPECT_THAT(delivery.reason, HasSubstr("too old"));
}

TEST(OtlpSink, AnAnswerWithoutEndIsNone) {
  PushServer server([](const Seen&) { return reply(200, std::string(20u << 20, ' ')); });
  EXPECT_EQ(otlp(server)->deliver(sample_batch(1), {}).kind, Kind::later);
}

}  // namespace
}  // namespace berth::ship
