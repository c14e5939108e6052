#include "daemon/metrics_token.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "core/io/on_loop.h"

namespace berth {
namespace {

using testing::HasSubstr;

const std::string kFirst = "first-0123456789", kSecond = "second-0123456789";

class MetricsTokenTest : public testing::Test {
 protected:
  /// Another file each time.
  void put(const std::string& text) {
    std::ofstream(folder.path() / "new") << text;
    std::filesystem::rename(folder.path() / "new", folder.path() / "token");
  }
  std::string get(MetricsToken& token) {
    const auto found = io::on_loop(loop, token.get());
    if (!found) return "failed: " + found.error().message;
    return *found == nullptr ? "none" : std::string((*found)->view());
  }
  std::string reference() const { return "file:" + (folder.path() / "token").string(); }

  files::TemporaryDirectory folder;
  io::Loop loop;
  io::Pool pool{1};
};

TEST_F(MetricsTokenTest, IsNoneWhereNoneIsWanted) {
  MetricsToken token(loop, pool, "", {});
  EXPECT_EQ(get(token), "none");
}

TEST_F(MetricsTokenTest, IsAnotherOneWhereItsFileIs) {
  put(kFirst + "\n");
  MetricsToken token(loop, pool, reference(), {});
  EXPECT_EQ(get(token), kFirst);
  put(kSecond);
  EXPECT_EQ(get(token), kSecond);
  EXPECT_EQ(token.problem(), "");
}

TEST_F(MetricsTokenTest, IsTheOneBeforeWhereWhatIsThereNowIsWrong) {
  put(kFirst);
  MetricsToken token(loop, pool, reference(), {});
  EXPECT_EQ(get(token), kFirst);
  for (const std::string& wrong : {std::string(), std::string("short"), kFirst + " " + kSecond, kFirst + "\n" + kSecond, "é" + kFirst}) {
    put(wrong);
    EXPECT_EQ(get(token), kFirst) << wrong;
    EXPECT_THAT(token.problem(), HasSubstr("it is no token: 16 to 4096 visible ASCII characters"));
  }
  std::filesystem::remove(folder.path() / "token");
  EXPECT_EQ(get(token), kFirst);
  EXPECT_THAT(token.problem(), HasSubstr("token"));
  put(kSecond);
  EXPECT_EQ(get(token), kSecond);
  EXPECT_EQ(token.problem(), "");
}

TEST_F(MetricsTokenTest, FailsWhileThereIsNone) {
  MetricsToken token(loop, pool, reference(), {});
  EXPECT_THAT(get(token), HasSubstr("failed: "));
  EXPECT_THAT(token.problem(), HasSubstr("token"));
  put(kFirst);
  EXPECT_EQ(get(token), kFirst);
}

TEST_F(MetricsTokenTest, OfACommandIsLookedUpOnceAndAfterAReload) {
  const auto program = folder.path() / "program";
  std::ofstream(program) << "#!/bin/sh\necho run >> " << (folder.path() / "runs").string() << "\necho token-of-a-command\n";
  ::chmod(program.c_str(), 0755);
  MetricsToken token(loop, pool, "command:" + program.string(), {.commands = {program.string()}});
  EXPECT_EQ(get(token), "token-of-a-command");
  EXPECT_EQ(get(token), "token-of-a-command");
  EXPECT_EQ(std::filesystem::file_size(folder.path() / "runs"), 4u);
  token.look_again();
  EXPECT_EQ(get(token), "token-of-a-command");
  EXPECT_EQ(std::filesystem::file_size(folder.path() / "runs"), 8u);
}

}  // namespace
}  // namespace berth
