#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <sys/types.h>

#include "core/files/fd.h"
#include "core/ids.h"
#include "core/io/http.h"
#include "core/io/loop.h"
#include "core/result.h"
#include "core/spec/app_spec.h"
#include "daemon/keeper/launch_file.h"
#include "daemon/secrets/values.h"

namespace berth::supervise {

/// What the client of a one-off command gives it: borrowed descriptors.
struct ClientFiles {
  int in = -1, out = -1, err = -1;
  int connection = -1;    ///< of `core/attached.h`: its keeper tells there how it ended, and ends it where the other end closes
  bool terminal = false;  ///< stdin and stdout are one terminal, which the command is to control
};

/// All that is needed to run one instance.
struct InstancePlan {
  InstanceId id;                                   ///< with its release
  std::vector<std::string> argv;                   ///< expanded; argv[0] is absolute, in its root
  secrets::WipedValues environment;                ///< all of it but LISTEN_*; with secrets
  std::string root;                                ///< with `root = "image"`: the slot's tree, which is the process's root; else empty
  std::vector<keeper::Mount> mounts;               ///< what it sees of the node there
  std::vector<keeper::Confinement> confinement;    ///< of its sandbox: of paths, where its root is the node's
  spec::Sandbox sandbox;                           ///< the rest of it
  std::string directory;                           ///< working folder, in its root
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;                       ///< supplementary ones
  spec::Stop stop;
  spec::Restart restart = spec::Restart::always;
  std::int64_t retries = -1;                       ///< how often it is started again at most; -1: as often as it takes
  bool once = false;                               ///< where its keeper dies it is not started again, whatever `restart` says: it stays `Phase::lost` until it is stopped
  bool bound = false;                              ///< it ends with this program: stopped when that goes, killed when its keeper does
  spec::LogRules logs;
  spec::Limits limits;
  std::int64_t deployment = 0;                     ///< which brought it, for its log; 0: not known
  std::string log_directory;                       ///< `/var/log/berth/<app>/<process>.<n>`
  std::optional<keeper::SeenProcess> sees;         ///< in the place of `root`, `mounts` and `confinement`: its keeper has the command see what this one sees
  std::optional<ClientFiles> client;               ///< in the place of a log and of an empty stdin; for `once` alone
  std::vector<std::pair<std::string, int>> sockets;  ///< name → listening socket, borrowed
  std::map<std::string, std::string> listen_env;   ///< spec's, `${FD_name}` not yet expanded
  std::optional<spec::Probe> startup, readiness, liveness;
  std::function<void(std::string&)> redact;        ///< takes its secrets out of what it says where that becomes a reason; null: there are none
  std::string notify_socket;                       ///< with a probe of kind `notify`: path on the node at which its keeper receives what it says; else empty
  std::optional<io::Endpoint> probe_endpoint;      ///< where probes that name no port go
  std::map<std::string, std::uint16_t> private_ports;  ///< of 127.0.0.1, where probes go that name one
  /// Readiness also wants the app to use the first of `sockets`: an HTTP readiness probe was answered, or a connection made to
  /// `probe_endpoint` was accepted (the socket's accept queue became empty). Without an endpoint, it is enough that the app holds it open.
  bool must_take_socket = false;
};

enum class Phase {
  starting,   ///< the keeper is being started
  running,    ///< the app's process runs
  waiting,    ///< it ended, and is started again after a pause
  ended,      ///< it ended, and by policy is not started again
  stopping,
  lost,       ///< its keeper is gone; being taken over
};
std::string_view to_string(Phase phase);

/// How an instance's process last ended.
struct Exit {
  int status = 0;       ///< as waitpid gives it
  std::string reason;   ///< "exited with 1", "killed by SIGSEGV", "liveness probe failed: …", "oom", "stopped", "stopped: it did not end …"
  std::string at;       ///< RFC 3339, UTC
  std::chrono::milliseconds ran{0};
  std::string kind;     ///< as in `exits_by_reason`; empty: it was to end
  bool killed = false;  ///< it was asked to end, and did not in its time
};

/// How often a probe asked since berthd knows of the instance, and how long that took in all.
struct ProbeCount {
  std::uint64_t asked = 0, failed = 0;
  std::chrono::duration<double> took{0};
};

struct InstanceStatus {
  InstanceId id;
  Phase phase = Phase::starting;
  pid_t pid = 0;               ///< of the app's process; 0 when none runs
  pid_t keeper_pid = 0;
  std::string cgroup;          ///< folder of the app's own; empty: it has none
  bool ready = false;          ///< running, started by its startup probe, and readiness holds; without a readiness probe: for a second
  std::string not_ready;       ///< why not, one line
  bool judged = true;          ///< false: it runs, and its probes have not said yet whether it is ready
  std::string says;            ///< of itself, by STATUS= of sd_notify; one line
  std::int64_t restarts = 0;   ///< since the keeper began
  std::string started_at;      ///< of the present process; RFC 3339, UTC
  std::optional<Exit> last_exit;
  std::map<std::string, std::int64_t> exits_by_reason;  ///< "exit", "signal", "liveness", "oom", "not_started", "unknown"
  bool crash_loop = false;
  std::map<std::string, ProbeCount> probes;  ///< "startup", "readiness", "liveness": those that berthd asks
  std::uint64_t log_lines = 0, log_dropped = 0;  ///< that its keeper wrote, and that no disk took
  bool has_limits = false;                ///< in its spec
  std::vector<std::string> unenforced;    ///< the words of those that the kernel does not enforce here
};

/// What happened to an instance.
struct InstanceChange {
  enum class Kind {
    started, exited, ready, unready, gone,
    ended,        ///< and is not started again; nothing of it is left
    kept,         ///< its keeper was killed, and a new one took it over as it runs
    renewed,      ///< its keeper is another program now
    not_renewed,  ///< its keeper could not become that, and goes on as it is
  } kind;
  InstanceId id;
  std::string reason;
  std::optional<Exit> exit;
  bool exit_follows = false;  ///< of `gone`: its process ends, or has, and is told as `exited` as soon as nothing of it is left
  bool stopped = false;  ///< its keeper was told to stop it, by berthd or by somebody else such as a machine that goes down: no fault of the app's
};

struct KeeperStart;

struct SupervisorOptions {
  std::string keeper_program;       ///< path of `berth-keeper`
  std::string run_directory;        ///< `/run/berth`
  bool use_systemd = false;         ///< keepers as transient services; else plain children
  Result<void> (*start_service)(const KeeperStart& start) = nullptr;  ///< with `use_systemd`: of launcher.h
  std::string cgroup_root;          ///< a cgroup2 folder of ours where there is no systemd, or empty
  bool keep_orphans = true;         ///< an app whose keeper was killed goes on under a new one, else it is ended and started anew; systemd ends it itself
};

/// Whether its program was ever executed: what could not even be started says nothing, and no log is of it.
bool ever_ran(const InstanceStatus& status);

/// Runs instances, each under a keeper of its own, and probes them. For one event loop.
class Supervisor {
 public:
  Supervisor(boost::asio::any_io_executor executor, io::Pool& pool, SupervisorOptions options);
  ~Supervisor();  ///< leaves keepers and apps running

