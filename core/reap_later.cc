#include "core/reap_later.h"

#include <system_error>
#include <thread>

#include <sys/wait.h>

namespace berth {

void reap_later(pid_t pid, int flags) noexcept {
  try {
    std::thread([pid, flags] { ::waitpid(pid, nullptr, flags); }).detach();
  } catch (const std::system_error&) {
    // It is called where something ends, and nobody could do anything about it.
  }
}

}  // namespace berth
