#include <gmock/gmock.h>

#include "core/logs/instance_cursor.h"
#include "core/logs/log_fixture.h"

namespace berth::logs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// A log of which a power cut left something, and with which its keeper goes on since.
class PowerCut : public LogFixture {
 protected:
  InstanceCursor cursor() { return {{.id = {.app = "web", .process = "web", .number = 1}, .folder = root / "web/web.1"}, {}, false}; }

  static std::vector<Record> read_all(InstanceCursor& from) {
    std::vector<Record> all;
    for (;;) {
      auto record = from.next();
      if (!record) throw std::runtime_error(record.error().message);
      if (!*record) return all;
      all.push_back(std::move(**record));
    }
  }
  static std::vector<std::string> texts_of(const std::vector<Record>& records) {
    std::vector<std::string> all;
    for (const Record& record : records) all.push_back(record.text);
    return all;
  }
  fs::path path_of(std::uint64_t first) const { return root / "web/web.1" / segment_name(first); }
  /// As a keeper marks what it will not write again.
  void rotate(std::uint64_t first) { fs::permissions(path_of(first), fs::perms(0440)); }
};

TEST_F(PowerCut, GivesAllThatIsWrittenSinceTheMachineWasStartedHoweverMuchIsLeftOfWhatWasBefore) {
  const std::string before = cri(1, "1") + cri(2, "2") + cri(3, "3");
  for (const std::size_t left : {std::size_t{0}, cri(1, "1").size(), cri(1, "1").size() + 20, before.size()}) {
    SCOPED_TRACE(left);
    append("web/web.1", 1, before);
    auto reading = cursor();
    const auto all = read_all(reading);
    const Place read = reading.resume_place();
    fs::resize_file(path_of(1), left);
    auto idle = cursor();
    idle.start_at(read, all[2].time);
    EXPECT_THAT(read_all(idle), IsEmpty()) << "the app has not written yet";
    const Place place = idle.resume_place();
    if (left % cri(1, "1").size() != 0) append("web/web.1", 1, "\n");
    rotate(1);
    std::string since;
    for (int i = 4; i <= 9; ++i) since += cri(i, std::to_string(i));
    append("web/web.1", kBootStep, since);
    auto again = cursor();
    again.start_at(read, all[2].time);
    auto later = cursor();
    later.start_at(place, all[2].time);
    for (InstanceCursor* one : {&idle, &again, &later}) {
      const auto rest = read_all(*one);
      EXPECT_THAT(texts_of(rest), ElementsAre("4", "5", "6", "7", "8", "9"));
      EXPECT_EQ(rest.at(0).sequence, kBootStep);
      EXPECT_EQ(one->replaced(), 0u);
      const auto gaps = one->take_gaps();
      ASSERT_EQ(gaps.size(), 1u);
      EXPECT_TRUE(gaps[0].is_boot);
      EXPECT_EQ(gaps[0].first, 4u);
    }
    fs::remove_all(root / "web/web.1");
  }
}

TEST_F(PowerCut, TellsWhatWasRemovedBeforeTheMachineWasStarted) {
  append("web/web.1", 1, cri(1, "1"));
  append("web/web.1", 2, cri(2, "2"));
  append("web/web.1", kBootStep, cri(3, "3"));
  auto first = cursor();
  ASSERT_TRUE(first.next().value());
  const Place place = first.resume_place();
  fs::remove(path_of(1));
  fs::remove(path_of(2));
  auto again = cursor();
  again.start_at(place);
  EXPECT_THAT(texts_of(read_all(again)), ElementsAre("3"));
  const auto gaps = again.take_gaps();
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_TRUE(gaps[0].is_most);
  EXPECT_FALSE(gaps[0].is_boot) << "nobody knows how many there were";
}

}  // namespace
}  // namespace berth::logs
