#include "daemon/ship/gatherer_fixture.h"

#include <random>

#include <gmock/gmock.h>

#include "core/files/files.h"

namespace berth::ship {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(GathererTest, EventsThatCannotBeReadAreTriedAgain) {
  wanted.events = true;
  add_event("deployment.state", "web");
  bool is_readable = false;
  auto its_parts = parts();
  its_parts.events = [&, read = its_parts.events](std::int64_t from, int most) -> Result<std::vector<store::Event>> {
    if (!is_readable) return fail(Errc::io, "no");
    return read(from, most);
  };
  Gatherer gatherer(std::move(its_parts));
  ASSERT_TRUE(gatherer.load());
  const Batch none = gatherer.gather(scan());
  EXPECT_TRUE(none.entries.empty());
  EXPECT_TRUE(none.holds) << "or nobody looks before the next event";
  is_readable = true;
  EXPECT_EQ(gatherer.gather(scan()).entries.size(), 1u);
}

TEST_F(GathererTest, GivesEachLineOnceOverRestarts) {
  write("web/web.1", 1, numbered(1, 5));
  write("web/worker.1", 1, numbered(11, 12));
  EXPECT_THAT(texts_of(deliver_all(*begin())), ElementsAre("line 1", "line 2", "line 3", "line 4", "line 5", "line 11", "line 12"));
  EXPECT_TRUE(loaded);
  EXPECT_THAT(deliver_all(*begin()), IsEmpty());
  write("web/web.1", 1, numbered(6, 6));
  write("web/web.1", 7, numbered(7, 8));
  EXPECT_THAT(texts_of(deliver_all(*begin())), ElementsAre("line 6", "line 7", "line 8"));
  EXPECT_THAT(losses, IsEmpty());
}

TEST_F(GathererTest, SaysWhereAnEntryComesFrom) {
  write("web/worker.2", 1, numbered(1, 1) + cri(2, "ERROR bad \xff byte", "stderr"));
  const auto entries = deliver_all(*begin());
  ASSERT_EQ(entries.size(), 2u);
  const Origin& origin = *entries[1].origin;
  EXPECT_EQ(origin.node, "edge-1");
  EXPECT_EQ(origin.environment, "qa");
  EXPECT_EQ(origin.app, "web");
  EXPECT_EQ(origin.process, "worker");
  EXPECT_EQ(origin.instance, "web/worker.2");
  EXPECT_EQ(origin.stream, "stderr");
  EXPECT_THAT(origin.labels, ElementsAre(std::pair<std::string, std::string>("rack", "r7")));
  EXPECT_EQ(entries[1].sequence, 2u);
  EXPECT_EQ(entries[1].text, "ERROR bad \\xFF byte");
  EXPECT_EQ(entries[1].severity, Severity::error);
  EXPECT_EQ(logs::format_rfc3339(entries[1].time, 0), "2026-11-24T00:00:02Z");
}

TEST_F(GathererTest, ABatchThatWasNotDeliveredComesAgainAfterARestart) {
  limits.entries = 3;
  write("web/web.1", 1, numbered(1, 8));
  auto first = begin();
  EXPECT_TRUE(first->delivered(first->gather(scan())));
  EXPECT_THAT(texts_of(first->gather(scan()).entries), ElementsAre("line 4", "line 5", "line 6"));
  const auto rest = texts_of(deliver_all(*begin()));
  EXPECT_EQ(rest.front(), "line 4");
  EXPECT_EQ(rest.size(), 5u);
}

TEST_F(GathererTest, BatchesAreBoundedByCountAndBytesAndGoRoundTheInstances) {
  limits = {.entries = 100, .bytes = 50};
  write("web/web.1", 1, numbered(1, 50));
  write("web/web.2", 1, numbered(51, 60));
  auto gatherer = begin();
  const Batch batch = gatherer->gather(scan());
  EXPECT_LE(batch.entries.size(), 9u);
  EXPECT_TRUE(batch.more);
  EXPECT_TRUE(batch.behind);
  EXPECT_TRUE(gatherer->delivered(batch));
  EXPECT_EQ(deliver_all(*gatherer).size() + batch.entries.size(), 60u);
}

TEST_F(GathererTest, TakesOnlyTheAppsThatAreWanted) {
  wanted.apps = {"api"};
  write("web/web.1", 1, numbered(1, 2));
  write("api/web.1", 1, numbered(3, 3));
  EXPECT_THAT(texts_of(deliver_all(*begin())), ElementsAre("line 3"));
}

TEST_F(GathererTest, GivesEventsByNumberAndOnce) {
  wanted.events = true;
  wanted.apps = {"web"};
  add_event("deployment.state", "web");
  add_event("deployment.state", "other");
  add_event("route.repaired", "");
  const auto entries = deliver_all(*begin());
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].text, R"({"kind":"deployment.state","app":"web","data":{"a":1}})");
  EXPECT_EQ(entries[0].sequence, 1u);
  EXPECT_EQ(entries[0].origin->stream, "events");
  EXPECT_EQ(entries[1].sequence, 3u);
  EXPECT_EQ(entries[1].severity, Severity::warning);
  EXPECT_THAT(deliver_all(*begin()), IsEmpty());
}

TEST_F(GathererTest, GivesBerthdsOwnLogAndTellsWhatWentBy) {
  wanted.daemon = true;
  auto gatherer = begin();
  daemon_log->add({}, Severity::warning, "watch out");
  EXPECT_THAT(texts_of(deliver_all(*gatherer)), ElementsAre("watch out"));
  for (std::size_t i = 0; i < DaemonLog::kMostLines + 5; ++i) daemon_log->add({}, Severity::info, "more");
  const auto entries = deliver_all(*gatherer);
  EXPECT_EQ(entries.size(), DaemonLog::kMostLines + 1);
  EXPECT_THAT(entries.front().text, HasSubstr("5 lines of its own log are missing"));
}

