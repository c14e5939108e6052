#include "core/kill_one.h"
#include "daemon/supervise/left_behind.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::supervise {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// A process that no SIGKILL ends while it lives: its tracer holds it in its exit, as a disk that hangs would.
class Unkillable {
 public:
  Unkillable() : pid_(::fork()) {
    if (pid_ == 0) {
      for (;;) ::pause();
    }
    EXPECT_EQ(::ptrace(PTRACE_SEIZE, pid_, nullptr, PTRACE_O_TRACEEXIT), 0);
  }
  Unkillable(const Unkillable&) = delete;
  Unkillable& operator=(const Unkillable&) = delete;
  ~Unkillable() { end(); }

  void end() {
    if (pid_ <= 0) return;
    kill_one(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) == pid_ && !WIFEXITED(status) && !WIFSIGNALED(status)) ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
    pid_ = -1;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

class LeftBehindTest : public testing::Test {
 protected:
  void note(const std::string& key, const std::string& instance, pid_t pid) {
    const auto info = process_info(pid);
    ASSERT_TRUE(info);
    const auto noted = note_left_behind((folder.path() / (key + ".sock")).string(), instance, Orphan{.pid = pid, .start = info->start, .cgroup = {}, .pipes = {}});
    ASSERT_TRUE(noted) << noted.error().message;
  }
  std::vector<std::string> left(const std::string& app) { return left_behind(folder.path().string(), app); }
  bool is_empty() const { return std::filesystem::is_empty(folder.path()); }

  files::TemporaryDirectory folder;
};

TEST_F(LeftBehindTest, IsKnownOfTheAppUntilTheProcessHasEnded) {
  Unkillable process;
  const auto info = process_info(process.pid());
  ASSERT_TRUE(info);
  std::ofstream(folder.path() / "a.sock.1.left") << "web/web.1@v1\n" << process.pid() << " " << info->start << "\n";
  EXPECT_THAT(left("web"), ElementsAre("web/web.1@v1, pid " + std::to_string(process.pid())));
  EXPECT_THAT(left("web"), testing::SizeIs(1)) << "SIGKILL does not end it";
  EXPECT_THAT(left("api"), IsEmpty());
  EXPECT_THAT(left("we"), IsEmpty());
  process.end();
  EXPECT_THAT(left("web"), IsEmpty());
  EXPECT_TRUE(is_empty()) << "the file went with it";
}

TEST_F(LeftBehindTest, WhoseItIsNobodyKnowsCountsForEveryApp) {
  Unkillable process;
  const auto info = process_info(process.pid());
  ASSERT_TRUE(info);
  std::ofstream(folder.path() / "a.sock.1.left") << "\n" << process.pid() << " " << info->start << "\n";
  EXPECT_THAT(left("web"), ElementsAre("pid " + std::to_string(process.pid())));
  EXPECT_THAT(left("api"), testing::SizeIs(1));
}

TEST_F(LeftBehindTest, ALaterProcessOfTheSameNumberIsNotMeantAndLives) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (;;) ::pause();
  }
  const auto info = process_info(pid);
  ASSERT_TRUE(info);
  std::ofstream(folder.path() / "a.sock.1.left") << "web/web.1@v1\n" << pid << " " << info->start + 1 << "\n";
  std::ofstream(folder.path() / "b.sock.1.left") << "web/web.2@v1\nwhat is this\n";
  EXPECT_THAT(left("web"), IsEmpty());
  EXPECT_TRUE(is_empty());
  EXPECT_EQ(kill_one(pid, 0), 0);
  kill_one(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST_F(LeftBehindTest, TheSessionOfAnOrphanIsWrittenDown) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setsid();
    static_cast<void>(::write(ready[1], "x", 1));
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  note("k", "web/web.1@v1", pid);
  const auto text = files::read(folder.path() / ("k.sock." + std::to_string(pid) + ".left"), 1000);
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, testing::StartsWith("web/web.1@v1\n" + std::to_string(pid) + " "));
  kill_one(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  note_left_behind((folder.path() / "other.sock").string(), "web/web.2@v1", Orphan{.pid = pid, .start = 1, .cgroup = {}, .pipes = {}}).value();
  EXPECT_FALSE(std::filesystem::exists(folder.path() / ("other.sock." + std::to_string(pid) + ".left"))) << "nothing of it lives";
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(ProcText, IsEmptyWhereReadingFailsAfterOpeningDidNot) {
  EXPECT_EQ(proc_text("/proc/self"), "") << "as for a process that ends in between";
  EXPECT_EQ(proc_text("/proc/0/stat"), "");
  EXPECT_FALSE(proc_text("/proc/self/stat").empty());
}

}  // namespace
}  // namespace berth::supervise
