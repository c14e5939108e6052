#include "daemon/deploy/last_lines.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "core/logs/log_fixture.h"

namespace berth::deploy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class LastLines : public logs::LogFixture {
 protected:
  /// Second `at` of the fixture's day.
  static logs::Time at(int second) { return *logs::parse_rfc3339("2026-11-24T00:00:00Z") + std::chrono::seconds(second); }
  std::vector<std::string> last(const std::string& what, int since = 0, LastLinesLimits limits = {}) {
    auto lines = last_lines(root, parse_selector(what).value(), at(since), {}, {}, limits);
    EXPECT_TRUE(lines) << lines.error().message;
    return lines.value_or(std::vector<std::string>());
  }
  static std::size_t bytes(const std::vector<std::string>& lines) {
    std::size_t sum = 0;
    for (const auto& line : lines) sum += line.size();
    return sum;
  }
};

TEST_F(LastLines, AreTheNewestOfBothStreamsTheNewestAtTheEnd) {
  for (int i = 0; i < 30; ++i) append("web/web.1", 1, cri(i, "line " + std::to_string(i), i % 2 == 0 ? "stdout" : "stderr"));
  const auto lines = last("web");
  ASSERT_THAT(lines, SizeIs(20));
  EXPECT_EQ(lines.front(), "line 10");
  EXPECT_EQ(lines.back(), "line 29");
}

TEST_F(LastLines, HaveNoSecretsAlsoWhereOneIsCut) {
  append("web/web.1", 1, cri(1, "cannot connect: hunter22") + cri(2, std::string(20, 'x') + "hunter22"));
  const Redact redact = [](std::string& text) {
    if (const auto at = text.find("hunter22"); at != std::string::npos) text.replace(at, 8, "[redacted]");
  };
  EXPECT_THAT(*last_lines(root, parse_selector("web").value(), at(0), {}, redact, {.line_bytes = 24}), ElementsAre("cannot connect: [reda…", std::string(20, 'x') + "[…"));
  EXPECT_EQ(printed_last(root, parse_selector("web").value(), at(0), {}, redact)->front().text, "cannot connect: [redacted]");
}

TEST_F(LastLines, BeginWithTheGivenTime) {
  append("web/web.1", 1, cri(10, "of the release before") + cri(20, "boot") + cri(21, "boom"));
  EXPECT_THAT(last("web", 20), ElementsAre("boot", "boom"));
  EXPECT_THAT(last("web", 22), IsEmpty());
}

TEST_F(LastLines, HaveTheMomentsAtWhichTheyWerePrinted) {
  append("web/web.1", 1, cri(20, "boot") + cri(21, "boom"));
  const auto lines = printed_last(root, parse_selector("web").value(), at(0), {}, {});
  ASSERT_TRUE(lines) << lines.error().message;
  EXPECT_THAT(*lines, ElementsAre(PrintedLine{.at = "2026-11-24T00:00:20.000000Z", .text = "boot"}, PrintedLine{.at = "2026-11-24T00:00:21.000000Z", .text = "boom"}));
}

TEST_F(LastLines, OfOneReleaseAreNotThoseOfTheOneBesideIt) {
  append("web/web.1", 1, cri(1, "old", "stdout", "F:v1:1:10") + cri(2, "boom", "stdout", "F:v2:2:20") + cri(3, "old again", "stdout", "F:v1:1:10"));
  EXPECT_THAT(*last_lines(root, parse_selector("web").value(), at(0), "v2", {}), ElementsAre("boom"));
  EXPECT_THAT(last("web"), SizeIs(3));
}

TEST_F(LastLines, GoOverRotatedAndCompressedFilesAndUnfinishedOnes) {
  append("web/web.1", 1, cri(1, "one") + cri(2, "two"));
  compress("web/web.1", 1);
  append("web/web.1", 3, cri(3, "thr", "stdout", "P") + cri(3, "ee", "stdout", "F") + cri(4, "no newline", "stdout", "P"));
  EXPECT_THAT(last("web"), ElementsAre("one", "two", "three", "no newline"));
}

TEST_F(LastLines, OfSeveralInstancesSayWhoseTheyAre) {
  append("web/web.1", 1, cri(1, "a") + cri(3, "c"));
  append("web/web.2", 1, cri(2, "b"));
  append("web/worker.1", 1, cri(4, "d"));
  EXPECT_THAT(last("web"), ElementsAre("web.1: a", "web.2: b", "web.1: c", "worker.1: d"));
  EXPECT_THAT(last("web/web"), ElementsAre("web.1: a", "web.2: b", "web.1: c"));
  EXPECT_THAT(last("web/web.2"), ElementsAre("b"));
  EXPECT_THAT(last("web/web.2@v7"), ElementsAre("b"));
}

TEST_F(LastLines, AreFewEnoughForAHistory) {
  for (int i = 0; i < 20; ++i) append("web/web.1", 1, cri(i, std::string(1000, 'x')));
  append("web/web.1", 1, cri(20, "the end"));
  const auto lines = last("web");
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_LE(bytes(lines), 4096u);
  EXPECT_EQ(lines.back(), "the end");
}

TEST_F(LastLines, ALongLineIsCutBetweenCharacters) {
  std::string snowmen;
  for (int i = 0; i < 10'000; ++i) snowmen += "☃";
  append("web/web.1", 1, cri(1, snowmen));
  const auto lines = last("web");
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_LE(lines[0].size(), 1024u);
  EXPECT_GE(lines[0].size(), 1018u);
  EXPECT_TRUE(lines[0].ends_with("☃…"));
}

TEST_F(LastLines, AreUtf8WhateverTheAppWrote) {
  append("web/web.1", 1, cri(1, "a\xff") + cri(2, std::string(1023, 'x') + "é"));
  EXPECT_THAT(last("web"), ElementsAre("a\xEF\xBF\xBD", std::string(1021, 'x') + "…"));
}

TEST_F(LastLines, OfAnAppThatNeverPrintedAreNone) {
  EXPECT_THAT(last("web"), IsEmpty());
  append("web/worker.1", 1, cri(1, "x"));
  EXPECT_THAT(last("web/web"), IsEmpty());
}

TEST_F(LastLines, TellThatAPortIsTaken) {
  for (const char* line : {"bind: Address already in use", "OSError: [Errno 98] Address already in use", "Error: listen EADDRINUSE: address already in use :::8070",
                           "Web server failed to start. Port 8070 was already in use by another process", "listen tcp :8070: bind: address already in use"})
    EXPECT_TRUE(tells_port_taken({"starting", line})) << line;
  EXPECT_FALSE(tells_port_taken({"address book in use", "listening"}));
}

TEST(NamedIn, IsTheFirstInstanceThatTheReasonNames) {
  const std::vector<InstanceId> all{{"web", "web", 1, "v2"}, {"web", "web", 12, "v2"}, {"web", "worker", 1, "v2"}};
  const auto process = [&](const std::string& reason) {
    const auto named = named_in(reason, all);
    return named ? fmt::format("{}.{}", named->process, named->number) : std::string();
  };
  EXPECT_EQ(process("not ready within 2s: web/worker.1: nothing listens at 127.0.0.1:20001"), "worker.1");
  EXPECT_EQ(process("web/web.12 exited with 1 (3 times)"), "web.12");
  EXPECT_EQ(process("web/worker.1 exited with 1, after web/web.1 did"), "worker.1");
  EXPECT_EQ(process("open /srv/web/web.1/x: No such file, my-web/web.1"), "");
  EXPECT_EQ(process("the network"), "");
}

}  // namespace
}  // namespace berth::deploy
