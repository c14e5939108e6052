#include "core/logs/instance_cursor.h"

#include <gmock/gmock.h>

#include "core/logs/log_fixture.h"

namespace berth::logs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// A record, and where reading goes on behind it.
struct Step {
  Record record;
  Place resume;
  std::uint64_t line;
};

class Resuming : public LogFixture {
 protected:
  InstanceCursor cursor() { return {{.id = {.app = "web", .process = "web", .number = 1}, .folder = root / "web/web.1"}, {}, false}; }

  static std::vector<Step> read_all(InstanceCursor& from) {
    std::vector<Step> all;
    for (;;) {
      auto record = from.next();
      if (!record) throw std::runtime_error(record.error().message);
      if (!*record) return all;
      all.push_back({std::move(**record), from.resume_place(), from.line()});
    }
  }

  /// What a cursor that begins behind `step` gives that is new.
  std::vector<std::string> rest_after(const Step& step) {
    auto again = cursor();
    again.start_at(step.resume);
    std::vector<std::string> rest;
    for (;;) {
      auto record = again.next();
      if (!record) throw std::runtime_error(record.error().message);
      if (!*record) return rest;
      if (again.line() > step.line || again.gave_up()) rest.push_back((*record)->text);
    }
  }

  static std::vector<std::string> gaps_of(InstanceCursor& of) {
    std::vector<std::string> all;
    for (const Gap& gap : of.take_gaps()) all.push_back(fmt::format("{}-{}{}", gap.first, gap.last == 0 ? std::string() : std::to_string(gap.last), gap.is_most ? " at most" : ""));
    return all;
  }
  static std::vector<std::string> texts_of(const std::vector<Step>& steps) {
    std::vector<std::string> all;
    for (const Step& step : steps) all.push_back(step.record.text);
    return all;
  }
  fs::path path_of(std::uint64_t first) const { return root / "web/web.1" / segment_name(first); }
  /// As a keeper marks what it will not write again.
  void rotate(std::uint64_t first) { fs::permissions(path_of(first), fs::perms(0440)); }

  void expect_exact_resume() {
    auto first = cursor();
    const auto all = read_all(first);
    ASSERT_FALSE(all.empty());
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::vector<std::string> expected;
      for (std::size_t k = i + 1; k < all.size(); ++k) expected.push_back(all[k].record.text);
      ASSERT_EQ(rest_after(all[i]), expected) << "behind record " << i << ", line " << all[i].line;
    }
  }
};

TEST_F(Resuming, GivesTheRestBehindEachRecordPlainAndCompressed) {
  append("web/web.1", 1, cri(1, "one") + cri(2, "") + cri(3, "three"));
  append("web/web.1", 4, cri(4, "four") + cri(5, "five"));
  append("web/web.1", 6, cri(6, "six") + cri(7, "seven"));
  expect_exact_resume();
  compress("web/web.1", 1);
  expect_exact_resume();
  compress("web/web.1", 4);
  expect_exact_resume();
}

TEST_F(Resuming, GivesTheFirstLineOfTheNextRunAlsoBehindWhatTheOneBeforeLeftOpen) {
  append("web/web.1", 1, cri(1, "left ", "stdout", "P:v1:1:10") + cri(2, "beside", "stderr", "F:v1:1:10") + cri(3, "next", "stdout", "F:v1:1:11") +
                             cri(4, "open ", "stdout", "P:v1:1:11") + cri(5, "begun ", "stdout", "P:v1:1:12") + cri(6, "done", "stdout", "F:v1:1:12"));
  expect_exact_resume();
}

TEST_F(Resuming, KeepsRecordsThatAreNotCompleteWhereOtherOnesPassThem) {
  append("web/web.1", 1, cri(1, "a1 ", "stdout", "P") + cri(1, "b", "stderr") + cri(2, "a2 ", "stdout", "P"));
  append("web/web.1", 4, cri(3, "c1 ", "stderr", "P") + cri(3, "a3", "stdout") + cri(4, "d", "stdout") + cri(5, "c2", "stderr"));
  append("web/web.1", 8, cri(6, "e", "stdout") + cri(7, "open ", "stdout", "P") + cri(8, "f", "stderr"));
  auto first = cursor();
  const auto all = read_all(first);
  std::vector<std::string> found;
  for (const Step& step : all) found.push_back(step.record.text);
  EXPECT_THAT(found, ElementsAre("b", "a1 a2 a3", "d", "c1 c2", "e", "f"));
  expect_exact_resume();
  compress("web/web.1", 1);
  expect_exact_resume();
}

