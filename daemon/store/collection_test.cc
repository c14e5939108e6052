#include "daemon/store/collection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::store {
namespace {

/// What goes of v9 … v1, joined, newest first.
std::string collected(const AppRow& app, const std::vector<std::string>& in_use, int keep, const std::string& pinned = {},
                      const std::vector<std::string>& rejected = {}) {
  std::vector<SlotRow> slots;
  for (int i = 9; i >= 1; --i) {
    const std::string release = "v" + std::to_string(i);
    slots.push_back({.app = "web", .release = release, .manifest_sha256 = {}, .bytes = 0, .sealed_at = {}, .pinned = release == pinned});
  }
  std::string all;
  for (const SlotRow& slot : slots_to_collect(slots, app, in_use, rejected, keep)) all += slot.release;
  return all;
}

TEST(Collection, KeepsWhatIsNeededAndTheNewest) {
  const AppRow app{.app = "web", .active = "v9", .previous = "v8", .held = {}};
  EXPECT_EQ(collected(app, {}, 3), "v6v5v4v3v2v1");
  EXPECT_EQ(collected(app, {"v2"}, 3), "v6v5v4v3v1");
  EXPECT_EQ(collected(app, {}, 3, "v1"), "v6v5v4v3v2");
  EXPECT_EQ(collected(app, {}, 0), "v7v6v5v4v3v2v1");
  EXPECT_EQ(collected(app, {}, 100), "");
}

TEST(Collection, ARejectedReleasePushesNoneOutThatWorked) {
  const AppRow app{.app = "web", .active = "v7", .previous = {}, .held = {}};
  EXPECT_EQ(collected(app, {}, 3, {}, {"v9", "v8"}), "v9v8v4v3v2v1");
  EXPECT_EQ(collected({.app = "web", .active = "v7", .previous = "v8", .held = {}}, {}, 3, {}, {"v9", "v8"}), "v9v4v3v2v1");
}

TEST(Collection, KeepsTheActiveAndThePreviousHoweverOldTheyAre) {
  EXPECT_EQ(collected({.app = "web", .active = "v2", .previous = "v1", .held = {}}, {}, 1), "v8v7v6v5v4v3");
  EXPECT_EQ(collected({.app = "web", .active = {}, .previous = {}, .held = {}}, {}, 8), "v1");
}

}  // namespace
}  // namespace berth::store
