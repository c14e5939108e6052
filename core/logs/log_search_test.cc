#include <gmock/gmock.h>

#include <fstream>
#include <random>
#include <set>

#include <unistd.h>

#include "core/logs/log_fixture.h"

namespace berth::logs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LogSearchTest : public LogFixture {
 protected:
  /// "SEQUENCE TEXT" of all that a filter wants.
  std::vector<std::string> found(LogFilter filter, std::optional<std::uint64_t> last = {}) {
    auto reader = open("web", std::move(filter), last);
    std::vector<std::string> all;
    for (;;) {
      const auto record = reader.next().value();
      if (!record) return all;
      all.push_back(fmt::format("{} {} {}", record->sequence, record->release, record->text));
    }
  }
  static LogFilter fixed(const std::string& text) { return {.pattern = Pattern::fixed(text)}; }
  /// The same by the engine of regular expressions, which looks at each record.
  static LogFilter slow(const std::string& text) { return {.pattern = Pattern::regex(text).value()}; }

  /// Several segments, some compressed, of lines and pieces of two releases.
  void write_log(unsigned seed, int segments) {
    std::mt19937 random(seed);
    std::uint64_t sequence = 1;
    for (int segment = 0; segment < segments; ++segment) {
      std::string bytes;
      const std::uint64_t first = sequence;
      for (int i = static_cast<int>(random() % 3000); i > 0; --i, ++sequence) {
        const char* release = random() % 3 == 0 ? "v2:2:20" : "v1:1:10";
        const bool is_piece = random() % 40 == 0;
        std::string text(random() % 200, 'x');
        if (random() % 50 == 0) text += "needle";
        if (random() % 20 == 0) text += "nee";
        if (random() % 20 == 0) text.insert(0, "dle");
        bytes += cri(static_cast<int>(sequence % 80000), text, random() % 2 == 0 ? "stdout" : "stderr", fmt::format("{}:{}", is_piece ? 'P' : 'F', release));
        if (random() % 500 == 0) bytes += "torn\n", ++sequence, --i;
      }
      append("web/web.1", first, bytes);
      if (random() % 2 == 0 && segment + 1 < segments) compress("web/web.1", first);
    }
  }
};

TEST_F(LogSearchTest, FindsWhatLookingAtEachLineFinds) {
  for (const unsigned seed : {1u, 2u, 3u}) {
    SCOPED_TRACE(seed);
    write_log(seed, 8);
    const auto expected = found(slow("needle"));
    EXPECT_GT(expected.size(), 50u);
    EXPECT_EQ(found(fixed("needle")), expected);
    for (const std::uint64_t last : {1u, 7u, 40u}) EXPECT_EQ(found(fixed("needle"), last), std::vector(expected.end() - static_cast<std::ptrdiff_t>(last), expected.end()));
    EXPECT_EQ(found(fixed("x")), found(slow("x"))) << "a text that almost every line has";
    EXPECT_THAT(found(fixed("absent")), IsEmpty());
    EXPECT_THAT(found(fixed("stdout")), IsEmpty()) << "what stands in front of the text is not searched";
    fs::remove_all(root / "web");
  }
}

TEST_F(LogSearchTest, FindsATextOverPiecesAndRotations) {
  append("web/web.1", 1, cri(1, "nothing") + cri(2, "a nee", "stdout", "P"));
  append("web/web.1", 3, cri(3, "dle", "stdout", "F") + cri(4, "none"));
  append("web/web.1", 5, cri(5, "needle"));
  EXPECT_THAT(found(fixed("needle")), ElementsAre("3  a needle", "5  needle"));
}

TEST_F(LogSearchTest, GoesOnWithWhatIsWrittenLater) {
  append("web/web.1", 1, cri(1, "needle 1"));
  append("web/web.1", 2, cri(2, "none"));
  auto reader = open("web", fixed("needle"), {}, true);
  EXPECT_THAT(texts(reader), ElementsAre("needle 1"));
  append("web/web.1", 2, cri(3, "needle 2") + cri(4, "nee"));
  append("web/web.1", 5, cri(5, "needle 3"));
  ASSERT_TRUE(reader.wake());
  EXPECT_THAT(texts(reader), ElementsAre("needle 2", "needle 3"));
}