  /// Told of every change, on the loop. Must not block.
  void on_change(std::function<void(const InstanceChange&)> listener);

  /// An instance that runs already, as its keeper tells it.
  struct Found {
    InstanceId id;
    pid_t keeper_pid = 0;
    std::vector<std::pair<std::string, Fd>> sockets;  ///< the listening sockets it held
  };
  /// Asks every keeper below the run directory who it keeps; to be called once, at start, before anything else.
  boost::asio::awaitable<std::vector<Found>> find();

  /// Makes sure that the instance runs: adopts its keeper, or starts one. Returns when the app's process was started, or could not be
  /// (`Errc::not_found` for a missing command, …), and then nothing of it is left. Probes go on from here. What runs already goes on as it is;
  /// a plan that differs is for its next start, so a new environment takes effect by `ensure` and then `restart`.
  boost::asio::awaitable<Result<void>> ensure(InstancePlan plan);

  /// Stops it by its rules and waits until no process of it is left; its keeper goes too. Fine when there is none.
  boost::asio::awaitable<Result<void>> stop(InstanceId id);
  /// In between, when the app has ended and its listening sockets are still held, `let_go` is called: a berthd that dies before finds them again. Not when
  /// the supervisor is closed.
  boost::asio::awaitable<Result<void>> stop(InstanceId id, std::function<void()> let_go);

  /// Of one that is being stopped, or is about to be: kills what is left of it now, whatever its grace.
  void hurry(const InstanceId& id);

  /// Stops the app's process and starts it again at once, same keeper.
  boost::asio::awaitable<Result<void>> restart(InstanceId id, std::string reason);

  /// Processes of instances of the app that were stopped and do not end, not even by SIGKILL: "web/web.1@v1, pid 4242". They may go on with whatever they did.
  /// What a berthd before this one left behind is known, too.
  boost::asio::awaitable<std::vector<std::string>> left_behind(std::string app);

  std::optional<InstanceStatus> status(const InstanceId& id) const;
  std::vector<InstanceStatus> all() const;

  /// Every process of the instance, by its cgroup or by descent.
  std::vector<pid_t> processes(const InstanceId& id) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace berth::supervise