TEST_F(Resuming, TakesALineThatIsNoneForOneOfTheLog) {
  append("web/web.1", 1, cri(1, "a") + "torn\n\n" + cri(2, "b") + "\n" + cri(3, "c"));
  expect_exact_resume();
  auto first = cursor();
  const auto all = read_all(first);
  EXPECT_EQ(all.back().record.sequence, 6u);
  EXPECT_EQ(first.damaged(), 3u);
  const auto gaps = first.take_gaps();
  ASSERT_EQ(gaps.size(), 2u) << "those that follow each other are one";
  EXPECT_EQ(gaps[0], (Gap{.first = 2, .last = 3, .is_torn = true}));
  EXPECT_EQ(gaps[1], (Gap{.first = 5, .last = 5, .is_torn = true}));
}

TEST_F(Resuming, TellsWhatWasRemovedMeanwhile) {
  append("web/web.1", 1, cri(1, "1") + cri(2, "2") + cri(3, "3"));
  auto first = cursor();
  const auto step = read_all(first).at(1);
  fs::remove(root / "web/web.1" / segment_name(1));
  append("web/web.1", 8, cri(8, "8"));
  auto again = cursor();
  again.start_at(step.resume);
  const auto rest = read_all(again);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].record.text, "8");
  EXPECT_EQ(rest[0].record.sequence, 8u);
  const auto gaps = again.take_gaps();
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].first, 3u);
  EXPECT_EQ(gaps[0].last, 7u);
  EXPECT_THAT(again.take_gaps(), IsEmpty());
  EXPECT_EQ(again.replaced(), 0u);
}

TEST_F(Resuming, FindsNoGapWhereTheSegmentThatWentWasRead) {
  append("web/web.1", 1, cri(1, "1") + cri(2, "2"));
  auto first = cursor();
  const auto step = read_all(first).back();
  fs::remove(root / "web/web.1" / segment_name(1));
  append("web/web.1", 3, cri(3, "3"));
  EXPECT_THAT(rest_after(step), ElementsAre("3"));
  auto again = cursor();
  again.start_at(step.resume);
  read_all(again);
  EXPECT_THAT(again.take_gaps(), IsEmpty());
}

TEST_F(Resuming, MissesTheBeginningOfALogThatWasToBeReadFromItsFirstLineOn) {
  append("web/web.1", 5, cri(5, "5"));
  auto from_oldest = cursor();
  read_all(from_oldest);
  EXPECT_THAT(from_oldest.take_gaps(), IsEmpty()) << "nobody knows what was before";
  auto from_first = cursor();
  from_first.start_at({.sequence = 1});
  read_all(from_first);
  ASSERT_EQ(from_first.take_gaps().size(), 1u);
}

TEST_F(Resuming, ReadsAnotherLogInThePlaceOfItsOwnFromItsBeginning) {
  append("web/web.1", 1, cri(1, "1"));
  append("web/web.1", 50, cri(50, "50") + cri(51, "51"));
  auto first = cursor();
  const auto step = read_all(first).at(1);
  fs::remove_all(root / "web/web.1");
  append("web/web.1", 1, cri(60, "new 1") + cri(61, "new 2"));
  auto again = cursor();
  again.start_at(step.resume);
  const auto rest = read_all(again);
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].record.text, "new 1");
  EXPECT_EQ(rest[0].record.sequence, 1u);
  EXPECT_EQ(again.replaced(), 1u);
  EXPECT_THAT(gaps_of(again), ElementsAre("51- at most")) << "nobody knows how far it had gone";
}

TEST_F(Resuming, AnotherLogIsToldAlsoOnceItHasGrownBeyondTheOldOne) {
  append("web/web.1", 50, cri(50, "50") + cri(51, "51"));
  auto first = cursor();
  const auto step = read_all(first).at(1);
  fs::remove_all(root / "web/web.1");
  for (int i = 1; i < 70; ++i) append("web/web.1", 1, cri(60, fmt::format("new {}", i)));
  append("web/web.1", 70, cri(61, "new 70"));
  auto again = cursor();
  again.start_at(step.resume);
  const auto rest = read_all(again);
  ASSERT_EQ(rest.size(), 70u);
  EXPECT_EQ(rest[0].record.text, "new 1");
  EXPECT_EQ(again.replaced(), 1u);
}

TEST_F(Resuming, ReadsASegmentThatWasCutOffFromItsBeginning) {
  append("web/web.1", 1, cri(1, "1") + cri(2, "2"));
  auto first = cursor();
  const auto all = read_all(first);
  const fs::path segment = root / "web/web.1" / segment_name(1);
  fs::resize_file(segment, 0);
  EXPECT_FALSE(first.next().value()) << "nothing yet";
  append("web/web.1", 1, cri(3, "x"));
  EXPECT_EQ(first.next().value()->text, "x") << "in the eyes of who has it open";
  EXPECT_GE(first.replaced(), 1u);
  for (const Step& step : all) {
    auto again = cursor();
    again.start_at(step.resume);
    const auto rest = read_all(again);
    ASSERT_EQ(rest.size(), 1u);
    EXPECT_EQ(rest[0].record.text, "x");
    EXPECT_EQ(again.replaced(), 1u);
  }
}

