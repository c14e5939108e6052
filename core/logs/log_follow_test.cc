#include <thread>

#include <gmock/gmock.h>

#include "core/logs/log_fixture.h"
#include "core/logs/log_watch.h"

namespace berth::logs {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class LogFollow : public LogFixture {
 protected:
  /// Follows until `count` records came.
  std::vector<std::string> follow(LogWatch& watch, LogReader& reader, std::size_t count) {
    std::vector<std::string> all = texts(reader);
    while (all.size() < count) {
      const auto changed = watch.wait(10s);
      if (!changed) throw std::runtime_error(changed.error().message);
      if (!*changed) throw std::runtime_error(fmt::format("only {} of {} lines came", all.size(), count));
      EXPECT_TRUE(reader.wake());
      for (auto& text : texts(reader)) all.push_back(std::move(text));
    }
    return all;
  }
  LogWatch watch(const std::string& selector) { return LogWatch::open(root, *parse_selector(selector)).value(); }
};

TEST_F(LogFollow, SeesWhatIsAppended) {
  append("web/web.1", 1, cri(1, "a"));
  auto watching = watch("web");
  auto reader = open("web", {}, {}, true);
  EXPECT_THAT(follow(watching, reader, 1), ElementsAre("a"));
  append("web/web.1", 1, cri(2, "b"));
  EXPECT_THAT(follow(watching, reader, 1), ElementsAre("b"));
}

TEST_F(LogFollow, GivesALineOnceItIsWhole) {
  append("web/web.1", 1, cri(1, "a"));
  auto watching = watch("web");
  auto reader = open("web", {}, {}, true);
  EXPECT_THAT(follow(watching, reader, 1), ElementsAre("a"));
  const std::string line = cri(2, "whole");
  append("web/web.1", 1, line.substr(0, 20));
  EXPECT_TRUE(watching.wait(10s).value());
  EXPECT_TRUE(reader.wake());
  EXPECT_THAT(texts(reader), ElementsAre());
  append("web/web.1", 1, line.substr(20));
  EXPECT_THAT(follow(watching, reader, 1), ElementsAre("whole"));
}

TEST_F(LogFollow, GoesOverRotationsAndCompressionWithoutLosingALine) {
  append("web/web.1", 1, cri(0, "line 0"));
  auto watching = watch("web");
  auto reader = open("web", {}, {}, true);
  std::jthread keeper([&] {
    std::uint64_t first = 1;
    for (int i = 1; i < 2000; ++i) {
      if (i % 100 == 0) {
        const std::uint64_t old = first;
        first = static_cast<std::uint64_t>(i) + 1;
        append("web/web.1", first, cri(i, fmt::format("line {}", i)));
        if (i % 200 == 0) compress("web/web.1", old);
      } else {
        append("web/web.1", first, cri(i, fmt::format("line {}", i)));
      }
    }
  });
  const auto all = follow(watching, reader, 2000);
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], fmt::format("line {}", i));
  EXPECT_EQ(all.size(), 2000u);
}

TEST_F(LogFollow, FindsNewInstances) {
  append("web/web.1", 1, cri(1, "a"));
  auto watching = watch("web");
  auto reader = open("web", {}, {}, true);
  EXPECT_THAT(follow(watching, reader, 1), ElementsAre("a"));
  append("web/web.2", 1, cri(2, "from the second"));
  EXPECT_THAT(follow(watching, reader, 1), ElementsAre("from the second"));
  append("web/web.2", 1, cri(3, "again"));
  EXPECT_THAT(follow(watching, reader, 1), ElementsAre("again"));
}

TEST_F(LogFollow, EndsWhenTheLogsAreRemoved) {
  append("web/web.1", 1, cri(1, "a"));
  auto watching = watch("web");
  fs::remove_all(root / "web");
  for (;;) {
    const auto changed = watching.wait(10s);
    if (changed) {
      ASSERT_TRUE(*changed);
      continue;
    }
    EXPECT_EQ(changed.error().code, Errc::not_found);
    break;
  }
}

}  // namespace
}  // namespace berth::logs
