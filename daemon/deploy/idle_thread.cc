#include "daemon/deploy/idle_thread.h"

#include <linux/ioprio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace berth::deploy {

// Not SCHED_IDLE: such a thread can be kept off the processor for so long that whoever waits for a lock it holds, the allocator's for one, waits too.
void give_way() {
  ::syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
  ::setpriority(PRIO_PROCESS, 0, 19);  // of this thread alone, as Linux has it
}

}  // namespace berth::deploy
