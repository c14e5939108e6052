#include "daemon/store/collection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::store {
namespace {

/// v9 … v1, newest first, of 10 bytes each, sealed on the day of their number.
std::vector<SlotRow> nine(const std::string& pinned = {}) {
  std::vector<SlotRow> slots;
  for (int i = 9; i >= 1; --i) {
    const std::string number = std::to_string(i), release = "v" + number;
    slots.push_back({.app = "web", .release = release, .manifest_sha256 = {}, .bytes = 10, .sealed_at = "2026-11-0" + number + "T09:00:00.000000Z", .pinned = release == pinned});
  }
  return slots;
}

/// What goes, joined, newest first.
std::string collected(const Needs& needs, const Keep& keep, const std::string& pinned = {}, const std::string& oldest = {}) {
  std::string all;
  for (const SlotFate& fate : judge_slots(nine(pinned), needs, keep, oldest))
    if (fate.goes) all += fate.slot.release;
  return all;
}

/// "v9: active newest; v8 goes: rejected; …"
std::string told(const std::vector<SlotFate>& fates) {
  std::string all;
  for (const SlotFate& fate : fates) {
    all += fate.slot.release + (fate.goes ? " goes:" : ":");
    for (const std::string& why : fate.why) all += " " + why;
    all += "; ";
  }
  return all;
}

TEST(Collection, KeepsWhatIsNeededAndTheNewest) {
  const Needs needs{.active = "v9", .previous = "v8"};
  EXPECT_EQ(collected(needs, {.releases = 3}), "v6v5v4v3v2v1");
  EXPECT_EQ(collected({.active = "v9", .previous = "v8", .in_use = {"v2"}}, {.releases = 3}), "v6v5v4v3v1");
  EXPECT_EQ(collected({.active = "v9", .previous = "v8", .replaced = "v2"}, {.releases = 3}), "v6v5v4v3v1");
  EXPECT_EQ(collected(needs, {.releases = 3}, "v1"), "v6v5v4v3v2");
  EXPECT_EQ(collected(needs, {.releases = 0}), "v7v6v5v4v3v2v1");
  EXPECT_EQ(collected(needs, {.releases = 100}), "");
}

TEST(Collection, ARejectedReleasePushesNoneOutThatWorked) {
  EXPECT_EQ(collected({.active = "v7", .rejected = {"v9", "v8"}}, {.releases = 3}), "v9v8v4v3v2v1");
  EXPECT_EQ(collected({.active = "v7", .previous = "v8", .rejected = {"v9", "v8"}}, {.releases = 3}), "v9v4v3v2v1");
}

TEST(Collection, KeepsTheActiveAndThePreviousHoweverOldTheyAre) {
  EXPECT_EQ(collected({.active = "v2", .previous = "v1"}, {.releases = 1}), "v8v7v6v5v4v3");
  EXPECT_EQ(collected({}, {.releases = 8}), "v1");
  EXPECT_EQ(collected({.active = "v2", .previous = "v1"}, {.releases = 9, .bytes = 1}, {}, "2026-12-01T00:00:00.000000Z"), "v9v8v7v6v5v4v3");
}

TEST(Collection, ByAgeTakesWhatIsOlderOfTheNewest) {
  EXPECT_EQ(collected({.active = "v9"}, {.releases = 5}, {}, "2026-11-07T09:00:00.000000Z"), "v6v5v4v3v2v1") << "the limit itself is not older";
  EXPECT_EQ(collected({.active = "v2"}, {.releases = 9}, "v4", "2026-11-08T00:00:00.000000Z"), "v7v6v5v3v1");
}

TEST(Collection, ByBytesTakesTheOlderOnesAndCountsWhatIsNeeded) {
  EXPECT_EQ(collected({.active = "v9"}, {.releases = 9, .bytes = 40}), "v5v4v3v2v1");
  EXPECT_EQ(collected({.active = "v2", .previous = "v1"}, {.releases = 9, .bytes = 45}, "v3"), "v8v7v6v5v4");
  std::vector<SlotRow> slots = nine();
  slots[1].bytes = 100;
  EXPECT_EQ(told(judge_slots({slots.begin(), slots.begin() + 3}, {.active = "v9"}, {.releases = 9, .bytes = 40})),
            "v9: active newest; v8 goes: over_bytes; v7 goes: over_bytes; ") << "an older one does not stay in the place of a newer one";
}

TEST(Collection, SaysWhyOfEach) {
  EXPECT_EQ(told(judge_slots(nine("v4"), {.active = "v9", .previous = "v8", .replaced = "v8", .in_use = {"v3"}, .rejected = {"v7"}}, {.releases = 4, .bytes = 50},
                             "2026-11-05T12:00:00.000000Z")),
            "v9: active newest; v8: previous replaced newest; v7 goes: rejected; v6: newest; v5 goes: too_old; v4: pinned; v3: in_use; v2 goes: not_newest; v1 goes: not_newest; ");
}

}  // namespace
}  // namespace berth::store
