#include "daemon/data/mounts.h"

#include <gtest/gtest.h>

namespace berth::data {
namespace {

constexpr const char* kMounts =
    "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n"
    "30 22 254:2 / /var/lib/berth/apps/web/database rw - ext4 /dev/vdb rw\n"
    "31 22 254:2 / /var/lib/berth/apps/api/data rw shared:7 - ext4 /dev/vdc rw\n"
    "32 22 0:40 / /var/lib/berth/apps/old/data/my\\040pictures\\134x rw - tmpfs tmpfs rw\n"
    "33 22 0:41 /sub /srv/data/deep/er rw - btrfs /dev/vdd rw,subvol=/sub";

TEST(MountIn, NamesTheFirstAtTheFolderOrBelowIt) {
  const struct {
    const char *folder, *expected;
  } cases[] = {
      {"/var/lib/berth/apps/web/data", ""},
      {"/var/lib/berth/apps/api/data", "/var/lib/berth/apps/api/data"},
      {"/var/lib/berth/apps/old/data", "/var/lib/berth/apps/old/data/my pictures\\x"},
      {"/srv/data", "/srv/data/deep/er"},
      {"/srv/data/deep/er/most", ""},
      {"/srv/dat", ""},
  };
  for (const auto& one : cases) EXPECT_EQ(mount_in(kMounts, one.folder).value_or(""), one.expected) << one.folder;
  EXPECT_FALSE(mount_in("", "/srv"));
  EXPECT_FALSE(mount_in("22\n\n1 2 3", "/srv")) << "a line that is cut off";
}

TEST(MountIn, KnowsTheMountsOfThisProcess) {
  const auto proc = mount_in(fs::path("/proc"));
  ASSERT_TRUE(proc) << proc.error().message;
  EXPECT_EQ(*proc, "/proc");
  EXPECT_FALSE(mount_in(fs::path("/nowhere/at/all")));
}

}  // namespace
}  // namespace berth::data