TEST_F(GathererTest, ADamagedCursorStartsFromTheOldestKept) {
  write("web/web.1", 1, numbered(1, 3));
  deliver_all(*begin());
  const auto path = state / "agent.cursors";
  auto bytes = files::read(path, 1u << 20).value();
  for (std::size_t i = 0; i < bytes.size(); i += 7) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    std::ofstream(path, std::ios::binary) << damaged;
    auto gatherer = begin();
    ASSERT_FALSE(loaded) << "byte " << i;
    EXPECT_EQ(loaded.error().code, Errc::protocol);
    EXPECT_THAT(loaded.error().message, HasSubstr("agent.cursors"));
    ASSERT_EQ(texts_of(gatherer->gather(scan()).entries).size(), 3u) << "doubled, not lost";
  }
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_THAT(deliver_all(*begin()), IsEmpty());
  EXPECT_THAT(losses, IsEmpty());
}

TEST_F(GathererTest, WhoseTurnItWasMayBeGone) {
  limits.entries = 3;
  wanted.events = true;
  write("web/web.1", 1, numbered(1, 1));
  write("web/web.2", 1, numbered(11, 20));
  auto gatherer = begin();
  EXPECT_TRUE(gatherer->delivered(gatherer->gather(scan())));
  std::filesystem::remove_all(logs_root / "web/web.2");
  limits.entries = 1;
  gatherer->set_limits(limits);
  add_event("deployment.state", "web");
  const Batch batch = gatherer->gather(scan());
  EXPECT_THAT(batch.gone, ElementsAre("web/web.2"));
  EXPECT_THAT(texts_of(batch.entries), ElementsAre(HasSubstr("lines from 3 on"), HasSubstr("deployment.state")));
}

TEST_F(GathererTest, BerthdsOwnLogGoesOnWhereTheSinkBeforeHadIt) {
  wanted.daemon = true;
  daemon_log->add({}, Severity::info, "one");
  const Batch batch = begin()->gather(scan());
  ASSERT_EQ(batch.daemon_line, 1u);
  daemon_log->add({}, Severity::info, "two");
  GathererParts with = parts();
  with.daemon_line = *batch.daemon_line;
  Gatherer gatherer(std::move(with));
  ASSERT_TRUE(gatherer.load());
  EXPECT_THAT(texts_of(gatherer.gather(scan()).entries), ElementsAre("two"));
}

/// A keeper that writes, rotates, compresses and prunes beside a shipper that dies at every step. What was acknowledged, and only that, is kept by the sink.
TEST_F(GathererTest, LosesNothingAndDoublesABatchAtMostWhereverItDies) {
  std::mt19937 random(7);
  limits = {.entries = 7, .bytes = 400};
  int line = 0, crashes = 0;
  std::uint64_t first = 1;
  std::map<int, int> seen;
  auto gatherer = begin();
  for (int round = 0; round < 600 || line < 2000; ++round) {
    for (int n = static_cast<int>(random() % 9); n > 0; --n) {
      if (line > 0 && random() % 10 == 0) {
        if (random() % 2 == 0) compress("logs/web/web.1", first);
        first = static_cast<std::uint64_t>(line) + 1;
      }
      ++line;
      write("web/web.1", first, cri(line, fmt::format("{}", line), line % 3 == 0 ? "stderr" : "stdout"));
    }
    const int dies_at = random() % 4 == 0 ? static_cast<int>(random() % 3) : -1;
    const Batch batch = gatherer->gather(scan());
    if (dies_at != 0)  // else before the batch was sent
      for (const Entry& entry : batch.entries) ++seen[std::stoi(entry.text)];
    if (dies_at == -1) {
      ASSERT_TRUE(gatherer->delivered(batch));
    }
    if (dies_at == 2) std::ofstream(state / ".agent.cursors.1-1") << "half of what was to be";  // and after the file was begun
    if (dies_at >= 0) {
      ++crashes;
      files::remove_left_temporaries(state);
      gatherer = begin();
      ASSERT_TRUE(loaded);
    }
  }
  for (const Entry& entry : deliver_all(*gatherer)) ++seen[std::stoi(entry.text)];
  int lost = 0, twice = 0;
  for (int i = 1; i <= line; ++i) {
    lost += seen[i] == 0;
    twice += seen[i] - 1;
  }
  EXPECT_EQ(lost, 0);
  EXPECT_GT(crashes, 50);
  EXPECT_LE(twice, crashes * 7);
  EXPECT_THAT(losses, IsEmpty());
}

TEST_F(GathererTest, WhereABackupOfTheEventsWasPutBackItGoesOnWithWhatComes) {
  wanted.events = true;
  for (int i = 0; i < 5; ++i) add_event("deployment.state", "web");
  EXPECT_EQ(deliver_all(*begin()).size(), 5u);
  events.resize(2);
  EXPECT_TRUE(deliver_all(*begin()).empty());
  add_event("route.repaired", "");
  const auto gatherer = begin();
  const auto entries = deliver_all(*gatherer);
  ASSERT_EQ(entries.size(), 1u) << "or nothing would come until there are more than five again";
  EXPECT_EQ(entries[0].sequence, 3u);
}

}  // namespace
}  // namespace berth::ship
