#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/keeper/client.h"
#include "daemon/keeper/control.h"
#include "daemon/keeper/launch.h"
#include "daemon/keeper/log_writer.h"
#include "daemon/keeper/notice.h"
#include "daemon/keeper/notify_socket.h"
#include "daemon/keeper/protocol.h"

namespace berth::keeper {

/// The parent of one instance: starts it, starts it again by its rules, writes its logs, stops it. One thread, one poll, no heap.
class Keeper {
 public:
  /// Listens at `socket`, logs to `log_directory`. False, with a line on stderr, when it cannot.
  bool begin(const char* socket, const char* log_directory, bool delegated);
  /// Runs until the app was stopped for good, or no launch came; the program's exit code.
  int run();

 private:
  // what happens
  void on_signals();
  void on_children();
  void on_message(Message* message);
  void on_launch(Message* message);
  void on_timers(int64_t now);
  void on_executed();
  void on_notices();
  void on_silence();
  void on_client();
  void on_main_exit(int status);
  void on_stopped();
  void leave();

  // what is done about it
  void start_app();
  bool fork_app(StartFailure* failure);
  void stop_main();
  void request_stop(int64_t grace_ms);
  void request_restart(bool liveness, const char* reason);
  void clear_leftovers();
  void go_on();
  void kill_everything();
  void send_state(Event event);
  bool begin_notices(StartFailure* failure);
  void feed_watchdog();
  void tell_client();
  void tell_notice();
  void send_fds();

  bool read_stream(Stream stream, int most);
  void drain();
  int timeout(int64_t now) const;
  bool busy() const { return state_.phase == Phase::running || state_.phase == Phase::starting; }

  Control control_;
  LogWriter log_;
  LaunchRules rules_;
  CrashLoop crash_loop_;
  State state_{};
  const char* log_directory_ = nullptr;
  char own_cgroup_[320] = {};      ///< the leaf for the app in a cgroup that systemd delegated
  int signals_ = -1;
  int pipes_[2][2] = {{-1, -1}, {-1, -1}};  ///< stdout and stderr; kept for good, so that a new process goes on in the old pipes
  int launch_ = -1;
  int sockets_[kMostSockets] = {};
  int socket_count_ = 0;
  int executed_ = -1;              ///< ends when the child executed the app's program, else tells a StartFailure
  int early_exits_ = 0;            ///< in a row; see waits_for_next_start
  unsigned long oom_kills_ = 0;
  int64_t started_ = 0;            ///< monotonic ms, as all times below; 0: none
  int64_t launch_deadline_ = 0;
  int64_t kill_at_ = 0;
  int64_t start_at_ = 0;
  int64_t settled_at_ = 0;
  int64_t release_at_ = 0;
  Client client_;                  ///< of a one-off command
  bool client_left_ = false;       ///< before that ended
  NotifySocket notify_;
  Notice notice_;                  ///< of the present process
  int64_t watchdog_ms_ = 0;        ///< in force for the present process
  int64_t watchdog_at_ = 0;
  int64_t watchdog_first_ = 0;     ///< no deadline comes before
  bool triggered_ = false;         ///< this run of the app said WATCHDOG=trigger
  int64_t notice_told_ = 0, tell_notice_at_ = 0;
  int64_t extend_ms_ = 0;          ///< not told yet
  bool want_stop_ = false, want_restart_ = false, restart_is_liveness_ = false;
  bool hold_ = false;              ///< the sockets, when stopped
  uint64_t dropped_told_ = 0;
  bool killing_ = false;           ///< the grace is over
  bool done_ = false;
};

}  // namespace berth::keeper
