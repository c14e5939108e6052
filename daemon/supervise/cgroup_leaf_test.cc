#include "daemon/supervise/cgroup_leaf.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "daemon/supervise/launcher.h"

namespace berth::supervise {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const spec::Limits kSome{.memory_max = 64u << 20, .cpu_weight = 10, .tasks_max = 5};

TEST(CgroupLeaf, HasItsControllersHandedDownFolderByFolder) {
  const files::TemporaryDirectory root;
  // A file system that is no cgroup2 does not make these by itself.
  std::ofstream(root.path() / "cgroup.subtree_control") << "";
  ASSERT_TRUE(make_leaf(root.path(), root.path() / "web/key/app"));
  EXPECT_TRUE(std::filesystem::is_directory(root.path() / "web/key/app"));
  std::ifstream file(root.path() / "cgroup.subtree_control");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "+memory+pids+cpu+io");
  EXPECT_TRUE(make_leaf(root.path(), root.path() / "web/key/app")) << "it is there already";

  std::ofstream(root.path() / "web/file") << "";
  const auto made = make_leaf(root.path(), root.path() / "web/file/app");
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, testing::HasSubstr("web/file/app"));
}

TEST(CgroupLeaf, IsRemovedWithWhatIsBelowItAndWithItsAppsFolderWhereNothingElseIsInThere) {
  const files::TemporaryDirectory root;
  const auto exists = [&root](const char* folder) { return std::filesystem::exists(root.path() / folder); };
  for (const char* leaf : {"web/one/app", "web/two/app"}) ASSERT_TRUE(make_leaf(root.path(), root.path() / leaf));
  std::filesystem::create_directories(root.path() / "web/one/app/own/deeper/still");
  std::filesystem::create_directories(root.path() / "web/one/app/other");
  remove_leaf(root.path(), root.path() / "web/one/app");
  EXPECT_FALSE(exists("web/one"));
  EXPECT_TRUE(exists("web/two/app"));
  std::filesystem::create_directories(root.path() / "web/two/app/own");
  std::ofstream(root.path() / "web/two/app/own/held") << "as by a process";
  remove_leaf(root.path(), root.path() / "web/two/app");
  EXPECT_TRUE(exists("web/two/app/own"));
  std::filesystem::remove(root.path() / "web/two/app/own/held");
  remove_leaf(root.path(), root.path() / "web/two/app");
  EXPECT_FALSE(exists("web"));
  EXPECT_TRUE(exists("")) << "it is not berth's own alone";
}

TEST(CgroupLeaf, TellsWhatTheKernelDoesNotEnforce) {
  const files::TemporaryDirectory leaf;
  EXPECT_THAT(unenforced(kSome, ""), ElementsAre("CPUWeight", "MemoryMax", "TasksMax"));
  std::ofstream(leaf.path() / "memory.max") << "max";
  std::ofstream(leaf.path() / "pids.max") << "max";
  EXPECT_THAT(unenforced(kSome, leaf.path().string()), ElementsAre("CPUWeight"));
  EXPECT_THAT(unenforced({}, ""), IsEmpty());
}

TEST(SliceName, HasNoSliceBetweenItAndThatOfAll) {
  EXPECT_EQ(slice_name("web"), "berth-web.slice");
  EXPECT_EQ(slice_name("my-app-2"), "berth-my\\x2dapp\\x2d2.slice");
}

}  // namespace
}  // namespace berth::supervise