TEST_F(LogSearchTest, ReadsWhatIsWholeOfADamagedSegmentAndGoesOn) {
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes += cri(i, fmt::format("needle {} {}", i, i * 7919));
  append("web/web.1", 1, bytes);
  compress("web/web.1", 1);
  const auto path = root / "web/web.1" / (segment_name(1) + ".zst");
  fs::resize_file(path, fs::file_size(path) / 2);
  append("web/web.1", 5001, cri(6000, "needle last"));
  EXPECT_EQ(found(fixed("needle")), found(slow("needle")));
  EXPECT_EQ(found(fixed("needle")).back(), "5001  needle last");
}

TEST_F(LogSearchTest, TellsSequencesOfTheLastLines) {
  std::string bytes;
  for (int i = 0; i < 20'000; ++i) bytes += cri(i, fmt::format("line {}", i + 1));
  append("web/web.1", 1001, bytes);
  EXPECT_THAT(found({}, 2), ElementsAre("20999  line 19999", "21000  line 20000"));
}

TEST_F(LogSearchTest, WantsARelease) {
  append("web/web.1", 1, cri(1, "untold") + cri(2, "old", "stdout", "F:v1:1:10") + cri(3, "new", "stdout", "F:v2:2:20") + cri(4, "old 2", "stdout", "F:v1:1:10"));
  EXPECT_THAT(found({.release = "v1"}), ElementsAre("2 v1 old", "4 v1 old 2"));
  EXPECT_THAT(found({.release = "v2"}), ElementsAre("3 v2 new"));
}

TEST_F(LogSearchTest, WantsALevelOrWorseAndWhatGoesOnWithIt) {
  append("web/web.1", 1, cri(1, "INFO one") + cri(2, "  more") + cri(3, "ERROR two") + cri(4, "\tat three") + cri(5, "four") + cri(6, R"({"level":"fatal"})"));
  EXPECT_THAT(found({.level = Level::error}), ElementsAre("3  ERROR two", "4  \tat three", "6  {\"level\":\"fatal\"}"));
  EXPECT_THAT(found({.pattern = Pattern::fixed("three"), .level = Level::error}), ElementsAre("4  \tat three"));
}

TEST_F(LogSearchTest, WhatGoesOnDoesSoWithItsOwnRelease) {
  append("web/web.1", 1, cri(1, "ERROR one", "stdout", "F:v1:1:10") + cri(2, "INFO two", "stdout", "F:v2:2:20") + cri(3, "\tat three", "stdout", "F:v1:1:10") +
                             cri(4, "\tat four", "stdout", "F:v2:2:20") + cri(5, "\tat five", "stderr", "F:v1:1:10"));
  EXPECT_THAT(found({.level = Level::error}), ElementsAre("1 v1 ERROR one", "3 v1 \tat three"));
}

TEST_F(LogSearchTest, RemembersLevelsOfSoManyWritersAlone) {
  std::string bytes = cri(1, "ERROR one", "stdout", "F:v1:1:10");
  for (std::size_t i = 0; i < LineJoiner::kMostOpen; ++i) bytes += cri(2, "INFO", "stdout", fmt::format("F:v2:2:{}", 20 + i));
  append("web/web.1", 1, bytes + cri(3, "\tat three", "stdout", "F:v1:1:10"));
  EXPECT_THAT(found({.level = Level::error}), ElementsAre("1 v1 ERROR one"));
}

TEST_F(LogSearchTest, KnowsTheLastRunThatIsOver) {
  std::set<std::string> alive;
  const auto previous = [&](std::optional<std::uint64_t> last = {}) {
    auto reader = LogReader::open(root, {.selector = parse_selector("web").value(), .filter = {}, .last = last, .follow = false, .previous = true,
                                         .lives = [&](const logs::Run& run) { return alive.contains(run.pid); }});
    if (!reader) return std::vector<std::string>{reader.error().message};
    return texts(*reader);
  };
  append("web/web.1", 1, cri(1, "older berthd"));
  EXPECT_THAT(previous(), ElementsAre(testing::HasSubstr("there is no previous run")));
  append("web/web.1", 1, cri(2, "first", "stdout", "F:v1:1:10"));
  alive = {"10"};
  EXPECT_THAT(previous(), ElementsAre(testing::HasSubstr("there is no previous run")));
  alive = {};
  EXPECT_THAT(previous(), ElementsAre("first")) << "it ended, and waits for its next start";
  append("web/web.1", 3, cri(3, "second begins", "stdout", "F:v1:1:11"));
  compress("web/web.1", 3);
  append("web/web.1", 4, cri(4, "second", "stdout", "F:v1:1:11") + cri(5, "lost", "stderr", "F:v1:1:11:keeper"));
  alive = {"11"};
  EXPECT_THAT(previous(), ElementsAre("first"));
  append("web/web.1", 4, cri(6, "third", "stdout", "F:v1:1:12") + cri(7, "of no run", "stderr", "F:v1:1:0:keeper") + cri(8, "nor this", "stderr", "F:v1"));
  alive = {"12"};
  EXPECT_THAT(previous(), ElementsAre("second begins", "second", "lost"));
  EXPECT_THAT(previous(2), ElementsAre("second", "lost"));
  alive = {"11"};
  EXPECT_THAT(previous(), ElementsAre("third")) << "a release that was tried and failed, beside the one that serves on";
  append("web/web.2", 1, cri(1, "of another, which began once", "stdout", "F:v1:1:13"));
  alive = {"12", "13"};
  EXPECT_THAT(previous(), ElementsAre("second begins", "second", "lost"));
}

TEST_F(LogSearchTest, APreviousRunIsTheOneThatEndedBeforeOneOfItsDeploymentThatWasStopped) {
  const auto previous = [&] {
    auto reader = LogReader::open(root, {.selector = parse_selector("web").value(), .filter = {}, .last = {}, .follow = false, .previous = true, .lives = [](const logs::Run& run) { return run.pid == "14"; }});
    EXPECT_TRUE(reader) << reader.error().message;
    return texts(*reader);
  };
  const auto ended = [&](const char* tag) { std::ofstream(root / "web" / "web.1" / kEndedName) << tag; };
  append("web/web.1", 1, cri(1, "begins", "stdout", "F:v4:19:11"));
  compress("web/web.1", 1);
  append("web/web.1", 2, cri(2, "ERROR boom", "stdout", "F:v4:19:11") + cri(3, "again", "stdout", "F:v4:19:12"));
  append("web/web.1", 4, cri(4, "again", "stdout", "F:v4:19:13") + cri(5, "reverted to", "stdout", "F:v3:20:14"));
  EXPECT_THAT(previous(), ElementsAre("again")) << "as an older keeper leaves it";
  ended("v4:19:11");
  EXPECT_THAT(previous(), ElementsAre("begins", "ERROR boom"));
  for (const char* other : {"v1:2:11", "v4:19:99", "v4:19", "", "v4:19:14"}) {
    ended(other);
    EXPECT_THAT(previous(), ElementsAre("again")) << other;
  }
}

TEST(Runs, LiveWhereTheirProcessDoes) {
  EXPECT_TRUE(is_alive({"v1", "1", std::to_string(::getpid())}));
  EXPECT_TRUE(is_alive({"v1", "1", "1"})) << "also somebody else's";
  for (const char* none : {"", "0", "-1", "x", "2147483647"}) EXPECT_FALSE(is_alive({"v1", "1", none})) << none;
}

}  // namespace
}  // namespace berth::logs
