#include "daemon/secrets/reference.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::secrets {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class SecretCommand : public testing::Test {
 protected:
  /// A program of the node's that does that.
  std::string program(const std::string& script) {
    const auto path = (folder.path() / "get-secret").string();
    EXPECT_TRUE(files::replace(path, "#!/bin/bash\n" + script, 0755));
    sources.commands = {path};
    return "command:" + path;
  }
  std::string value(const std::string& reference) {
    const auto secret = resolve(reference, sources);
    EXPECT_TRUE(secret) << secret.error().message;
    return secret ? std::string(secret->view()) : "";
  }
  Error refused(const std::string& reference) {
    const auto secret = resolve(reference, sources);
    EXPECT_FALSE(secret);
    return secret ? Error{} : secret.error();
  }

  files::TemporaryDirectory folder;
  Sources sources;
};

TEST_F(SecretCommand, GivesWhatItPrintsWithoutTheLastNewline) {
  EXPECT_EQ(value(program("echo hunter2")), "hunter2");
  EXPECT_EQ(value(program("printf 'a\\n\\n'")), "a\n");
  EXPECT_EQ(value(program("true")), "");
}

TEST_F(SecretCommand, GetsItsWordsAsTheyAreWithoutAShell) {
  EXPECT_EQ(value(program("printf '<%s>' \"$@\"") + "  web/token $HOME;id `id` *"), "<web/token><$HOME;id><`id`><*>");
}

TEST_F(SecretCommand, HasNoInputNoFilesAndNoEnvironmentOfBerthd) {
  ::setenv("BERTH_TEST_TOKEN", "of berthd", 1);
  EXPECT_EQ(value(program("cat; ls /proc/self/fd | wc -l; echo ${BERTH_TEST_TOKEN-none} $PATH; pwd")),
            "4\nnone /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n/")
      << "0, 1, 2 and the folder that ls reads";
  ::unsetenv("BERTH_TEST_TOKEN");
}

TEST_F(SecretCommand, IsRefusedUnlessTheNodeNamesIt) {
  const auto reference = program("echo x");
  const std::string path = sources.commands.front();
  EXPECT_EQ(value(reference), "x");
  for (const std::string& other : {path + "2", std::string("/bin/sh"), "/" + path, folder.path().string() + "/./get-secret"}) {
    const auto error = refused("command:" + other + " -c id");
    EXPECT_EQ(error.code, Errc::usage);
    EXPECT_THAT(error.message, AllOf(HasSubstr(other), HasSubstr("'commands' of [secrets] in berthd.toml")));
  }
  for (const char* none : {"command:", "command: ", "command:get-secret"}) EXPECT_EQ(refused(none).code, Errc::usage) << none;
}

TEST_F(SecretCommand, ThatFailsSaysWhyInTheLastLineOfItsStderrAndNeverWhatItPrinted) {
  const auto failed = refused(program("echo hunter2; echo first >&2; echo 'vault is sealed' >&2; exit 3"));
  EXPECT_EQ(failed.code, Errc::io);
  EXPECT_THAT(failed.message, AllOf(HasSubstr("exited with 3: vault is sealed"), Not(HasSubstr("hunter2")), Not(HasSubstr("first"))));
  EXPECT_THAT(refused(program("echo hunter2; kill -SEGV $$")).message, AllOf(HasSubstr("killed by SIGSEGV"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(refused(program("printf 'a\\tb\\033c' >&2; exit 1")).message, HasSubstr("a b c")) << "it stands in logs and terminals";
}

TEST_F(SecretCommand, ThatCannotBeRunIsNamed) {
  const auto reference = program("");
  std::filesystem::permissions(sources.commands.front(), std::filesystem::perms::owner_read);
  EXPECT_EQ(refused(reference).code, Errc::permission);
  std::filesystem::remove(sources.commands.front());
  EXPECT_EQ(refused(reference).code, Errc::not_found);
  EXPECT_THAT(refused(reference).message, HasSubstr(sources.commands.front()));
}

TEST_F(SecretCommand, IsKilledWithAllThatItStartedAtItsDeadline) {
  const auto pids = folder.path() / "pids";
  const auto reference = program("echo hunter2; (trap '' TERM HUP; echo $BASHPID >> " + pids.string() + "; exec sleep 1000) & echo $$ >> " + pids.string() +
                                 "; echo waiting >&2; sleep 1000");
  sources.command_deadline = 1500ms;
  const auto before = std::chrono::steady_clock::now();
  const auto late = refused(reference);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 30s);
  EXPECT_EQ(late.code, Errc::timeout);
  EXPECT_THAT(late.message, AllOf(HasSubstr("took over 1500 ms: waiting"), Not(HasSubstr("hunter2"))));
  std::istringstream list(files::read(pids, 1000).value());
  int count = 0;
  for (pid_t pid = 0; list >> pid; ++count) {
    // It was sent SIGKILL; when it is gone is up to the kernel, and its new parent may bury it late.
    const auto state = [pid] { return files::read("/proc/" + std::to_string(pid) + "/stat", 4096); };
    const auto lives = [&] { return state() && state()->find(") Z ") == std::string::npos; };
    for (int turn = 0; turn < 1000 && lives(); ++turn) std::this_thread::sleep_for(5ms);
    EXPECT_FALSE(lives()) << pid;
  }
  EXPECT_EQ(count, 2);
}

TEST_F(SecretCommand, NeedNotCloseItsOutputForUsToGoOn) {
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(value(program("sleep 1000 & echo hunter2")), "hunter2");
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5s) << "the deadline is 10 s";
}

TEST_F(SecretCommand, MayPrintSoMuchAndNoMore) {
  EXPECT_EQ(value(program("head -c 65536 /dev/zero | tr '\\0' x; echo")).size(), kMostSecret);
  EXPECT_EQ(refused(program("head -c 65537 /dev/zero | tr '\\0' x")).code, Errc::usage);
  EXPECT_EQ(refused(program("exec cat /dev/zero")).code, Errc::usage) << "endless output ends it at once";
  EXPECT_EQ(refused(program("printf 'hunter2\\0x'")).code, Errc::usage);
  EXPECT_THAT(refused(program("for i in {1..2000}; do echo complaint $i >&2; done; echo the end >&2; exit 1")).message, HasSubstr("the end"));
}

}  // namespace
}  // namespace berth::secrets
