#include "daemon/ship/gatherer_fixture.h"

#include <gmock/gmock.h>

namespace berth::ship {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(GathererTest, LinesThatAreHeldBackAreNotLostByARestart) {
  wanted.rules = std::make_shared<LineRules>(LineRules{.begins = logs::Pattern::fixed("begin"), .wait = std::chrono::milliseconds(100)});
  write("web/web.1", 1, cri(1, "begin a") + cri(1, "on") + cri(1, "begin b") + cri(1, "still b"));
  auto first = begin();
  Batch batch = first->gather(scan());
  EXPECT_THAT(texts_of(batch.entries), ElementsAre("begin a\non"));
  EXPECT_TRUE(batch.holds);
  EXPECT_TRUE(first->delivered(batch));
  write("web/web.1", 1, cri(1, "and b"));
  auto second = begin();
  batch = second->gather(scan());
  EXPECT_THAT(batch.entries, IsEmpty());
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  batch = second->gather(scan());
  EXPECT_THAT(texts_of(batch.entries), ElementsAre("begin b\nstill b\nand b"));
  EXPECT_FALSE(batch.holds);
  EXPECT_TRUE(second->delivered(batch));
  EXPECT_THAT(deliver_all(*begin()), IsEmpty());
}

TEST_F(GathererTest, WhatPassesAnEntryThatIsHeldBackComesOnce) {
  wanted.rules = std::make_shared<LineRules>(LineRules{.begins = logs::Pattern::fixed("begin"), .wait = std::chrono::milliseconds(50)});
  write("web/web.1", 1, cri(1, "begin a") + cri(1, "begin x", "stderr") + cri(1, "begin y", "stderr") + cri(1, "begin z", "stderr"));
  auto first = begin();
  Batch batch = first->gather(scan());
  EXPECT_THAT(texts_of(batch.entries), ElementsAre("begin x", "begin y"));
  EXPECT_TRUE(first->delivered(batch));
  auto second = begin();
  batch = second->gather(scan());
  EXPECT_THAT(batch.entries, IsEmpty());
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_THAT(texts_of(second->gather(scan()).entries), testing::UnorderedElementsAre("begin a", "begin z"));
}

TEST_F(GathererTest, AStreamThatIsAlwaysAheadHoldsNothingBack) {
  wanted.rules = std::make_shared<LineRules>(LineRules{.begins = logs::Pattern::fixed("begin"), .wait = std::chrono::milliseconds(5)});
  limits.entries = 5;
  std::string bytes = cri(1, "begin err", "stderr");
  for (int i = 2; i <= 1001; ++i) bytes += cri(i, fmt::format("begin {}", i));
  write("web/web.1", 1, bytes);
  auto gatherer = begin();
  bool is_out = false;
  Batch batch;
  for (int i = 0; i < 5; ++i) {
    batch = gatherer->gather(scan());
    EXPECT_TRUE(batch.more);
    for (const std::string& text : texts_of(batch.entries)) is_out = is_out || text == "begin err";
    EXPECT_TRUE(gatherer->delivered(batch));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(is_out);
  EXPECT_GT(batch.moved.at("web/web.1").place.sequence, 10u) << "the cursor goes on";
}

TEST_F(GathererTest, LinesThatAreHeldBackAreNotLostWhenTheRulesChange) {
  wanted.rules = std::make_shared<LineRules>(LineRules{.begins = logs::Pattern::fixed("begin"), .wait = std::chrono::hours(1), .mark = 1});
  write("web/web.1", 1, cri(1, "begin a") + cri(2, "on") + cri(3, "begin x", "stderr") + cri(4, "begin y", "stderr"));
  auto first = begin();
  const Batch batch = first->gather(scan());
  EXPECT_THAT(texts_of(batch.entries), ElementsAre("begin x"));
  EXPECT_TRUE(first->delivered(batch));
  wanted.rules = std::make_shared<LineRules>(LineRules{.mark = 2});
  auto second = begin();
  EXPECT_THAT(texts_of(deliver_all(*second)), ElementsAre("begin a", "on", "begin x", "begin y")) << "doubled, not lost";
  EXPECT_THAT(deliver_all(*begin()), IsEmpty());
}

TEST_F(GathererTest, TakesOutWhatTheAppWasGivenAsASecret) {
  write("web/web.1", 1, cri(1, "the token is hunter2!") + cri(2, "and correct horse"));
  write("shop/web.1", 1, cri(1, "hunter2! of another"));
  auto given = std::make_shared<secrets::GivenSecrets>();
  given->note("web", "hunter2!");
  GathererParts with = parts();
  with.secrets = given;
  Gatherer gatherer(std::move(with));
  ASSERT_TRUE(gatherer.load());
  EXPECT_THAT(texts_of(deliver_all(gatherer)), ElementsAre("hunter2! of another", "the token is [redacted]", "and correct horse"));
  given->note("web", "correct horse");
  write("web/web.1", 1, cri(3, "correct horse"));
  EXPECT_THAT(texts_of(deliver_all(gatherer)), ElementsAre("[redacted]"));
}

TEST_F(GathererTest, TakesSecretsAndWhatIsToBeRedactedOutOfEventsAndOfItsOwnLinesToo) {
  wanted.events = wanted.daemon = true;
  LineRules rules;
  rules.redactor = PatternRedactor::make({"password=([^ ]+)"}).value();
  wanted.rules = std::make_shared<const LineRules>(std::move(rules));
  add_event("instance.unready", "web");
  events.back().data = {{"reason", "check exited with 1: hunter2! password=x"}, {"more", {{"lines", {"hunter2!", "correct horse"}}}}, {"n", 1}};
  add_event("logs.lost", "");
  events.back().data = {{"reason", "correct horse"}};
  daemon_log->add({}, Severity::info, "web: hunter2! password=x");
  auto given = std::make_shared<secrets::GivenSecrets>();
  given->note("web", "hunter2!");
  given->note("shop", "correct horse");
  GathererParts with = parts();
  with.secrets = given;
  Gatherer gatherer(std::move(with));
  ASSERT_TRUE(gatherer.load());
  EXPECT_THAT(texts_of(deliver_all(gatherer)),
              ElementsAre(R"({"kind":"instance.unready","app":"web","data":{"reason":"check exited with 1: [redacted] password=[redacted]","more":{"lines":["[redacted]","correct horse"]},"n":1}})",
                          R"({"kind":"logs.lost","app":"","data":{"reason":"[redacted]"}})", "web: [redacted] password=[redacted]"));
}

}  // namespace
}  // namespace berth::ship
