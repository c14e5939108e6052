#include <gmock/gmock.h>

#include "daemon/ship/gatherer_fixture.h"

namespace berth::ship {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Logs that somebody removes, cuts off, or keeps from being read.
class LostLogs : public GathererTest {};

TEST_F(LostLogs, TellsWhatWasRemovedWithAWholeLogAndOnceWhenItsKeeperGoesOn) {
  limits.entries = 3;
  write("web/web.1", 1, numbered(1, 5));
  write("web/web.1", 6, numbered(6, 9));
  auto gatherer = begin();
  ASSERT_TRUE(gatherer->delivered(gatherer->gather(scan())));
  std::filesystem::remove_all(logs_root / "web");
  EXPECT_THAT(texts_of(deliver_all(*gatherer)), ElementsAre(HasSubstr("lines from 4 on, at least 2, are missing")));
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].first, 4u);
  EXPECT_EQ(losses[0].last, 5u);
  EXPECT_EQ(losses[0].lines, 2u);
  EXPECT_TRUE(losses[0].is_least) << "of the newest file only the first number is known";
  EXPECT_EQ(logs::format_rfc3339(losses[0].from, 0), "2026-11-24T00:00:03Z");
  write("web/web.1", 10, numbered(10, 10));
  EXPECT_THAT(texts_of(deliver_all(*gatherer)), ElementsAre(HasSubstr("lines 6 to 9 are missing"), "line 10"));
  ASSERT_EQ(losses.size(), 2u);
  EXPECT_FALSE(losses[1].is_least);
  std::filesystem::remove_all(logs_root / "web");
  deliver_all(*gatherer);
  EXPECT_EQ(losses.size(), 2u) << "it had all of that";
}

TEST_F(LostLogs, ALogThatIsGoneOnWithBehindCompressedFilesIsReadOnAndWhatIsMissingIsTold) {
  write("web/web.1", 1, numbered(1, 3));
  write("web/web.1", 4, numbered(4, 5));
  write("web/web.1", 6, numbered(6, 7));
  auto gatherer = begin();
  deliver_all(*gatherer);
  compress("logs/web/web.1", 1);
  write("web/web.1", 6, numbered(8, 9));
  prune("web/web.1", 4);
  prune("web/web.1", 6);
  EXPECT_THAT(deliver_all(*gatherer), IsEmpty());
  write("web/web.1", 10, numbered(10, 11));
  EXPECT_THAT(texts_of(deliver_all(*gatherer)), ElementsAre(HasSubstr("lines 8 to 9 are missing"), "line 10", "line 11"));
  EXPECT_THAT(replaced, IsEmpty());
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].lines, 2u);
}

TEST_F(LostLogs, WhereAKeeperDidNotKnowHowFarItsLogHadGoneWhatIsKnownToBeMissingIsCounted) {
  limits.entries = 2;
  write("web/web.1", 1, numbered(1, 5));
  write("web/web.1", 6, numbered(6, 9));
  auto gatherer = begin();
  ASSERT_TRUE(gatherer->delivered(gatherer->gather(scan())));
  prune("web/web.1", 1);
  prune("web/web.1", 6);
  write("web/web.1", logs::kUnknownStep, numbered(10, 10));
  const auto texts = texts_of(deliver_all(*begin()));  // which knows of nothing but the lines that were delivered
  EXPECT_THAT(texts, ElementsAre("berthd: lines from 3 on, how many is not known, are missing here: they were removed before they were shipped", "line 10"));
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].lines, 0u);
  EXPECT_TRUE(losses[0].is_least);
}

TEST_F(LostLogs, WhereAKeeperDidNotKnowHowFarItsLogHadGoneTheLinesOfEarlierScansAreCounted) {
  limits.entries = 2;
  write("web/web.1", 1, numbered(1, 5));
  write("web/web.1", 6, numbered(6, 9));
  auto gatherer = begin();
  ASSERT_TRUE(gatherer->delivered(gatherer->gather(scan())));
  write("web/web.1", 10, numbered(10, 12));
  ASSERT_TRUE(gatherer->delivered(gatherer->gather(scan())));
  // The reader that is open still gives what is in its file.
  for (const int first : {1, 6, 10}) prune("web/web.1", static_cast<std::uint64_t>(first));
  write("web/web.1", logs::kUnknownStep, numbered(20, 20));
  EXPECT_THAT(texts_of(deliver_all(*gatherer)), ElementsAre("line 5", HasSubstr("lines from 6 on, at least 4,"), "line 20"));
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].first, 6u);
  EXPECT_EQ(losses[0].lines, 4u);
  EXPECT_TRUE(losses[0].is_least);
}

