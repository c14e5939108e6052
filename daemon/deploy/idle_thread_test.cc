#include "daemon/deploy/idle_thread.h"

#include <thread>
#include <tuple>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace berth::deploy {
namespace {

/// Nice, class of the I/O scheduler (3: idle), and policy of the processor's scheduler, of the calling thread.
std::tuple<int, long, long> priority() {
  return {::getpriority(PRIO_PROCESS, 0), ::syscall(SYS_ioprio_get, 1, 0) >> 13, ::syscall(SYS_sched_getscheduler, 0)};
}

TEST(IdleThread, IsTheLastToHaveProcessorAndDiskAndNoOtherThreadIs) {
  const auto before = priority();
  ASSERT_NE(std::get<0>(before), 19) << "else this shows nothing";
  std::tuple<int, long, long> given;
  std::thread([&] {
    give_way();
    given = priority();
  }).join();
  EXPECT_EQ(given, std::tuple(19, 3L, 0L)) << "not SCHED_IDLE: whoever waits for a lock that it holds would wait for long";
  EXPECT_EQ(priority(), before);
}

}  // namespace
}  // namespace berth::deploy
