#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/run_berth.h"
#include "core/files/files.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// A home folder whose nodes.toml has credentials, and $BERTH_NODE.
class WhichBerthdTest : public testing::Test {
 protected:
  WhichBerthdTest() {
    const auto config = folder.path() / "berth";
    std::filesystem::create_directories(config);
    for (const char* name : {"me.pem", "me.key"}) std::ofstream(config / name) << "x";
    ::chmod((config / "me.key").c_str(), 0600);
    std::ofstream(config / "nodes.toml") << "certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n";
    ::setenv("XDG_CONFIG_HOME", folder.path().c_str(), 1);
    ::setenv("BERTH_SOCKET", usual.c_str(), 1);
    ::setenv("BERTH_NODE", "127.0.0.1:1", 1);
  }
  ~WhichBerthdTest() override {
    for (const char* name : {"XDG_CONFIG_HOME", "BERTH_SOCKET", "BERTH_NODE"}) ::unsetenv(name);
  }

  files::TemporaryDirectory folder;
  const std::string usual = folder.path() / "api.sock";
};

TEST_F(WhichBerthdTest, ASocketThatIsSaidCountsAlsoWhereItIsTheUsualOne) {
  EXPECT_THAT(run_berth({"hold", "web", "--reason", "x", "--socket", usual}).err, AllOf(HasSubstr("no socket " + usual), Not(HasSubstr("127.0.0.1"))));
  EXPECT_THAT(run_berth({"hold", "web", "--reason", "x"}).err, HasSubstr("127.0.0.1")) << "where none is said the environment counts";
  const Ran both = run_berth({"status", "--node", "127.0.0.1:1", "--socket", usual});
  EXPECT_EQ(both.exit, 2);
  EXPECT_THAT(both.err, HasSubstr("berth status: --node and --socket name two berthds: 127.0.0.1:1 and " + usual));
}

TEST_F(WhichBerthdTest, ASocketWithoutANameIsRefused) {
  const Ran ran = run_berth({"status", "--socket", ""});
  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, HasSubstr("berth status: --socket: it is empty"));
}

TEST_F(WhichBerthdTest, WhatReadsFilesOfANodeSaysThatTheEnvironmentNamesAnother) {
  const std::string backup = folder.path() / "x.tar";
  for (const std::vector<std::string>& call : {std::vector<std::string>{"doctor"}, {"backup", backup}, {"restore", backup, "--force"}}) {
    const Ran ran = run_berth(call);
    EXPECT_EQ(ran.exit, 2) << call.front();
    EXPECT_EQ(ran.out, "") << call.front();
    EXPECT_THAT(ran.err, AllOf(HasSubstr("berth " + call.front() + ": it needs files of the node, so that it takes no --node ($BERTH_NODE): run it there, as in: ssh 127.0.0.1:1 berth " + call.front()),
                               HasSubstr("; for this machine: BERTH_NODE= berth " + call.front())));
  }
  ::setenv("BERTH_NODE", "", 1);
  EXPECT_NE(run_berth({"backup", backup, "--state", folder.path()}).exit, 2) << "it works on this machine then";
  ::setenv("BERTH_NODE", "127.0.0.1:1", 1);
  EXPECT_NE(run_berth({"backup", backup, "--state", folder.path(), "--socket", usual}).exit, 2) << "so it does where the socket is said";
}

}  // namespace
}  // namespace berth::cli
