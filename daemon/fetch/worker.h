#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include <sys/types.h>

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::fetch {

/// What a worker may use up.
struct WorkerLimits {
  std::uint64_t memory = 96u << 20;  ///< address space; a decoder's window takes 8 MiB of it
  std::uint64_t file_size = 0;       ///< of each file it writes
  std::uint64_t cpu_seconds = 60;
  std::uint64_t processes = 0;       ///< that it may start
};

/// How a worker is started. The descriptors stay the caller's.
struct WorkerSpec {
  std::string program;
  uid_t uid = 65534;
  gid_t gid = 65534;
  int job = -1;     ///< becomes its stdin
  int blob = -1;    ///< to read
  int target = -1;  ///< a folder, which becomes its whole file system
  int scratch = -1; ///< a file to read and write, or a pipe to write to; -1: none
  WorkerLimits limits;
};

/// An unpack worker: a process of another user that is alone in namespaces of its own for processes, network, IPC and host name, sees no
/// folder but its target, can gain no privilege, has limits, and holds no descriptor but those of `daemon/unpack/job.h`. What it still may ask
/// the kernel it gives up itself first of all (`daemon/unpack/sandbox.h`). It dies with the thread that started it.
class Worker {
 public:
  /// Fails with `Errc::io` or `Errc::permission` where this machine cannot confine it, and says by what step.
  static Result<Worker> start(const WorkerSpec& spec);
  Worker(Worker&&) noexcept;
  Worker& operator=(Worker&&) = delete;
  ~Worker();  ///< as `end`, whatever comes of it

  pid_t pid() const { return pid_; }

  /// When it has to give up.
  struct Patience {
    std::chrono::milliseconds whole{600'000};    ///< for all of it
    std::chrono::milliseconds stalled{60'000};   ///< without any progress
    std::function<Result<void>()> still_fine{};  ///< asked a few times a second; a failure ends it
  };
  /// How it ended.
  struct End {
    int status = 0;                            ///< as of waitpid
    std::chrono::microseconds processor{};     ///< what it used of it
    std::string words;                         ///< what it said at last: one printable line, to be believed by nobody
  };
  /// Waits until it and every process it could have made are dead. `Errc::timeout` or `Errc::cancelled` when it had to be killed.
  Result<End> wait(const Patience& patience, std::stop_token stop);

  /// Kills it where it lives still, and waits until it and every process it could have made are dead. `Errc::io` where the kernel holds on to it for more
  /// than ten seconds: what it was given may still change then.
  Result<void> end();

 private:
  Worker() = default;
  Result<End> reap();
  Result<void> watch(const Patience& patience, const std::stop_token& stop);

  pid_t pid_ = -1;
  Fd pidfd_;
  Fd progress_;
  Fd words_;
  std::string said_;
  bool hangs_ = false;  ///< it did not die by SIGKILL
};

}  // namespace berth::fetch
