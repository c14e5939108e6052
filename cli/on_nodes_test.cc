#include "cli/nodes_fixture.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/on_nodes.h"
#include "cli/run_berth.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST_F(NodesTest, WhatWasNotAskedIsToldOfEachNodeInJson) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  const Ran ran = run_berth({"stop", "web", "--json", "--node", "127.0.0.1:1", "--node", "127.0.0.1:2", "--node", "127.0.0.1:3"});
  EXPECT_EQ(ran.exit, 6);
  EXPECT_THAT(ran.err, AllOf(HasSubstr(R"({"node":"127.0.0.1:1","problem":{"code":"unreachable")"),
                             HasSubstr(R"({"node":"127.0.0.1:2","problem":{"code":"cancelled","detail":"not asked: berth stop stopped at 127.0.0.1:1, which failed","exit":8}})"),
                             HasSubstr(R"({"node":"127.0.0.1:3","problem":{"code":"cancelled","detail":"not asked: )")));
}

TEST_F(NodesTest, EndsAreSeenWhereTheCallerIgnoresSigchld) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  const auto ignore = [] { ::signal(SIGCHLD, SIG_IGN); };
  EXPECT_EQ(run_berth({"status", "--node", "127.0.0.1:1", "--node", "127.0.0.1:2"}, ignore).exit, 6);
  EXPECT_EQ(run_berth({"stop", "web", "--node", "127.0.0.1:1", "--node", "127.0.0.1:2"}, ignore).exit, 6);
}

