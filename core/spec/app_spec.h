#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "core/result.h"
#include "core/spec/deploy.h"
#include "core/spec/limits.h"
#include "core/spec/sandbox.h"

namespace berth::spec {

/// How a process is told to stop: its signal first, SIGKILL for the whole group when the grace is over.
struct Stop {
  int signal = 15;             ///< a signal number; "TERM" or "SIGTERM" in text
  milliseconds grace{10'000};

  bool operator==(const Stop&) const = default;
};

enum class ProbeKind { http, tcp, exec, grpc, notify };

/// One probe, with Kubernetes' meaning and defaults.
struct Probe {
  ProbeKind kind = ProbeKind::http;
  std::string path = "/";                      ///< http: with its query
  bool by_tls = false;                         ///< http: by TLS, whose certificate is not verified
  std::map<std::string, std::string> headers;  ///< http: added to the request
  int lowest = 200, highest = 399;             ///< http: the statuses that count as healthy
  std::string service;                         ///< grpc: whose health is asked for; empty: the server's
  std::string port;                            ///< of the process's, by name, where http, tcp and grpc ask; empty: its main one
  std::vector<std::string> command;            ///< exec: argv; exit code 0 is healthy
  milliseconds initial_delay{0};
  milliseconds period{10'000};
  milliseconds timeout{1'000};
  int success_threshold = 1;
  int failure_threshold = 3;

  bool operator==(const Probe&) const = default;
};

enum class Routing { none, socket, port };

/// What a process sees as "/".
enum class Root {
  node,   ///< the node's own file system
  image,  ///< its build's tree, read-only, and nothing else of the node (core/spec/image_root.h)
};

enum class Restart { always, on_failure, never };

/// A process that runs to its end, and is not started again for having ended: after a deployment's switch, or when somebody asks for it.
struct Job {
  enum class When { deployment, hand };
  When run = When::deployment;
  int retries = 3;                    ///< how often more it is tried, with `Restart::on_failure`
  milliseconds timeout{3'600'000};    ///< for all tries and processes of it

  bool operator==(const Job&) const = default;
};

inline constexpr std::size_t kMostPrivatePorts = 16;  ///< of a process

/// A port that an instance is given beside its public one: for itself, its probes and whoever asks from the node. Nothing leads there from outside.
struct PrivatePort {
  std::string variable;  ///< `env` in TOML: one more variable that has its number; empty: none

  bool operator==(const PrivatePort&) const = default;
};

/// Where the instances of a process tell their own metrics.
struct MetricsEndpoint {
  std::string port;  ///< of the process, by name; empty: its main one
  std::string path = "/metrics";

  bool operator==(const MetricsEndpoint&) const = default;
};

/// What a probe of kind `notify` needs: whether any of the process's probes is one, and how often the app is to say WATCHDOG=1.
struct Process;
bool is_notified(const Process& process);
std::optional<milliseconds> watchdog_of(const Process& process);

/// One named command of the app, as in a Procfile.
struct Process {
  std::vector<std::string> command;  ///< argv; `${NAME}` expands from the instance's environment
  Routing routing = Routing::none;
  std::uint16_t public_port = 0;     ///< with `socket` and `port`
  std::string port_name = "http";    ///< of the public port, for probes, `LISTEN_FDNAMES` and `${FD_http}`
  std::string port_variable;         ///< one more variable that has its number; empty: none
  std::map<std::string, PrivatePort> private_ports;
  int instances = 1;                 ///< that run all the time: none of a job
  Stop stop;
  Restart restart = Restart::always;
  std::optional<Probe> startup, readiness, liveness;
  /// With `socket`: another way than `LISTEN_FDS` to tell the app its descriptors, such as `NGINX=3;`; `${FD_http}` expands.
  std::map<std::string, std::string> listen_env;
  std::string directory;             ///< working folder below the slot's `app/`; empty: `app/` itself
  Root root = Root::node;
  Limits limits;
  std::vector<std::string> after;    ///< processes of the app that are ready before its instances start
  Sandbox sandbox;
  std::optional<Job> job;            ///< what it is with `type = "job"`; else a service
  std::optional<MetricsEndpoint> metrics;

  bool operator==(const Process&) const = default;
};

/// "admin" → "PORT_ADMIN".
std::string port_variable(std::string_view name);
/// The port that `PORT` and probes without a name mean: the public one, or the only one there is; empty where there is none such.
std::string main_port(const Process& process);
/// Whether its public port has a name in its environment: it was given one, or there are others to tell it from.
bool is_port_named(const Process& process);
/// Whether the process has a port of that name.
bool has_port(const Process& process, const std::string& name);
/// The port, by name, at which a bake asks the process for `metric`; empty where it does not ask it.
std::string metric_port(const std::string& name, const Process& process, const BakeMetric& metric);
/// The port, by name, at which the process tells its own metrics; empty where it tells none.
std::string metrics_port(const Process& process);
/// The variables that have its ports' numbers, `PORT` among them.
std::vector<std::string> port_variables(const Process& process);

/// A variable that the app declares; a release without a required one, or with an undeclared one, is refused.
struct Variable {
  bool required = false;
  bool secret = false;                   ///< its value must be a reference, never text in a release
  std::optional<std::string> preset;     ///< `default` in TOML
  std::string description;

  bool operator==(const Variable&) const = default;
};

struct LogRules {
  std::uint64_t segment_bytes = 10u << 20;  ///< a log file is rotated at this size
  std::uint64_t keep_bytes = 100u << 20;    ///< what one instance may keep on disk in all
  milliseconds segment_age{0};              ///< and at this age, by the next line; 0: at none

  bool operator==(const LogRules&) const = default;
};

/// A command that is run once at its point of a deployment, with the app's user, slot and environment.
struct Hook {
  std::vector<std::string> command;    ///< argv; `${NAME}` expands from its environment
  milliseconds timeout{300'000};       ///< for all of its processes
  milliseconds retry{30'000};          ///< ready-to-switch: how long after exit code 75 it is asked again
  milliseconds give_up{3'600'000};     ///< ready-to-switch: for how long that goes on

  bool operator==(const Hook&) const = default;
};

/// The exit code by which `ready-to-switch` says "not now" (EX_TEMPFAIL of sysexits.h).
inline constexpr int kPostponed = 75;

/// What a deployment does with the app's data folder.
struct DataRules {
  bool snapshot = false;                     ///< copied before the new release touches it, and put back by a revert; needs `recreate`
  std::uint64_t max_bytes = 1'000'000'000;   ///< what may be copied where the file system cannot share blocks

  bool operator==(const DataRules&) const = default;
};

/// What `berth.toml` says of an app.
struct AppSpec {
  std::string app;
  std::map<std::string, Process> processes;
  Deploy deploy;
  std::map<std::string, Variable> variables;  ///< `[env.NAME]`
  LogRules logs;
  std::map<std::string, Hook> hooks;  ///< by name, of `hook_names`
  DataRules data;
  std::string user;      ///< empty: a user of the app's own; "root" only when said
  bool writable_home = false;

  /// The strategy in force: the one said, or blue-green where every process with a public port can be switched so.
  Strategy strategy() const;

  bool operator==(const AppSpec&) const = default;
};

/// What a berth.toml need not say, since what is built says it: an image, or a single executable.
struct Defaults {
  Process process;                            ///< the process that has no command of its own in berth.toml, and `web` where it names none
  std::map<std::string, Variable> variables;  ///< those that berth.toml does not declare

  bool operator==(const Defaults&) const = default;
};

/// The spec of an app that has no berth.toml. `Errc::usage` for what no spec could say, such as a command that is empty.
Result<AppSpec> spec_of(const std::string& app, const Defaults& defaults);

/// The variables whose `${NAME}` a command of `process` may have: what berth gives every instance, its `PORT` where it has one, and what `spec` declares.
std::vector<std::string> known_variables(const AppSpec& spec, const Process& process);

/// The processes of `spec` in an order in which each comes after those that its `after` names, else by name.
std::vector<std::string> start_order(const AppSpec& spec);

/// The hooks there are, in the order in which a deployment comes by them. No process may have one of these names.
std::span<const std::string_view> hook_names();
bool is_hook_name(std::string_view name);

/// What hooks see as "/": the image where each process of `spec` does, else the node.
Root root_of_hooks(const AppSpec& spec);

/// Names that berth gives a value itself, so that no app may declare them: `BERTH_…`, `LISTEN_…`, `PORT`, `HOME` and more.
bool is_reserved_variable(std::string_view name);

/// Reads a `berth.toml`. `name` is the file's, for messages. Fails with `Errc::usage` and
/// "berth.toml:12:3: unknown key 'comand' in [process.web] (did you mean 'command'?)", a line for each thing that is wrong, ten at most.
Result<AppSpec> parse_toml(std::string_view text, std::string_view name);

/// The same over `defaults`: at most one process may leave its command out, and is the one of the defaults but for what it says otherwise. The others
/// have its `root` and `directory`.
Result<AppSpec> parse_toml(std::string_view text, std::string_view name, const Defaults& defaults);

/// The spec inside a manifest: the keys of berth.toml, every default written out. `from_json` refuses unknown members and what berth.toml could not
/// say with `Errc::trust`.
boost::json::value to_json(const AppSpec& spec);
Result<AppSpec> from_json(const boost::json::value& json);

/// "500ms", "10s", "5m", "1h" → milliseconds; refuses what has no unit, is negative or over 24 h.
Result<milliseconds> parse_duration(std::string_view text);
std::string to_string(milliseconds duration);

/// "TERM", "SIGTERM" or a number → signal.
Result<int> parse_signal(std::string_view text);
std::string signal_name(int signal);  ///< "TERM"

/// The names in `${NAME}` and `${secret:…}` of `text`, in order. `$$` is a dollar sign. Fails on an unclosed `${`.
Result<std::vector<std::string>> references(std::string_view text);

/// Expands `${NAME}` from `values`, `$$` to `$`. An unknown name fails with `Errc::usage` and names it.
Result<std::string> expand(std::string_view text, const std::map<std::string, std::string>& values);

/// The nearest of `known` to `word`, if it is near enough to be what was meant.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace berth::spec