TEST_F(LostLogs, OfALogThatBeganAnewWhatIsKnownToBeMissingIsCounted) {
  limits.entries = 2;
  write("web/web.1", 1, numbered(1, 3));
  write("web/web.1", 4, numbered(4, 9));
  write("web/web.1", 10, numbered(10, 12));
  write("web/web.1", 13, numbered(13, 14));
  auto gatherer = begin();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(gatherer->delivered(gatherer->gather(scan())));
  std::filesystem::remove_all(logs_root / "web");
  write("web/web.1", 1, numbered(21, 22));
  // The reader that is open still gives what is in its file.
  EXPECT_THAT(texts_of(deliver_all(*gatherer)), ElementsAre("line 5", "line 6", "line 7", "line 8", "line 9", HasSubstr("lines from 10 on, at least 3,"), "line 21", "line 22"));
  EXPECT_THAT(replaced, ElementsAre("web/web.1"));
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_TRUE(losses[0].is_least);
  EXPECT_EQ(losses[0].first, 10u);
  EXPECT_EQ(losses[0].last, 12u);
  EXPECT_EQ(losses[0].lines, 3u);
}

TEST_F(LostLogs, OfALogThatWasCutOffWhatIsMissingIsToldExactlyOnceItsKeeperGoesOn) {
  write("web/web.1", 1, numbered(1, 3));
  auto gatherer = begin();
  deliver_all(*gatherer);
  write("web/web.1", 1, numbered(4, 5));
  std::filesystem::resize_file(logs_root / "web/web.1" / segment_name(1), 0);
  EXPECT_THAT(deliver_all(*gatherer), IsEmpty());
  write("web/web.1", 6, numbered(6, 6));
  EXPECT_THAT(texts_of(deliver_all(*begin())), ElementsAre(HasSubstr("lines 4 to 5 are missing"), "line 6"));
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].lines, 2u);
  EXPECT_THAT(replaced, IsEmpty());
}

TEST_F(LostLogs, WhatIsWrittenBehindWhatIsLeftOfALogThatWasCutOffIsShipped) {
  write("web/web.1", 1, numbered(1, 5));
  auto gatherer = begin();
  deliver_all(*gatherer);
  std::filesystem::resize_file(logs_root / "web/web.1" / segment_name(1), numbered(1, 2).size());
  write("web/web.1", 1, numbered(6, 6));
  EXPECT_THAT(texts_of(deliver_all(*begin())), ElementsAre("berthd: lines from 6 on, how many is not known, are missing here: they were removed before they were shipped", "line 6"));
  EXPECT_THAT(replaced, ElementsAre("web/web.1"));
  write("web/web.1", 1, numbered(7, 7));
  EXPECT_THAT(texts_of(deliver_all(*begin())), ElementsAre("line 7"));
}

TEST_F(LostLogs, LinesThatAreTornAreToldOnceInTheirPlace) {
  write("web/web.1", 1, numbered(1, 2) + "2026-11-24T00:0\n" + std::string(40, '\0') + "\n" + numbered(5, 5) + "torn\n");
  auto gatherer = begin();
  const auto entries = deliver_all(*gatherer);
  EXPECT_THAT(texts_of(entries), ElementsAre("line 1", "line 2", "berthd: lines 3 to 4 are missing here: a power cut or a crash tore them", "line 5",
                                             "berthd: lines 6 to 6 are missing here: a power cut or a crash tore them"));
  EXPECT_EQ(entries.at(2).sequence, 4u);
  ASSERT_EQ(losses.size(), 2u);
  EXPECT_EQ(losses[0].lines, 2u);
  EXPECT_TRUE(losses[0].is_torn);
  EXPECT_FALSE(losses[0].is_least);
  write("web/web.1", 1, numbered(7, 7));
  EXPECT_THAT(texts_of(deliver_all(*gatherer)), ElementsAre("line 7"));
  write("web/web.1", 1, numbered(8, 8));
  EXPECT_THAT(texts_of(deliver_all(*begin())), ElementsAre("line 8"));
  EXPECT_EQ(losses.size(), 2u);
}

