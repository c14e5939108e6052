#include "daemon/deploy/idle_thread.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace berth::deploy {
namespace {

// Of linux/ioprio.h, which newer kernels' headers make unfit for C++ (a parameter is named `class`).
constexpr int kWhoProcess = 1, kClassIdle = 3, kClassShift = 13;

}  // namespace

// Not SCHED_IDLE: such a thread can be kept off the processor for so long that whoever waits for a lock it holds, the allocator's for one, waits too.
void give_way() {
  ::syscall(SYS_ioprio_set, kWhoProcess, 0, kClassIdle << kClassShift);
  ::setpriority(PRIO_PROCESS, 0, 19);  // of this thread alone, as Linux has it
}

}  // namespace berth::deploy
