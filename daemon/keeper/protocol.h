#pragma once

// What berthd and a keeper say to each other over the keeper's SOCK_SEQPACKET socket: plain structs of one machine, for C++ with and
// without its standard library. docs/formats.md describes them.
//
// Versions: a message only grows, at its end, and no number is ever given anew. Whoever reads one takes what it does not have for zero and passes over
// what it does not know. berthd speaks to a keeper in the lower of both versions; version 1 wants exactly the sizes that it knows.

#include <stddef.h>
#include <stdint.h>

namespace berth::keeper {

// Tests build keepers of other versions.
#ifndef BERTH_KEEPER_PROTOCOL
#define BERTH_KEEPER_PROTOCOL 2
#endif
inline constexpr uint16_t kProtocolVersion = BERTH_KEEPER_PROTOCOL;
inline constexpr uint16_t kTakesOver = 2;                 ///< the first version that knows `take_over`, `renew` and `watch`
inline constexpr int kMostSockets = 64;                   ///< listening sockets of one instance
inline constexpr int kMostGroups = 4096;                  ///< supplementary ones of one instance
inline constexpr size_t kMostMessage = 4096;              ///< bytes
inline constexpr size_t kMostLaunch = size_t{4} << 20;    ///< bytes of a launch

enum class Type : uint16_t {
  // to the keeper
  launch = 1,  ///< Header, with the sealed memfd of the launch, then the listening sockets, and, with `attached`, the client's files; while an app runs: for its next start
  stop,        ///< Stop
  restart,     ///< Restart
  signal,      ///< Signal
  get_fds,     ///< Header; answered by `fds`
  hold,        ///< Header; once stopped, keep the listening sockets until `leave`
  leave,       ///< Header; to a keeper that holds
  take_over,   ///< TakeOver, with the launch's memfd, the read ends of stdout and stderr, and then the listening sockets; in place of the first launch
  renew,       ///< Renew
  watch,       ///< Header; the app's startup probe passed: what it says by WATCHDOG=1 counts from now on
  // from the keeper
  state = 64,  ///< State: on connecting, and after every change
  notified = 66,  ///< Notified: on connecting, and after a change; of a launch that has `notify` alone
  fds = 65,       ///< Header, then the sockets' names, NUL after each; with the sockets and the read ends of stdout and stderr
};

struct Header {
  Type type;
  uint16_t version;
  uint32_t size;  ///< of the whole message
};

struct Stop {
  Header header;
  int64_t grace_ms;  ///< -1: the launch's
};

struct Restart {
  Header header;
  uint8_t liveness;  ///< because its liveness probe failed
  char reason[159];  ///< NUL-terminated
};

struct Signal {
  Header header;
  int32_t signal;
};

enum class Phase : uint8_t {
  blank,     ///< waits for its launch
  starting,  ///< forked; the app's program is not executed yet
  running,
  clearing,  ///< the main process ended; processes that it left behind are being stopped
  waiting,   ///< starts again after a pause
  ended,     ///< by policy not started again
  stopping,  ///< for good
  holding,   ///< stopped for good; the listening sockets are still held
};

enum class Event : uint8_t {
  hello, started, exited, waiting, ended, stopping, gone, settled,
  logs_dropped,  ///< lines were written or lost since the counters of the log were told
  taken,        ///< it keeps the app of a keeper that was killed
  renewed,      ///< it is another program now
  not_renewed,  ///< see `refusal`
};

/// Why the app's main process ended.
enum class Cause : uint8_t {
  none,
  exit,         ///< by itself
  signal,       ///< by a signal that the keeper did not send
  liveness,     ///< its liveness probe failed
  oom,          ///< the kernel killed it for its memory
  asked,        ///< restarted by request
  stopped,
  not_started,  ///< its program could not be executed; see `stage` and `error`
  unknown,      ///< its keeper had been killed before, and only a parent is told
};
inline constexpr int kCauses = 8;  ///< those that `exits` counts; `unknown` has a counter of its own

/// Where starting an app failed.
enum class Stage : uint8_t {
  none, pipe, fork, read_launch, join_cgroup, open_null, pass_sockets, set_user, enter_directory, execute,
  make_root, mount_folder, mount_dev, mount_memory, mount_proc,  // of a process whose root is its image
  set_limits, bind_notify,
  take_terminal,
  confine, filter_calls, drop_capabilities,  // of a sandbox
  set_resources,
  see_mounts,  // of another process
};

struct LastExit {
  Cause cause;
  Stage stage;
  uint8_t killed;   ///< it was asked to end, did not in its time, and was killed; 0 from keepers of before, which leave these two bytes empty
  uint8_t reserved;
  int32_t error;    ///< errno, with `not_started`; with `killed`: the ms that it had
  int32_t status;   ///< as waitpid gives it
  int64_t at_ms;    ///< wall clock, since 1970
  int64_t ran_ms;
  char reason[160]; ///< what `Restart` said
};

struct State {
  Header header;
  Event event;
  Phase phase;
  uint8_t crash_loop;
  uint8_t reserved;
  int32_t keeper_pid;
  int32_t app_pid;          ///< 0: none
  int64_t started_ms;       ///< wall clock of the last start
  int64_t wait_ms;          ///< with Event::waiting
  uint64_t starts;
  uint64_t exits[kCauses];  ///< by Cause
  LastExit last_exit;       ///< `cause` is none before the first
  uint64_t launch_digest;   ///< of the newest launch
  uint64_t log_lines;       ///< written by this keeper
  uint64_t log_dropped;     ///< lost by it, since the disk did not take them
  char id[160];             ///< "web/worker.2@v42"
  char cgroup[320];         ///< folder of the app's cgroup; empty: none
  // from version 2 on
  uint64_t exits_unknown;
  char refusal[160];        ///< with Event::not_renewed: why
};
static_assert(sizeof(State) <= kMostMessage);
inline constexpr size_t kStateOfVersion1 = offsetof(State, exits_unknown);
inline constexpr size_t kStateSize = kProtocolVersion == 1 ? kStateOfVersion1 : sizeof(State);

/// What was known of an instance whose keeper was killed.
struct TakeOver {
  Header header;
  int32_t app_pid;          ///< below 0: no process of it is left, and what is to be read is of the one that had the pid without its sign; 0: none is known
  uint8_t crash_loop;
  uint8_t ready, reloading, stopping;  ///< as in Notified
  uint64_t app_start;       ///< field 22 of /proc/PID/stat, which tells it from a later process of that pid
  int64_t started_ms;
  uint64_t starts;
  uint64_t exits[kCauses];
  uint64_t exits_unknown;
  LastExit last_exit;
  char status[200];
  int64_t watchdog_ms;      ///< as in Notified
};
inline constexpr size_t kLeastTakeOver = offsetof(TakeOver, watchdog_ms);

/// It is to become another program by exec, with the same pid and the same app.
struct Renew {
  Header header;
  char program[512];        ///< path, NUL-terminated
};
inline constexpr size_t kMostAsked = 768;  ///< bytes of a message to a keeper
static_assert(sizeof(TakeOver) <= kMostAsked && sizeof(Renew) <= kMostAsked);

/// What the app said of itself by sd_notify.
struct Notified {
  Header header;
  uint8_t ready, reloading, stopping, reserved;
  int32_t app_pid;      ///< of which process this is
  int64_t extend_ms;    ///< so much of the time that it asked for is left; 0: none
  uint64_t refused;     ///< messages of strangers
  char status[200];
  int64_t watchdog_ms;  ///< it set the time itself within which WATCHDOG=1 is to come; 0: it did not
};
static_assert(sizeof(Notified) <= kMostMessage);
inline constexpr size_t kLeastNotified = offsetof(Notified, watchdog_ms);
inline constexpr size_t kNotifiedSize = kProtocolVersion == 1 ? kLeastNotified : sizeof(Notified);

/// Tells launches apart (FNV-1a).
inline uint64_t digest(const void* bytes, size_t size) {
  uint64_t hash = 0xcbf29ce484222325u;
  const unsigned char* p = static_cast<const unsigned char*>(bytes);
  for (size_t i = 0; i < size; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
  return hash;
}

}  // namespace berth::keeper