TEST_F(LostLogs, AStartOfTheMachineIsNoLossToASinkThatHadAllAndTheKeeperSaysTheRest) {
  write("web/web.1", 1, numbered(1, 5));
  deliver_all(*begin());
  std::filesystem::resize_file(logs_root / "web/web.1" / segment_name(1), numbered(1, 2).size());
  EXPECT_THAT(deliver_all(*begin()), IsEmpty());
  write("web/web.1", logs::kBootStep, cri(6, "berth-keeper: the machine was started since", "stderr", "F:v1:1:2:keeper") + numbered(7, 30));
  auto gatherer = begin();
  const auto entries = deliver_all(*gatherer);
  ASSERT_EQ(entries.size(), 25u);
  EXPECT_EQ(entries[0].sequence, logs::kBootStep);
  EXPECT_THAT(entries[0].text, HasSubstr("the machine was started"));
  EXPECT_EQ(entries[24].sequence, logs::kBootStep + 24);
  EXPECT_THAT(losses, IsEmpty());
  EXPECT_THAT(replaced, IsEmpty());
  EXPECT_THAT(deliver_all(*gatherer), IsEmpty());
}

TEST_F(LostLogs, LinesOverAStartOfTheMachineAreNotCountedByTheirNumbers) {
  write("web/web.1", 1, numbered(1, 3));
  write("web/web.1", 4, numbered(4, 5));
  limits.entries = 2;
  auto gatherer = begin();
  ASSERT_TRUE(gatherer->delivered(gatherer->gather(scan())));
  write("web/web.1", logs::kBootStep, numbered(6, 7));
  write("web/web.1", logs::kBootStep + 2, numbered(8, 8));
  prune("web/web.1", 1);
  prune("web/web.1", 4);
  prune("web/web.1", logs::kBootStep);
  EXPECT_THAT(texts_of(deliver_all(*begin())), ElementsAre(HasSubstr("lines from 3 on, at least 2,"), "line 8"));
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].lines, 2u);
  EXPECT_EQ(losses[0].last, logs::kBootStep + 1);
}

TEST_F(LostLogs, WhatComesBehindAGapSaysNothingOfHowManyLinesWereInIt) {
  for (const std::uint64_t next : {logs::kUnknownStep, logs::kBootStep}) {
    limits.entries = 1;
    write("web/web.1", 1, numbered(1, 2));
    auto gatherer = begin();
    ASSERT_TRUE(gatherer->delivered(gatherer->gather(scan())));
    for (std::uint64_t i = 0; i < 3; ++i) write("web/web.1", next + i, numbered(3, 3));
    ASSERT_TRUE(gatherer->delivered(gatherer->gather(scan())));
    write("web/web.1", next + 3, numbered(3, 3));
    EXPECT_THAT(texts_of(deliver_all(*gatherer)), testing::Contains("line 3").Times(4));
    if (next == logs::kBootStep) EXPECT_THAT(losses, IsEmpty());
    else ASSERT_EQ(losses.size(), 1u);
    for (const Loss& loss : losses) EXPECT_EQ(loss.lines, 0u);
    losses.clear();
    std::filesystem::remove_all(logs_root);
    std::filesystem::remove_all(state);
    std::filesystem::create_directories(state);
  }
}

