#include "cli/operator_verbs_fixture.h"

#include <filesystem>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

TEST_F(OperatorVerbs, ASocketThatIsClosedIsOpenToTheGroupThatItsFileNames) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make it somebody else's";
  const std::pair<mode_t, const char*> table[] = {{0600, "is closed to you: be root\n"}, {0660, "is closed to you: be root, or a member of the group daemon\n"}};
  for (const auto& [mode, says] : table) {
    ASSERT_EQ(::chown(daemon.socket().c_str(), 1, 1), 0);
    ASSERT_EQ(::chmod(daemon.socket().c_str(), mode), 0);
    const Ran ran = run_berth({"status", "--socket", daemon.socket()}, respect_modes);
    if (ran.exit == kKeepsCapabilities) GTEST_SKIP() << "no capability may be given up here";
    EXPECT_EQ(ran.exit, 7);
    EXPECT_THAT(ran.err, HasSubstr(says));
    const Ran doctor = run_berth({"doctor", "--socket", daemon.socket()}, respect_modes);
    EXPECT_THAT(doctor.out, AllOf(HasSubstr("is closed to you"), HasSubstr("how berthd is, and its sinks, webhooks, probes and deployments, is not known"), Not(HasSubstr("nothing is deployed, probed"))));
  }
}

TEST_F(OperatorVerbs, TheStateOfAnotherBerthdIsToBeNamed) {
  const files::TemporaryDirectory folder;
  const Ran missing = run_berth({"events", "--verify", "--socket", "/nonexistent/api.sock"});
  EXPECT_EQ(missing.exit, 6) << "not the usual one is read in its place";
  EXPECT_THAT(missing.err, AllOf(HasSubstr("name its folder, by --state DIR"), HasSubstr("berthd does not run here (no socket /nonexistent/api.sock)")));
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make them somebody else's";
  for (const char* name : {"events.log", "berth.db"}) {
    ASSERT_TRUE(files::replace(folder.path() / name, "", 0600));
    ASSERT_EQ(::chown((folder.path() / name).c_str(), 1, 1), 0);
  }
  const Ran closed = run_berth({"events", "--verify", "--state", folder.path()}, respect_modes);
  if (closed.exit == kKeepsCapabilities) GTEST_SKIP() << "no capability may be given up here";
  EXPECT_EQ(closed.exit, 7);
  EXPECT_THAT(closed.err, HasSubstr("berth.db: Permission denied"));
}

TEST_F(OperatorVerbs, ABackupThatCannotBeWrittenSaysWhatIsTheMatter) {
  const files::TemporaryDirectory folder;
  const std::string state = folder.path();
  const Ran to_stdout = berth({"backup", "-", "--state", state}), nowhere = berth({"backup", state + "/none/b.tar", "--state", state});
  EXPECT_EQ(to_stdout.exit, 2);
  EXPECT_THAT(to_stdout.err, HasSubstr("berth backup: -: it writes a file"));
  EXPECT_FALSE(fs::exists("-"));
  EXPECT_EQ(nowhere.exit, 3);
  EXPECT_EQ(nowhere.err, "berth backup: " + state + "/none/b.tar: there is no folder " + state + "/none: make it, or name another file\n");
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make it somebody else's";
  ASSERT_TRUE(files::replace(folder.path() / "berth.db", "", 0600));
  ASSERT_EQ(::chown((folder.path() / "berth.db").c_str(), 1, 1), 0);
  const Ran closed = run_berth({"backup", state + "/b.tar", "--state", state, "--socket", daemon.socket()}, respect_modes);
  if (closed.exit == kKeepsCapabilities) GTEST_SKIP() << "no capability may be given up here";
  EXPECT_EQ(closed.exit, 7);
  EXPECT_THAT(closed.err, HasSubstr("berth.db: Permission denied: root alone may read it: use sudo\n"));
}

}  // namespace
}  // namespace berth::cli