TEST_F(Resuming, OfASegmentThatWasCutOffTellsWhatIsMissingWhenItsKeeperGoesOn) {
  for (const int left : {0, 1, 2}) {
    SCOPED_TRACE(left);
    append("web/web.1", 1, cri(1, "1") + cri(2, "2") + cri(3, "3"));
    auto reading = cursor();
    const auto all = read_all(reading);
    const auto size = static_cast<std::size_t>(left) * cri(1, "1").size();
    fs::resize_file(path_of(1), size + (left == 2 ? 5 : 0));
    EXPECT_FALSE(reading.next().value());
    auto meanwhile = cursor();
    meanwhile.start_at(all[1].resume, all[1].record.time);
    EXPECT_FALSE(meanwhile.next().value()) << "what is left was given";
    const Place place = meanwhile.resume_place();
    EXPECT_EQ(place, all[1].resume);
    rotate(1);
    append("web/web.1", 8, cri(8, "8"));
    auto later = cursor();
    later.start_at(place);
    for (InstanceCursor* one : {&reading, &meanwhile, &later}) {
      EXPECT_THAT(texts_of(read_all(*one)), ElementsAre("8"));
      EXPECT_THAT(gaps_of(*one), ElementsAre(one == &reading ? "4-7" : "3-7"));
      EXPECT_EQ(one->replaced(), 0u);
    }
    fs::remove_all(root / "web/web.1");
  }
}

TEST_F(Resuming, GivesWhatIsWrittenBehindWhatIsLeftOfASegmentThatWasCutOff) {
  append("web/web.1", 1, cri(1, "1") + cri(2, "2") + cri(3, "3"));
  auto reading = cursor();
  const auto all = read_all(reading);
  fs::resize_file(path_of(1), cri(1, "1").size());
  append("web/web.1", 1, cri(4, "4"));  // by a keeper that did not see it larger
  auto again = cursor();
  again.start_at(all[2].resume, all[2].record.time);
  auto ignorant = cursor();
  ignorant.start_at(all[2].resume);
  for (InstanceCursor* one : {&reading, &again, &ignorant}) {
    const auto rest = read_all(*one);
    if (one == &ignorant) EXPECT_THAT(texts_of(rest), ElementsAre("1", "4")) << "doubled, not lost";
    else EXPECT_THAT(texts_of(rest), ElementsAre("4"));
    EXPECT_EQ(rest.back().record.sequence, 2u);
    EXPECT_EQ(one->replaced(), 1u);
    EXPECT_THAT(gaps_of(*one), ElementsAre("4- at most"));
  }
}

TEST_F(Resuming, WaitsForTheKeeperWhoseNewestSegmentsWereRemovedAndTellsWhatIsMissing) {
  append("web/web.1", 1, cri(1, "1") + cri(2, "2"));
  append("web/web.1", 3, cri(3, "3"));
  append("web/web.1", 4, cri(4, "4") + cri(5, "5"));
  rotate(3);
  compress("web/web.1", 1);
  auto reading = cursor();
  const auto all = read_all(reading);
  ASSERT_EQ(all.size(), 5u);
  fs::remove(path_of(4));
  const auto expect_nothing = [&] {
    EXPECT_FALSE(reading.next().value());
    auto again = cursor();
    again.start_at(all[3].resume);
    EXPECT_FALSE(again.next().value());
    EXPECT_EQ(again.resume_place(), all[3].resume);
    EXPECT_EQ(again.replaced(), 0u);
  };
  expect_nothing();
  fs::remove(path_of(3));
  expect_nothing();
  append("web/web.1", 9, cri(9, "9"));
  auto again = cursor();
  again.start_at(all[3].resume);
  for (InstanceCursor* one : {&reading, &again}) {
    EXPECT_THAT(texts_of(read_all(*one)), ElementsAre("9"));
    EXPECT_THAT(gaps_of(*one), ElementsAre(one == &reading ? "6-8" : "5-8"));
    EXPECT_EQ(one->replaced(), 0u);
  }
}

TEST_F(Resuming, OfAKeeperThatDidNotKnowHowFarItsLogHadGoneDoesNotTellHowManyAreMissing) {
  append("web/web.1", 1, cri(1, "1"));
  append("web/web.1", kUnknownStep, cri(2, "2"));
  auto reading = cursor();
  EXPECT_THAT(texts_of(read_all(reading)), ElementsAre("1", "2"));
  EXPECT_THAT(gaps_of(reading), ElementsAre("2-9999999 at most"));
}

