#include "run/log_tail.h"

#include <filesystem>
#include <fstream>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "core/files/files.h"
#include "core/logs/record_time.h"

namespace berth::run {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class KeptOutput : public Output {
 public:
  void show(const logs::Record& record, const InstanceId& id) override { add(fmt::format("{}.{} {}", id.process, id.number, record.text)); }
  void show(const Word& word) override { add("- " + word.text); }
  void show_gap(const InstanceId& id, std::uint64_t count) override { add(fmt::format("{}.{} lost {}", id.process, id.number, count)); }
  bool flush() override { return !closed; }

  std::vector<std::string> seen() {
    const std::lock_guard lock(mutex);
    return lines;
  }
  std::atomic<bool> closed = false;

 private:
  void add(std::string line) {
    const std::lock_guard lock(mutex);
    lines.push_back(std::move(line));
  }
  std::mutex mutex;
  std::vector<std::string> lines;
};

class LogTailTest : public testing::Test {
 protected:
  LogTailTest() { fs::create_directories(folder.path() / "web"); }

  static logs::Time at(int second) { return *logs::parse_rfc3339(fmt::format("2026-11-27T10:00:{:02}Z", second)); }
  void write(const std::string& instance, std::uint64_t first, int second, const std::string& text) {
    const fs::path log = folder.path() / "web" / instance;
    fs::create_directories(log);
    std::ofstream(log / fmt::format("{:016}.log", first), std::ios::app) << fmt::format("2026-11-27T10:00:{:02}.000000000Z stdout F:local:0:7 {}\n", second, text);
  }
  void say(int second, const std::string& text) { tail->say({.kind = Word::Kind::note, .at = at(second), .instance = {}, .text = text}); }
  void begin() {
    tail.emplace(folder.path(), "web", output, [this] { ++broken; });
  }
  void wait_for(std::size_t lines) {
    for (int tries = 0; tries < 2000 && output.seen().size() < lines; ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  files::TemporaryDirectory folder;
  KeptOutput output;
  std::atomic<int> broken = 0;
  std::optional<LogTail> tail;
};

TEST_F(LogTailTest, ShowsLinesAndWordsByTime) {
  write("web.1", 1, 1, "one");
  write("worker.1", 1, 2, "two");
  write("web.1", 1, 4, "four");
  begin();
  say(3, "three");
  say(5, "five");
  tail->finish();
  // What was shown before the word was said stays in front of it.
  EXPECT_THAT(output.seen(), ElementsAre("web.1 one", "worker.1 two", testing::AnyOf("- three", "web.1 four"), testing::AnyOf("- three", "web.1 four"), "- five"));
}

TEST_F(LogTailTest, WhatAnInstanceWritesStandsBehindTheWordThatItStarted) {
  begin();
  const auto now = std::chrono::system_clock::now();
  const fs::path log = folder.path() / "web" / "web.1";
  fs::create_directories(log);
  std::ofstream(log / "0000000000000001.log") << fmt::format("{} stdout F:local:0:7 serving\n", logs::format_rfc3339(std::chrono::time_point_cast<logs::Time::duration>(now), 9));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_THAT(output.seen(), testing::IsEmpty()) << "its word is on its way";
  tail->say({.kind = Word::Kind::started, .at = std::chrono::time_point_cast<logs::Time::duration>(now - std::chrono::milliseconds(1)), .instance = "web.1", .text = "started"});
  wait_for(2);
  EXPECT_THAT(output.seen(), ElementsAre("- started", "web.1 serving"));
}

TEST_F(LogTailTest, FollowsWhatIsWrittenLaterAlsoOfNewInstancesAndSegments) {
  begin();
  write("web.1", 1, 1, "one");
  wait_for(1);
  write("web.1", 1, 2, "two");
  wait_for(2);
  write("web.1", 3, 3, "three");
  wait_for(3);
  write("worker.2", 1, 4, "four");
  wait_for(4);
  EXPECT_THAT(output.seen(), ElementsAre("web.1 one", "web.1 two", "web.1 three", "worker.2 four"));
}

TEST_F(LogTailTest, AnEndShowsAllThatWasWrittenAndSaidBefore) {
  begin();
  for (int line = 0; line < 20'000; ++line) write("web.1", 1, 1, std::to_string(line));
  say(2, "stopped");
  tail->finish();
  const auto seen = output.seen();
  ASSERT_EQ(seen.size(), 20'001u);
  EXPECT_EQ(seen[19'999], "web.1 19999");
  EXPECT_EQ(seen.back(), "- stopped");
}

TEST_F(LogTailTest, ToldOnceThatNobodyTakesItAnyMoreItGoesOnWithoutShowing) {
  output.closed = true;
  begin();
  write("web.1", 1, 1, "one");
  say(2, "two");
  tail->finish();
  EXPECT_EQ(broken, 1);
}

}  // namespace
}  // namespace berth::run
