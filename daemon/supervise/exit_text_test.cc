#include "daemon/supervise/exit_text.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <set>

#include <gtest/gtest.h>

#include "core/files/files.h"

namespace berth::supervise {
namespace {

keeper::LastExit exit_by(keeper::Cause cause, int status = 0) { return {.cause = cause, .status = status, .at_ms = 1795510800123, .ran_ms = 1200}; }

TEST(ExitText, SaysHowAnInstanceEnded) {
  EXPECT_EQ(describe_exit(exit_by(keeper::Cause::exit, 1 << 8), "").reason, "exited with 1");
  EXPECT_EQ(describe_exit(exit_by(keeper::Cause::signal, SIGSEGV), "").reason, "killed by SIGSEGV");
  EXPECT_EQ(describe_exit(exit_by(keeper::Cause::signal, SIGABRT | 0x80), "").reason, "killed by SIGABRT (core dumped)");
  EXPECT_EQ(describe_exit(exit_by(keeper::Cause::oom, SIGKILL), "").reason, "oom");
  EXPECT_EQ(describe_exit(exit_by(keeper::Cause::stopped), "").reason, "stopped");
}

TEST(ExitText, SaysThatOneHadToBeKilledThatWasAskedToEnd) {
  auto exit = exit_by(keeper::Cause::stopped, SIGKILL);
  exit.killed = 1;
  exit.error = 2000;
  const std::string how = "it did not end within 2s of being asked to, and was killed";
  EXPECT_EQ(describe_exit(exit, "").reason, "stopped: " + how);
  EXPECT_TRUE(describe_exit(exit, "").killed);
  EXPECT_EQ(describe_exit(exit, "").kind, "") << "it was to end";
  exit.cause = keeper::Cause::asked;
  EXPECT_EQ(describe_exit(exit, "").reason, "restarted: " + how);
  std::strcpy(exit.reason, "by root");
  EXPECT_EQ(describe_exit(exit, "").reason, "restarted: by root; " + how);
  exit.cause = keeper::Cause::liveness;
  EXPECT_EQ(describe_exit(exit, "").reason, "by root; " + how);
  EXPECT_FALSE(describe_exit(exit_by(keeper::Cause::stopped), "").killed);
}

TEST(ExitText, RepeatsWhyARestartWasAskedFor) {
  auto exit = exit_by(keeper::Cause::asked);
  EXPECT_EQ(describe_exit(exit, "").reason, "restarted");
  std::strcpy(exit.reason, "by root");
  EXPECT_EQ(describe_exit(exit, "").reason, "restarted: by root");
  exit.cause = keeper::Cause::liveness;
  EXPECT_EQ(describe_exit(exit, "").reason, "by root");
}

TEST(ExitText, NamesTheProgramThatCouldNotBeStarted) {
  auto exit = exit_by(keeper::Cause::not_started);
  exit.stage = keeper::Stage::execute;
  exit.error = ENOENT;
  EXPECT_EQ(describe_exit(exit, "/slots/v1/bin/server").reason, "could not execute /slots/v1/bin/server: No such file or directory");
}

TEST(ExitText, NamesTheInterpreterThatIsNotThere) {
  const files::TemporaryDirectory folder;
  auto exit = exit_by(keeper::Cause::not_started);
  exit.stage = keeper::Stage::execute;
  exit.error = ENOENT;
  const auto reason = [&](const std::string& script, const std::string& root = {}) {
    EXPECT_TRUE(files::replace(folder.path() / "run", script));
    return describe_exit(exit, root.empty() ? (folder.path() / "run").string() : "/run", root).reason;
  };
  const std::string program = (folder.path() / "run").string(), plain = "could not execute " + program + ": No such file or directory";
  EXPECT_EQ(reason("#!/usr/bin/nosuch -x\n"), "could not execute " + program + ": its interpreter /usr/bin/nosuch is not there");
  EXPECT_EQ(reason("#! /usr/bin/nosuch"), "could not execute " + program + ": its interpreter /usr/bin/nosuch is not there");
  EXPECT_EQ(reason("#!/bin/sh\n"), plain);
  EXPECT_EQ(reason("\x7f" "ELF"), plain);
  EXPECT_EQ(reason("#!/bin/sh\n", folder.path().string()), "could not execute /run: its interpreter /bin/sh is not there") << "in the image";
  exit.error = EACCES;
  EXPECT_EQ(reason("#!/usr/bin/nosuch\n"), "could not execute " + program + ": Permission denied");
}

TEST(ExitText, GivesTimesInUtc) {
  const auto exit = describe_exit(exit_by(keeper::Cause::exit), "");
  EXPECT_EQ(exit.at, "2026-11-24T09:00:00.123Z");
  EXPECT_EQ(exit.ran, std::chrono::milliseconds(1200));
  EXPECT_EQ(time_text(0), "");
}

TEST(ExitText, CountsOnlyWhatHappened) {
  keeper::State state{};
  EXPECT_TRUE(count_exits(state).empty());
  state.exits[static_cast<int>(keeper::Cause::signal)] = 2;
  state.exits[static_cast<int>(keeper::Cause::asked)] = 5;
  EXPECT_EQ(count_exits(state), (std::map<std::string, std::int64_t>{{"signal", 2}}));
}

TEST(ExitText, ListsEveryReasonThatItCounts) {
  keeper::State state{};
  for (auto& count : state.exits) count = 1;
  state.exits_unknown = 1;
  std::set<std::string_view> counted;
  const auto counts = count_exits(state);
  for (const auto& [reason, count] : counts) counted.insert(reason);
  EXPECT_EQ(counted, std::set<std::string_view>(std::begin(kExitReasons), std::end(kExitReasons)));
}

}  // namespace
}  // namespace berth::supervise