TEST_F(LostLogs, WhatIsToldBeforeAnythingWasDeliveredSaysNothingOfOtherLogs) {
  limits.entries = 2;
  write("web/web.1", 1, numbered(1, 2));
  write("web/web.1", 3, numbered(3, 4));
  write("web/web.1", 5, numbered(5, 5));
  write("web/web.2", 9, numbered(9, 9));  // the lines before were removed before there was a sink
  auto gatherer = begin();
  EXPECT_EQ(gatherer->gather(scan()).entries.size(), 2u);
  EXPECT_THAT(gatherer->look_for_losses(scan()), IsEmpty());
  for (const int first : {1, 3}) prune("web/web.1", static_cast<std::uint64_t>(first));
  const std::vector<Loss> found = gatherer->look_for_losses(scan());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].first, 3u);
  EXPECT_EQ(found[0].last, 4u);
  EXPECT_THAT(gatherer->look_for_losses(scan()), IsEmpty()) << "once";
  ASSERT_TRUE(gatherer->told(found));
  EXPECT_THAT(texts_of(deliver_all(*begin())), ElementsAre("line 5", "line 9"));
  EXPECT_THAT(losses, IsEmpty());
}

TEST_F(LostLogs, ALogThatIsRemovedMeanwhileIsToldAndItsSuccessorIsShipped) {
  limits.entries = 2;
  write("web/web.1", 1, numbered(1, 4));
  write("web/web.1", 5, numbered(5, 5));
  auto gatherer = begin();
  const Batch batch = gatherer->gather(scan());
  std::filesystem::remove_all(logs_root / "web");
  ASSERT_EQ(gatherer->look_for_losses(scan()).size(), 1u);
  write("web/web.1", 6, numbered(6, 6));
  const std::vector<Loss> more = gatherer->look_for_losses(scan());
  ASSERT_EQ(more.size(), 1u) << "now it is known that there was a line 5";
  EXPECT_EQ(more[0].lines, 1u);
  ASSERT_TRUE(gatherer->delivered(batch));
  EXPECT_THAT(texts_of(deliver_all(*gatherer)), ElementsAre(HasSubstr("lines from 3 on, at least 2, are missing"), HasSubstr("lines 5 to 5 are missing"), "line 6"));
  EXPECT_THAT(losses, IsEmpty()) << "both were told";
  EXPECT_THAT(deliver_all(*begin()), IsEmpty());
}

TEST_F(LostLogs, ALogThatCannotBeReadWaitsAndHoldsUpNoOther) {
  write("web/web.1", 1, numbered(1, 1));
  write("web/web.2", 1, numbered(2, 2));
  const auto path = logs_root / "web/web.1" / segment_name(1);
  std::filesystem::rename(path, root / "kept");
  std::filesystem::create_symlink(root / "kept", path);  // which nobody opens
  auto gatherer = begin();
  Batch batch = gatherer->gather(scan());
  EXPECT_THAT(texts_of(batch.entries), ElementsAre("line 2"));
  EXPECT_THAT(batch.unreadable, ElementsAre(testing::Pair("web/web.1", HasSubstr(path.string()))));
  EXPECT_TRUE(batch.holds);
  ASSERT_TRUE(gatherer->delivered(batch));
  batch = gatherer->gather(scan());
  EXPECT_EQ(batch.unreadable.size(), 1u) << "as long as it is so";
  std::filesystem::rename(root / "kept", path);
  batch = gatherer->gather(scan());
  EXPECT_THAT(texts_of(batch.entries), ElementsAre("line 1"));
  EXPECT_THAT(batch.unreadable, IsEmpty());
}

TEST_F(LostLogs, OneWhoseFolderCannotBeReadIsTold) {
  write("web/web.1", 1, numbered(1, 1));
  auto gatherer = begin();
  deliver_all(*gatherer);
  std::filesystem::rename(logs_root / "web/web.1", root / "kept");
  std::ofstream(logs_root / "web/web.1") << "no folder";
  Batch batch = gatherer->gather(scan());
  EXPECT_THAT(batch.unreadable, ElementsAre(testing::Pair("web/web.1", HasSubstr((logs_root / "web/web.1").string()))));
  EXPECT_TRUE(batch.holds);
  std::filesystem::remove(logs_root / "web/web.1");
  std::filesystem::rename(root / "kept", logs_root / "web/web.1");
  batch = gatherer->gather(scan());
  EXPECT_THAT(batch.unreadable, IsEmpty());
  EXPECT_THAT(batch.losses, IsEmpty());
}

}  // namespace
}  // namespace berth::ship
