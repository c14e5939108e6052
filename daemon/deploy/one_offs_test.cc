#include "daemon/deploy/one_offs.h"

#include <gtest/gtest.h>

#include "daemon/deploy/app_facts.h"
#include "daemon/supervise/exit_text.h"

namespace berth::deploy {
namespace {

std::string result_after(keeper::Cause cause, int status, bool killed = false) {
  keeper::LastExit exit{};
  exit.cause = cause;
  exit.status = status;
  exit.killed = killed ? 1 : 0;
  exit.error = killed ? 2000 : 0;
  return result_of(supervise::describe_exit(exit, "/bin/sh"));
}

TEST(ResultOfAOneOff, IsWhatTheHistoryShows) {
  EXPECT_EQ(result_after(keeper::Cause::exit, 0), "ok");
  EXPECT_EQ(result_after(keeper::Cause::exit, 3 << 8), "exited with 3");
  EXPECT_EQ(result_after(keeper::Cause::signal, 9), "was killed by SIGKILL");
  EXPECT_EQ(result_after(keeper::Cause::oom, 9), "was killed by the kernel for its memory");
}

TEST(ResultOfAOneOff, OfOneThatWasStoppedIsNoneOfItsOwnHoweverThatEnded) {
  for (const int status : {0, 143 << 8, 15}) EXPECT_EQ(result_after(keeper::Cause::stopped, status), "was stopped from outside") << status;
  EXPECT_EQ(result_after(keeper::Cause::stopped, 9, true), "was stopped from outside") << "it did not end in its time";
}

}  // namespace
}  // namespace berth::deploy