/// From here on no process can be begun.
void refuse_fork() {
  sock_filter rules[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
                         {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, __NR_clone},
                         {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EAGAIN},
                         {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  const sock_fprog program{.len = 4, .filter = rules};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) ::_exit(99);
}

TEST_F(NodesTest, ANodeThatCannotBeAskedFailed) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  const Ran reads = run_berth({"status", "--node", "127.0.0.1:1", "--node", "127.0.0.1:2"}, refuse_fork);
  EXPECT_EQ(reads.exit, 1);
  EXPECT_THAT(reads.err, AllOf(HasSubstr("127.0.0.1:1: berth: it was not asked: begin a process"), HasSubstr("127.0.0.1:2: berth: it was not asked: begin a process")));
  const Ran changes = run_berth({"stop", "web", "--json", "--node", "127.0.0.1:1", "--node", "127.0.0.1:2"}, refuse_fork);
  EXPECT_EQ(changes.exit, 1);
  EXPECT_THAT(changes.err, AllOf(HasSubstr(R"({"node":"127.0.0.1:1","problem":{"code":"io","detail":"it was not asked: )"), HasSubstr(R"({"node":"127.0.0.1:2","problem":{"code":"cancelled")")));
}

#ifndef BERTH_CHECKS_TAKE_DESCRIPTORS
TEST_F(NodesTest, OneThatHasNoPlaceForItsAnswerDoesNotSilenceTheOthers) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  const auto few_files = [] {
    const rlimit few{9, 9};
    ::setrlimit(RLIMIT_NOFILE, &few);
  };
  const Ran ran = run_berth({"status", "--node", "127.0.0.1:1", "--node", "127.0.0.1:2", "--node", "127.0.0.1:3", "--node", "127.0.0.1:4"}, few_files);
  EXPECT_EQ(ran.exit, 6) << "as the first one";
  EXPECT_THAT(ran.err, AllOf(HasSubstr("127.0.0.1:1: berth: berthd at 127.0.0.1:1"), HasSubstr("127.0.0.1:4: berth: it was not asked: make a file in /tmp")));
}
#endif

/// A verb that works at several nodes, whose begins and ends are in a file.
class ManyNodesTest : public NodesTest {
 protected:
  ManyNodesTest() {
    console.socket = usual_socket();
    say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  }

  void note(const std::string& what) const {
    const std::string text = what + "\n";
    const int fd = ::open((folder.path() / "noted").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(fd);
  }
  Exit run(std::optional<std::int64_t> parallel, const std::string& failing = "", Remotely remotely = Remotely::changes) {
    std::filesystem::remove(folder.path() / "noted");
    console.parallel = parallel;
    console.nodes = {"n1", "n2", "n3", "n4", "n5", "n6"};
    Verb verb{.name = "try", .summary = "", .action = [&](Console& own) -> Result<Exit> {
                note("begin " + own.node->name);
                if (own.node->name == failing) return fail(Errc::conflict, "it does not want to");
                std::this_thread::sleep_for(std::chrono::milliseconds(failing.empty() ? 400 : 800));
                note("end " + own.node->name);
                own.line(own.room() > 0 ? fmt::format("{} columns", own.room()) : "done");
                return Exit::ok;
              }};
    verb.remotely = remotely;
    const auto exit = run_where_asked(verb, console, "berth try");
    EXPECT_TRUE(exit) << exit.error().message;
    std::fflush(console.out);
    return exit ? *exit : Exit::usage;
  }
  std::vector<std::string> noted() const {
    std::ifstream file(folder.path() / "noted");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  /// How many were under way at once at the most.
  std::ptrdiff_t most() const {
    std::ptrdiff_t now = 0, most = 0;
    for (const std::string& line : noted()) most = std::max(most, now += line.starts_with("begin") ? 1 : -1);
    return most;
  }
  static std::string content(std::FILE* file) {
    std::rewind(file);
    std::string text(8192, ' ');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    return text;
  }

  Console console{.out = std::tmpfile(), .err = std::tmpfile()};
};

TEST_F(ManyNodesTest, ChangesAreMadeOneAfterTheOtherUnlessItIsSaid) {
  EXPECT_EQ(run({}), Exit::ok);
  EXPECT_EQ(most(), 1);
  EXPECT_EQ(noted().size(), 12u);
  EXPECT_EQ(noted()[2], "begin n2");
}

TEST_F(ManyNodesTest, ChangesAreMadeSoManyAtOnce) {
  EXPECT_EQ(run(3), Exit::ok);
  EXPECT_EQ(most(), 3);
  EXPECT_EQ(noted().size(), 12u);
  const std::string out = content(console.out);
  for (const char* name : {"n1", "n2", "n3", "n4", "n5", "n6"}) EXPECT_THAT(out, HasSubstr(std::string(name) + ": done\n"));
}

TEST_F(ManyNodesTest, LinesAtATerminalEndWhereItDoesBehindTheNamesOfNodes) {
  console.terminal = true;
  EXPECT_EQ(run(3), Exit::ok);
  EXPECT_THAT(content(console.out), HasSubstr("n1: 76 columns\n"));
}

TEST_F(ManyNodesTest, NoneIsBegunAfterTheFirstThatFailed) {
  EXPECT_EQ(run(2, "n2"), Exit::conflict);
  const auto lines = noted();
  EXPECT_THAT(lines, testing::UnorderedElementsAre("begin n1", "begin n2", "end n1")) << "what is under way is waited for";
  EXPECT_THAT(content(console.err), AllOf(HasSubstr("n2: berth: it does not want to\n"), HasSubstr("berth try: stopped at the first that failed; nothing was asked of n3, n4, n5, n6\n")));
}

TEST_F(ManyNodesTest, DocumentsComeWhole) {
  console.json = true;
  EXPECT_EQ(run(6, "n4"), Exit::conflict);
  EXPECT_THAT(content(console.err), HasSubstr("{\"node\":\"n4\",\"problem\":{"));
}

TEST_F(ManyNodesTest, ReadsHaveABoundToo) {
  EXPECT_EQ(run(2, "", Remotely::reads), Exit::ok);
  EXPECT_EQ(most(), 2);
  EXPECT_EQ(run({}, "", Remotely::reads), Exit::ok);
  EXPECT_EQ(most(), 6);
}

TEST_F(NodesTest, HowManyAtOnceHasBounds) {
  for (const char* wrong : {"0", "65", "-1"}) EXPECT_THAT(run_berth({"status", "--parallel", wrong}).err, HasSubstr(fmt::format("berth status: --parallel {}: it is from 1 to 64", wrong)));
  EXPECT_THAT(run_berth({"status", "--parallel", "two"}).err, HasSubstr("--parallel two: a whole number is wanted"));
  EXPECT_THAT(run_berth({"build", ".", "--parallel", "2"}).err, HasSubstr("berth build: it asks no berthd elsewhere, so that it takes no --parallel"));
}

TEST_F(NodesTest, SeveralAreNotFollowed) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  for (const std::vector<std::string>& call : {std::vector<std::string>{"events", "-f"}, {"logs", "web", "-f"}}) {
    auto several = call;
    several.insert(several.end(), {"--node", "127.0.0.1:1", "--node", "127.0.0.1:2"});
    const Ran ran = run_berth(several);
    EXPECT_EQ(ran.exit, 2) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("berth " + call.front() + ": one node at a time can be followed: name it alone with --node"));
  }
}

}  // namespace
}  // namespace berth::cli