TEST_F(Resuming, GoesOverToALogThatBeganAnewUnderIt) {
  append("web/web.1", 1, cri(1, "1"));
  append("web/web.1", 50, cri(2, "50"));
  auto reading = cursor();
  read_all(reading);
  reading.take_gaps();
  fs::remove_all(root / "web/web.1");
  append("web/web.1", 1, cri(3, "new 1"));
  EXPECT_THAT(texts_of(read_all(reading)), ElementsAre("new 1"));
  EXPECT_THAT(gaps_of(reading), ElementsAre("51- at most"));
  fs::remove_all(root / "web/web.1");
  append("web/web.1", 1, cri(4, "newer 1"));
  EXPECT_THAT(texts_of(read_all(reading)), ElementsAre("newer 1")) << "also under the same name";
  EXPECT_EQ(reading.replaced(), 2u);
}

TEST_F(Resuming, GoesOnWhereItWasInACopyOfItsSegment) {
  append("web/web.1", 1, cri(1, "1") + cri(2, "2"));
  auto reading = cursor();
  read_all(reading);
  fs::copy_file(path_of(1), root / "copy");
  fs::rename(root / "copy", path_of(1));
  append("web/web.1", 1, cri(3, "3"));
  EXPECT_THAT(texts_of(read_all(reading)), ElementsAre("3"));
  EXPECT_EQ(reading.replaced(), 0u);
}

TEST_F(Resuming, SaysThatTheNewestSegmentCannotBeRead) {
  append("web/web.1", 1, cri(1, "1"));
  fs::create_directory(path_of(2));  // it can be opened, and not be read
  auto reading = cursor();
  EXPECT_EQ(reading.next().value()->text, "1");
  const auto failed = reading.next();
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, testing::HasSubstr(segment_name(2)));
  fs::remove(path_of(2));
  append("web/web.1", 2, cri(2, "2"));
  EXPECT_THAT(texts_of(read_all(reading)), ElementsAre("2"));
}

TEST_F(Resuming, LeavesOutHowADiskThatIsFullTookBackHalfALine) {
  append("web/web.1", 1, cri(1, "1") + cri(2, "two").substr(0, 20));
  auto first = cursor();
  EXPECT_EQ(read_all(first).size(), 1u);
  fs::resize_file(root / "web/web.1" / segment_name(1), cri(1, "1").size());
  EXPECT_FALSE(first.next().value());
  append("web/web.1", 1, cri(3, "three"));
  EXPECT_EQ(first.next().value()->text, "three");
  EXPECT_EQ(first.replaced(), 0u);
  EXPECT_EQ(first.damaged(), 0u);
}

TEST_F(Resuming, DoesNotWaitForEverForARecordWhoseKeeperWasKilled) {
  append("web/web.1", 1, cri(1, "never ended ", "stdout", "P"));
  const std::string text(16'000, 'x');
  std::string bytes;
  for (int i = 0; i < 300; ++i) bytes += cri(2, text, "stderr");
  append("web/web.1", 2, bytes);
  auto first = cursor();
  const auto all = read_all(first);
  ASSERT_EQ(all.size(), 301u);
  const auto cut = std::ranges::find_if(all, [](const Step& step) { return step.record.text == "never ended "; });
  ASSERT_NE(cut, all.end());
  EXPECT_TRUE(cut->record.cut);
  EXPECT_EQ(cut->record.sequence, 1u);
  EXPECT_EQ(all.front().resume.sequence, 1u) << "until then it is read again";
  EXPECT_EQ(all.back().resume.sequence, 302u);
}

TEST_F(Resuming, GoesOnBehindADamagedSegmentAndTellsWhatIsMissing) {
  append("web/web.1", 1, cri(1, "1") + cri(2, "2"));
  append("web/web.1", 3, cri(3, "3"));
  compress("web/web.1", 1);
  fs::resize_file(root / "web/web.1" / (segment_name(1) + ".zst"), 6);
  std::ofstream(root / "web/web.1" / (segment_name(1) + ".zst"), std::ios::app) << "no frame at all";
  auto first = cursor();
  first.start_at({.sequence = 1});
  const auto all = read_all(first);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].record.text, "3");
  ASSERT_EQ(first.take_gaps().size(), 1u);
}

TEST_F(Resuming, ListsAllInstances) {
  append("web/web.1", 1, "");
  append("web/worker.2", 1, "");
  append("api/web.1", 1, "");
  append("No App/web.1", 1, "");
  append("web/nonsense", 1, "");
  std::vector<std::string> names;
  for (const InstanceLog& log : list_all_instances(root)) names.push_back(to_string(log.id));
  EXPECT_THAT(names, ElementsAre("api/web.1", "web/web.1", "web/worker.2"));
  EXPECT_THAT(list_all_instances(root / "nowhere"), IsEmpty());
}

}  // namespace
}  // namespace berth::logs
