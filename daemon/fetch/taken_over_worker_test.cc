#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <fmt/core.h>
#include <sys/xattr.h>

#include "core/kill_one.h"
#include "daemon/fetch/unpack_fixture.h"

// Workers that are not what they should be.

namespace berth::fetch {
namespace {

/// The worker is taken over by an attacker; the blob is its orders.
class TakenOverWorker : public Unpack {
 protected:
  void SetUp() override {
    Unpack::SetUp();
    options.worker_program = BERTH_ROGUE_WORKER;
  }
  Result<void> obeying(const std::string& orders) { return unpack_blob(expected, orders, 512); }

  std::vector<Entry> expected{file_entry("a", "1234"), file_entry("b", "1234")};
  const std::string right = "pour_file a 0644 1234\npour_file b 0644 1234\npour_end\n";  ///< just what is signed
};

TEST_F(TakenOverWorker, IsNotNeededForWhatItDoesRight) {
  const auto done = obeying("sandbox\n" + right);
  EXPECT_TRUE(done) << done.error().message;
}

TEST_F(TakenOverWorker, CannotPourAnythingElse) {
  expect_refused(obeying("pour_file a 0644 1234\npour_file b 0644 1235\npour_end\n"), "", "");
  expect_refused(obeying("pour_file a 0644 1234\npour_file c 0644 1234\npour_end\n"), "", "");
  expect_refused(obeying("pour_file a 0644 1234\npour_file b 0755 1234\npour_end\n"), "", "");
  expect_refused(obeying("pour_file a 0644 1234\npour_end\n"), "", "");
  expect_refused(obeying("pour_file a 0644 1234\npour_file b 0644 1234\n"), "", "");
  expect_refused(obeying(right + "pour x\n"), "", "");
  expect_refused(obeying("folder nothing 0755\n"), "", "");
}

/// Not by a byte more than a pipe holds: its end is closed, and that is its own.
TEST_F(TakenOverWorker, CannotPourOn) {
  options.reserve_bytes = 0;
  expect_refused(obeying(right + "pour_on\n"), "", "");
  expect_refused(obeying("pour_on\n"), "", "");
}

/// Folder and rights are all there, and yet nothing of it comes into the tree: it is made elsewhere, by berthd.
TEST_F(TakenOverWorker, CannotPutAnythingIntoTheTree) {
  const auto done = obeying("folder a 0755\nsymlink b /etc/passwd\nfolder c 0755\npipe d\nlink b e\nsymlink ../app/f a\n" + right + "folder g 0755\n");
  ASSERT_TRUE(done) << done.error().message;
  std::set<std::string> there;
  for (const auto& one : fs::directory_iterator(target)) there.insert(one.path().filename());
  EXPECT_EQ(there, (std::set<std::string>{"a", "b"}));
  for (const char* path : {"a", "b"}) EXPECT_EQ(files::read(target / path, 100).value_or(""), "1234");
  EXPECT_FALSE(fs::exists(target.string() + ".workshop"));
}

/// Its root, its working directory and its descriptors, while it is half done.
TEST_F(TakenOverWorker, HoldsNothingOfTheTree) {
  const fs::path workshop = target.string() + ".workshop";
  std::stop_source source;
  Result<void> done;
  {
    const std::jthread unpacking([&] { done = unpack_blob(expected, "pour_file a 0644 1234\nfolder ready 0755\nstall\n", 512, source.get_token()); });
    for (int i = 0; i < 2000 && !(fs::exists(workshop / "ready") && fs::exists(target / "a")); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_TRUE(fs::exists(target / "a")) << "else this shows nothing";
    std::size_t workers = 0;
    for (const auto& process : fs::directory_iterator("/proc")) {
      std::error_code none;
      const std::string program = files::read(process.path() / "comm", 100).value_or("");
      const fs::path root = fs::read_symlink(process.path() / "root", none);
      if (program.empty() || !fs::read_symlink(process.path() / "exe", none).string().ends_with("rogue_worker")) continue;
      if (fs::read_symlink(process.path() / "cwd", none) != workshop) continue;  // of another test
      ++workers;
#ifndef BERTH_SANITIZE
      EXPECT_EQ(root, workshop);
#endif
      for (const auto& one : fs::directory_iterator(process.path() / "fd", none)) {
        const std::string held = fs::read_symlink(one.path(), none);
        EXPECT_FALSE(held.starts_with(target.string()) && !held.starts_with(workshop.string())) << held;
      }
    }
    EXPECT_EQ(workers, 1U);
    source.request_stop();
  }
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::cancelled);
}

// What it writes when an error is to be explained is compared in full, and thrown away.

TEST_F(TakenOverWorker, CannotPassOffOtherContent) { expect_refused(obeying("file a 0644 1234\nfile b 0644 1235\n"), "b", ""); }

TEST_F(TakenOverWorker, CannotPassOffWhatItWroteItself) { expect_refused(obeying("file a 0644 1234\nfile b 0644 1234\n"), "a", "cut short"); }

TEST_F(TakenOverWorker, CannotLeaveMoreOrLess) {
  expect_refused(obeying("file a 0644 1234\nfile b 0644 1234\nfile c 0644 x\n"), "c", "not in the signed index");
  expect_refused(obeying("file a 0644 1234\nfile b 0644 1234\nfolder d 0755\n"), "d", "not in the signed index");
  expect_refused(obeying("file a 0644 1234\n"), "b", "missing");
}

TEST_F(TakenOverWorker, CannotLeaveOtherModesTypesOrLinks) {
  expect_refused(obeying("file a 0644 1234\nfile b 04755 1234\n"), "b", "mode 4755, not 0644");
  expect_refused(obeying("file a 0644 1234\nlink a b\n"), "", "2 links");
  expect_refused(obeying("file a 0644 1234\npipe b\n"), "b", "a device, pipe or socket, not a file");
  expect_refused(obeying("file a 0644 1234\nsymlink b a\n"), "b", "a link, not a file");
  expect_refused(obeying("file a 0644 1234\nfolder b 0755\n"), "b", "a folder, not a file");
}

TEST_F(TakenOverWorker, CannotLeaveALinkTwice) {
  expected = {link_entry("a", "c"), link_entry("b", "c"), file_entry("c", "1234")};
  expect_refused(obeying("file c 0644 1234\nsymlink a c\nlink a b\n"), "", "2 links");
}

TEST_F(TakenOverWorker, CannotLeaveExtendedAttributes) {
  if (::setxattr(folder.path().c_str(), "user.berth", "x", 1, 0) != 0) GTEST_SKIP() << "the file system has none";
  expect_refused(obeying("file a 0644 1234\nfile b 0644 1234\nattribute b\n"), "b", "extended attribute 'user.berth'");
  expect_refused(obeying("file a 0644 1234\nfile b 0644 1234\ncapabilities b\n"), "a", "cut short");  // a worker may not even set capabilities
}

TEST_F(TakenOverWorker, IsRefusedForWhatItTriesOrClaims) {
  expect_refused(obeying("sandbox\n" + right + "socket\n"), "signal SIGSYS", "");
  expect_refused(obeying(right + "exit 1\n"), "", "");
  const auto full = obeying(right + "exit 2\n");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Errc::no_space);
}

TEST_F(TakenOverWorker, IsNotHeldAgainstTheLayerWhenSomebodyKillsIt) {
  std::ifstream children(fmt::format("/proc/self/task/{}/children", ::gettid()));
  const std::jthread killer([&] {
    pid_t pid = 0;
    for (int i = 0; i < 1000 && !(children >> pid); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      children.clear();
      children.seekg(0);
    }
    if (pid > 0) kill_one(pid, SIGKILL);
  });
  const auto done = obeying(right + "stall\n");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::io);
  EXPECT_THAT(done.error().message, HasSubstr("killed from outside"));
}

TEST_F(TakenOverWorker, DiesBeforeItsWorkIsLookedAt) {
  std::stop_source source;
  source.request_stop();
  const auto done = unpack_blob(expected, right + "stall\n", 512, source.get_token());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::cancelled);
}

}  // namespace
}  // namespace berth::fetch
