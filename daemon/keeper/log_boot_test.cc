#include "daemon/keeper/log_segment_fixture.h"

namespace berth::keeper {
namespace {

/// A log that another run of the machine wrote last, and of which a power cut has left something.
class LogBeforeABoot : public DamagedLog {
 protected:
  static constexpr const char* kOther = "11111111-2222-3333-4444-555555555555\n";

  /// What a keeper of this run does with it.
  void go_on() {
    holes.clear();
    LogSegment next;
    begin(next);
    put(next, 2);
    EXPECT_EQ(text_in(folder / ".boot"), text_in("/proc/sys/kernel/random/boot_id"));
  }
  void expect_a_boot_at(std::uint64_t next) {
    ASSERT_EQ(holes.size(), 1u);
    EXPECT_EQ(holes[0].next, next);
    EXPECT_TRUE(holes[0].boot);
    EXPECT_EQ(text_of(next).size(), 40u);
  }
};

TEST_F(LogBeforeABoot, IsGoneOnWithInANewFileBehindAllNumbersThatWereGiven) {
  segment.set(directory.c_str(), 1000, 1 << 20);
  put(segment, 5);
  fs::resize_file(file(1), 47);
  note_boot(kOther);
  go_on();
  expect_a_boot_at(kBootStep);
  EXPECT_EQ(plain(), (Numbers{1, kBootStep}));
  EXPECT_EQ(text_of(1).size(), 48u) << "the torn line is ended";
  EXPECT_TRUE(is_rotated(1));
  LogSegment next;
  begin(next);
  put(next);
  EXPECT_EQ(plain(), (Numbers{1, kBootStep})) << "once in a run of the machine";
  note_boot(kOther);
  go_on();
  expect_a_boot_at(2 * kBootStep);
}

TEST_F(LogBeforeABoot, WithNothingLeftDoesNotBeginWithNumbersThatWereGiven) {
  note_boot(kOther);
  go_on();
  expect_a_boot_at(kBootStep);
}

TEST_F(LogBeforeABoot, IsGoneOnWithBehindCompressedAndRotatedFilesToo) {
  put(segment, 5);
  fs::remove(file(4));  // its name was not on the disk
  note_boot(kOther);
  go_on();
  expect_a_boot_at(kBootStep);
  fs::remove(file(1));
  compress(kBootStep);
  note_boot(kOther);
  go_on();
  expect_a_boot_at(2 * kBootStep);
}

TEST_F(LogBeforeABoot, IsOneWhoseNoteIsTornOrMissing) {
  put(segment, 1);
  note_boot("");
  go_on();
  expect_a_boot_at(kBootStep);
  fs::remove(folder / ".boot");
  go_on();
  expect_a_boot_at(2 * kBootStep);
}

TEST_F(LogBeforeABoot, IsFarBehindNumbersThatAreCloseToTheNextOne) {
  std::ofstream(file(kBootStep - 2)) << "a\nb\n";
  note_boot(kOther);
  go_on();
  expect_a_boot_at(2 * kBootStep);
}

TEST_F(LogBeforeABoot, IsNoneToTheProgramThatARunningKeeperBecomes) {
  put(segment, 2);
  fs::remove(folder / ".boot");  // an older keeper made none
  LogSegment next;
  begin(next);
  next.go_on_with(segment.next_number());
  put(next);
  EXPECT_EQ(plain(), Numbers{1});
  go_on();
  EXPECT_TRUE(holes.empty());
}

}  // namespace
}  // namespace berth::keeper
