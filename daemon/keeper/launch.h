#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/keeper/protocol.h"
#include "daemon/keeper/restart_policy.h"

namespace berth::keeper {

/// Whether a client is at the other end of the app's stdin, stdout and stderr.
enum class Attached : uint8_t { no, plain, terminal };

/// What the keeper itself must know of a launch; the rest is read by the child that becomes the app.
struct LaunchRules {
  char id[160] = {};
  char notify[108] = {};  ///< where the app's notifications are received; empty: it is given no $NOTIFY_SOCKET
  int64_t watchdog_ms = 0;        ///< it is to say WATCHDOG=1 at least so often; 0: it need not
  int64_t watchdog_delay_ms = 0;  ///< from its start, before that counts; -1: from its first READY=1
  char log_tag[96] = {};  ///< `RELEASE:DEPLOYMENT`, for each line of its log; empty: none
  char cgroup[320] = {};  ///< the folder that the app's processes enter; empty: none
  int stop_signal = 15;
  int64_t grace_ms = 10000;
  RestartWhen restart = RestartWhen::always;
  int64_t retries = -1;   ///< starts after the first one; -1: as many as it takes
  Attached attached = Attached::no;
  bool bound = false;  ///< the app ends with whoever launched it
  RestartPolicy policy;
  uint64_t segment_bytes = 10u << 20;
  uint64_t keep_bytes = 100u << 20;
  int64_t segment_age_ms = 0;  ///< 0: none
  uint64_t digest = 0;
};

/// A sealed memfd of `key=value` records, NUL after each, mapped into memory while this lives.
class LaunchFile {
 public:
  explicit LaunchFile(int fd);
  ~LaunchFile();
  LaunchFile(const LaunchFile&) = delete;
  LaunchFile& operator=(const LaunchFile&) = delete;

  /// Whether it is one: sealed, not too long, ends in NUL.
  bool good() const { return bytes_ != nullptr; }
  const char* begin() const { return bytes_; }
  const char* end() const { return bytes_ + size_; }
  size_t size() const { return size_; }

 private:
  char* bytes_ = nullptr;
  size_t size_ = 0;
};

/// The value of a record of that key; null for other records.
const char* value_of(const char* record, const char* key);

/// False where `fd` is no launch.
bool read_rules(int fd, LaunchRules* rules);

/// The names of its listening sockets, NUL after each; returns the bytes written, 0 when they do not fit.
size_t read_socket_names(int fd, char* to, size_t room, int* count);

/// What a failing child tells the keeper.
struct StartFailure {
  Stage stage;
  int32_t error;
};

/// What the child has to become the app.
struct ChildFiles {
  int launch;             ///< the memfd
  int in;                 ///< -1: nothing to read
  int out, err;           ///< write ends of its pipes, or what a client gave
  int failure;            ///< closed by a successful execve, else told a StartFailure
  const int* sockets;
  int socket_count;
  Attached attached;
  pid_t keeper;           ///< who forks it
};

/// In the forked child: becomes the app, or reports and exits.
[[noreturn]] void become_app(const ChildFiles& files, const char* cgroup);

}  // namespace berth::keeper
