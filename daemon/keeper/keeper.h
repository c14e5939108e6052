#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/keeper/client.h"
#include "daemon/keeper/control.h"
#include "daemon/keeper/handover.h"
#include "daemon/keeper/launch.h"
#include "daemon/keeper/log_writer.h"
#include "daemon/keeper/notice.h"
#include "daemon/keeper/notify_socket.h"
#include "daemon/keeper/processes.h"
#include "daemon/keeper/protocol.h"

namespace berth::keeper {

/// The parent of one instance: starts it, starts it again by its rules, writes its logs, stops it. One thread, one poll, no heap. What it does about
/// starting and its end is in keeper.cc and keeper_stopping.cc, about berthd's messages in keeper_messages.cc, about what the app says of itself in keeper_notices.cc, about the app of a keeper that was
/// killed in keeper_taking_over.cc, and how it becomes another program in keeper_renewal.cc.
class Keeper {
 public:
  /// Listens at `socket`, logs to `log_directory`. False, with a line on stderr, when it cannot.
  bool begin(const char* socket, const char* log_directory, bool delegated);
  /// Goes on with what another program, which was this process, handed over. False, with a line on stderr, when it cannot.
  bool resume(const char* socket, const char* log_directory, int handover);
  /// Whether it could: reads all of it, and does nothing.
  bool try_to_resume(const char* socket, const char* log_directory, int handover);
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
  void on_lonely();
  void on_main_exit(int status);
  void on_take_over(Message* message);
  void on_orphan_exit();
  void on_renew(const Renew& asked);
  void on_trial_end(int status);
  void on_trial_overdue();
  void on_stopped();
  void leave();

  // what is done about it
  bool set_up_process();
  void start_app();
  bool fork_app(StartFailure* failure);
  void signal_main(int signal);
  void stop_main();
  bool take_launch(const int* fds, int count);
  bool take_pipes(int out, int err);
  void keep(const TakeOver& told);
  int signal_the_strangers(int signal);
  void count_exit(Cause cause);
  void request_stop(int64_t grace_ms);
  void request_restart(bool liveness, const char* reason);
  void clear_leftovers();
  void go_on();
  void kill_everything();
  void send_state(Event event);
  bool begin_notices(StartFailure* failure);
  void feed_watchdog();
  void tell_client();
  void begin_watching();
  void tell_notice();
  void send_fds();
  bool may_renew() const;
  void renew();
  void begin_trial();
  void end_trial();
  void become_next();
  void refuse_renewal(const char* what, int error);
  int hand_over();
  void pass_files_on(bool pass);
  bool take_handover(int handover);
  template <class Exchange>
  void exchange(Exchange& with);

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
  int orphan_ = -1;                ///< pidfd of the app's process where it is no child: a keeper before started it
  int strangers_ = 0;              ///< its session, until nothing of it is left; 0: all that there may be are children
  int executed_ = -1;              ///< ends when the child executed the app's program, else tells a StartFailure
  int early_exits_ = 0;            ///< in a row; see waits_for_next_start
  unsigned long oom_kills_ = 0;
  int64_t started_ = 0;            ///< monotonic ms, as all times below; 0: none
  int64_t launch_deadline_ = 0;
  int64_t kill_at_ = 0;
  int64_t asked_at_ = 0;           ///< when the main process was asked to end; 0: it was not
  int64_t had_ms_ = 0;             ///< how long it had to, once everything is killed
  int64_t start_at_ = 0;
  int64_t settled_at_ = 0;
  int64_t release_at_ = 0;
  int64_t tell_gap_at_ = 0;        ///< in the log, what is missing there; only while something is
  int64_t lonely_at_ = 0;          ///< a bound app is stopped, unless who launched it connects again
  int64_t tell_log_at_ = 0;        ///< how many lines there are since they were told last
  Client client_;                  ///< of a one-off command
  bool client_left_ = false;       ///< before that ended
  int64_t look_at_ = 0;            ///< whether strangers are left: nobody tells
  NotifySocket notify_;
  Notice notice_;                  ///< of the present process
  int64_t watchdog_ms_ = 0;        ///< in force for the present process
  int64_t watchdog_at_ = 0;
  int64_t watchdog_first_ = 0;     ///< no deadline comes before
  bool triggered_ = false;         ///< this run of the app said WATCHDOG=trigger
  int64_t notice_told_ = 0, tell_notice_at_ = 0;
  int64_t extended_until_ = 0;     ///< the present process asked for time until then
  char renew_to_[sizeof(Renew::program)] = {};  ///< the program to become; empty: none
  int trial_ = 0;                  ///< the child in which that is tried; 0: none
  int64_t trial_at_ = 0;           ///< it is overdue
  bool trial_passed_ = false;
  bool want_stop_ = false, want_restart_ = false, restart_is_liveness_ = false;
  bool hold_ = false;              ///< the sockets, when stopped
  uint64_t dropped_told_ = 0;
  bool killing_ = false;           ///< the grace is over
  bool done_ = false;
};

}  // namespace berth::keeper
