#include <algorithm>

#include <fmt/core.h>

#include "core/spec/deploy_toml.h"
#include "core/spec/known_keys.h"
#include "core/spec/rules.h"
#include "core/spec/toml_table.h"
#include "core/spec/words.h"

namespace berth::spec {
namespace {

constexpr const char* kDefaultProcess = "web";

Stop read_stop(TomlTable table, Stop stop) {
  if (const auto text = table.string("signal")) {
    const auto signal = parse_signal(*text);
    if (signal) stop.signal = *signal;
    else table.complain("signal", "is wrong: " + signal.error().message);
  }
  assign(stop.grace, table.duration("grace"));
  table.done();
  return stop;
}

/// `grpc = true`, or a table that names a service.
void read_grpc(TomlTable& table, Probe& probe) {
  if (table.has_table("grpc")) {
    auto inside = table.table("grpc");
    assign(probe.service, inside->string("service"));
    inside->done();
  } else if (const auto grpc = table.boolean("grpc"); grpc && !*grpc) {
    table.complain("grpc", "must be true, or the probe be left out");
  }
}

void read_kind(TomlTable& table, Probe& probe) {
  const auto path = table.string("http");
  const auto tcp = table.boolean("tcp");
  const auto command = table.strings("exec");
  read_grpc(table, probe);
  if (const auto notify = table.boolean("notify"); notify && !*notify) table.complain("notify", "must be true, or the probe be left out");
  const auto is_said = [&table](std::string_view kind) { return table.has(kind); };
  if (std::ranges::count_if(kProbeKinds, is_said) != 1) {
    const auto said = std::ranges::find_if(kProbeKinds, is_said);
    const std::string_view kinds = "one of http = \"/path\", tcp = true, exec = [\"program\"], grpc = true and notify = true";
    if (said == std::ranges::end(kProbeKinds)) table.complain(fmt::format("names no probe: it has {}", kinds));
    else table.complain(*said, fmt::format("is not the only one: a probe has {}", kinds));
    return;
  }
  if (tcp && !*tcp) table.complain("tcp", "must be true, or the probe be left out");
  probe.kind = static_cast<ProbeKind>(std::ranges::find_if(kProbeKinds, is_said) - kProbeKinds.begin());
  assign(probe.path, path);
  assign(probe.command, command);
}

Probe read_probe(TomlTable table) {
  Probe probe;
  read_kind(table, probe);
  assign(probe.headers, table.texts("headers"));
  if (const auto text = table.string("status")) {
    const auto parsed = parse_statuses(*text, probe);
    if (!parsed) table.complain("status", "is wrong: " + parsed.error().message);
  }
  assign(probe.by_tls, table.choice("scheme", kSchemes));
  if (probe.kind != ProbeKind::http)
    for (const char* key : {"headers", "status", "scheme"})
      if (table.has(key)) table.complain(key, "goes with an http probe only");
  assign(probe.port, table.string("port"));
  assign(probe.initial_delay, table.duration("initial_delay"));
  assign(probe.period, table.duration("period"));
  assign(probe.timeout, table.duration("timeout"));
  assign(probe.success_threshold, table.integer("success_threshold", 1, 1000));
  assign(probe.failure_threshold, table.integer("failure_threshold", 1, 1000));
  table.done();
  return probe;
}

void read_routing(TomlTable& table, Process& process) {
  const auto port = table.integer("port", 1, 65535);
  const auto socket = table.integer("socket", 1, 65535);
  if (!table.has("port") && !table.has("socket")) return;
  if (table.has("port") && table.has("socket")) {
    table.complain("socket", "makes no sense beside 'port': a process is reached by one of them");
    return;
  }
  process.routing = table.has("port") ? Routing::port : Routing::socket;
  process.public_port = static_cast<std::uint16_t>(port.value_or(socket.value_or(1)));
}

/// `http = 8080`, or a table that says how it is reached.
void read_named_port(TomlTable& ports, const std::string& name, Process& process, bool has_unnamed, std::string& public_name) {
  const bool by_number = !ports.has_table(name);
  std::optional<std::int64_t> number;
  Routing routing = Routing::port;
  std::string variable;
  bool is_private = false;
  if (by_number) {
    number = ports.integer(name, 1, 65535);
    if (!number) return;
  } else {
    auto inside = *ports.table(name);
    const auto port = inside.integer("port", 1, 65535), socket = inside.integer("socket", 1, 65535);
    is_private = inside.boolean("private").value_or(false);
    assign(variable, inside.string("env"));
    if (inside.has("port") + inside.has("socket") + is_private != 1)
      inside.complain("private", "is wrong: a port has one of port = 8080, socket = 8080 and private = true");
    inside.done();
    if (inside.has("socket")) routing = Routing::socket;
    number = inside.has("socket") ? socket : port;
  }
  if (is_private) {
    process.private_ports.emplace(name, PrivatePort{variable});
    return;
  }
  if (!number) return;
  if (!public_name.empty() || has_unnamed) {
    ports.complain(name, public_name.empty() ? "is a public port beside 'port' or 'socket': name it here alone"
                                             : fmt::format("is a public port as '{}' is, and a process has one: make it private, or give it to a process of its own", public_name));
    return;
  }
  public_name = name;
  process.port_name = name;
  process.port_variable = variable;
  process.routing = routing;
  process.public_port = static_cast<std::uint16_t>(*number);
}

/// `has_unnamed`: the process says 'port' or 'socket', too.
void read_named_ports(TomlTable ports, Process& process, bool has_unnamed) {
  std::string public_name;
  for (const std::string& name : ports.keys()) read_named_port(ports, name, process, has_unnamed, public_name);
}

/// `metrics = true`, or a table that says more.
std::optional<MetricsEndpoint> read_metrics(TomlTable& process) {
  if (!process.has("metrics")) return {};
  MetricsEndpoint endpoint;
  if (!process.has_table("metrics")) {
    const auto said = process.boolean("metrics");
    return said && *said ? std::optional(endpoint) : std::nullopt;
  }
  auto table = *process.table("metrics");
  assign(endpoint.port, table.string("port"));
  assign(endpoint.path, table.string("path"));
  table.done();
  return endpoint;
}

/// What a process begins with: all of the defaults, or, with a command of its own, what is true of every process of the build.
Process beginning_of(const TomlTable& table, const Defaults& defaults) {
  if (!table.has("command")) return defaults.process;
  Process process;
  process.root = defaults.process.root;
  process.directory = defaults.process.directory;
  return process;
}

/// `type = "job"`, and the keys that go with it alone.
void read_type(TomlTable& table, Process& process) {
  const auto type = table.choice("type", kTypes);
  const auto run = table.choice("run", kJobTimes);
  const auto retries = table.integer("retries", 0, kMostRetries);
  const auto timeout = table.duration("timeout");
  if (type != 1) {
    for (const char* key : {"run", "retries", "timeout"})
      if (table.has(key)) table.complain(key, "goes with type = \"job\" only");
    return;
  }
  process.job.emplace();
  process.instances = 0;
  process.restart = Restart::never;  // unless it says otherwise: not everything can be done twice
  assign(process.job->run, run);
  assign(process.job->retries, retries);
  assign(process.job->timeout, timeout);
  if (table.has("instances")) table.complain("instances", "goes with services: of a job one runs at a time");
}

/// A job that is an image's program has nothing of how the image serves.
void leave_to_services(Process& process, bool says_ports) {
  process.startup.reset();
  process.readiness.reset();
  process.liveness.reset();
  if (says_ports) return;
  process.routing = Routing::none;
  process.public_port = 0;
  process.private_ports.clear();
}

Process read_process(TomlTable table, const Defaults& defaults) {
  Process process = beginning_of(table, defaults);
  if (!table.has("command") && process.command.empty()) table.complain("command", "is missing");
  assign(process.command, table.strings("command"));
  const bool says_ports = table.has("port") || table.has("socket") || table.has("ports");
  if (says_ports) process.private_ports.clear();  // those of an image
  read_routing(table, process);
  if (const auto ports = table.table("ports")) read_named_ports(*ports, process, table.has("port") || table.has("socket"));
  assign(process.instances, table.integer("instances", 0, 256));
  read_type(table, process);
  if (process.job) leave_to_services(process, says_ports);
  if (const auto stop = table.table("stop")) process.stop = read_stop(*stop, process.stop);
  assign(process.restart, table.choice("restart", kRestarts));
  if (const auto probe = table.table("startup")) process.startup = read_probe(*probe);
  if (const auto probe = table.table("readiness")) process.readiness = read_probe(*probe);
  if (const auto probe = table.table("liveness")) process.liveness = read_probe(*probe);
  assign(process.listen_env, table.texts("listen_env"));
  assign(process.directory, table.string("directory"));
  assign(process.root, table.choice("root", kRoots));
  if (const auto limits = table.table("limits")) process.limits = read_limits(*limits);
  assign(process.after, table.strings("after"));
  if (const auto sandbox = table.table("sandbox")) process.sandbox = read_sandbox(*sandbox);
  if (table.has("metrics")) process.metrics = read_metrics(table);
  table.done();
  return process;
}

Variable read_variable(TomlTable table) {
  Variable variable;
  assign(variable.required, table.boolean("required"));
  assign(variable.secret, table.boolean("secret"));
  variable.preset = table.string("default");
  assign(variable.description, table.string("description"));
  table.done();
  return variable;
}

LogRules read_logs(TomlTable table) {
  LogRules logs;
  assign(logs.segment_bytes, table.size("segment_bytes"));
  assign(logs.keep_bytes, table.size("keep_bytes"));
  assign(logs.segment_age, table.duration("segment_age"));
  table.done();
  return logs;
}

Hook read_hook(TomlTable table, std::string_view name) {
  Hook hook;
  if (!table.has("command")) table.complain("command", "is missing");
  assign(hook.command, table.strings("command"));
  assign(hook.timeout, table.duration("timeout"));
  assign(hook.retry, table.duration("retry"));
  assign(hook.give_up, table.duration("give_up"));
  if (name != kReadyToSwitch)
    for (const char* key : {"retry", "give_up"})
      if (table.has(key)) table.complain(key, "goes with ready-to-switch only, which alone can postpone a switch");
  table.done();
  return hook;
}

/// `pre-start = ["bin/migrate"]` is the command alone, `[hooks.pre-start]` all there is to say.
std::map<std::string, Hook> read_hooks(TomlTable table) {
  std::map<std::string, Hook> hooks;
  for (const std::string_view name : kHooks) {
    if (!table.has(name)) continue;
    if (table.has_list(name)) {
      if (auto command = table.strings(name)) hooks.emplace(name, Hook{.command = std::move(*command)});
    } else if (table.has_table(name)) {
      hooks.emplace(name, read_hook(*table.table(name), name));
    } else {
      table.complain(name, "must be a command such as [\"bin/migrate\"], or a table with 'command' and 'timeout'");
    }
  }
  for (const std::string_view name : kHooks) table.know(name);
  table.done();
  return hooks;
}

/// `snapshot = true`, or a table that says more.
DataRules read_data(TomlTable table) {
  DataRules data;
  if (table.has_table("snapshot")) {
    auto inside = table.table("snapshot");
    data.snapshot = true;
    assign(data.max_bytes, inside->size("max_bytes"));
    inside->done();
  } else {
    assign(data.snapshot, table.boolean("snapshot"));
  }
  table.done();
  return data;
}

AppSpec read_spec(TomlTable table, const Defaults& defaults) {
  AppSpec spec;
  if (!table.has("app")) table.complain("app", "is missing");
  assign(spec.app, table.string("app"));
  assign(spec.user, table.string("user"));
  assign(spec.writable_home, table.boolean("writable_home"));
  std::string without_command;
  for (auto& [name, inside] : table.tables("process")) {
    spec.processes.emplace(name, read_process(inside, defaults));
    if (inside.has("command") || defaults.process.command.empty()) continue;
    if (!without_command.empty())
      inside.complain("command", "is missing, as in [process." + without_command + "]: only one process can be the one that the image starts");
    without_command = name;
  }
  if (!table.has("process") && !defaults.process.command.empty()) spec.processes.emplace(kDefaultProcess, defaults.process);
  if (const auto deploy = table.table("deploy")) spec.deploy = read_deploy(*deploy);
  for (const auto& [name, inside] : table.tables("env")) spec.variables.emplace(name, read_variable(inside));
  spec.variables.insert(defaults.variables.begin(), defaults.variables.end());
  if (const auto logs = table.table("logs")) spec.logs = read_logs(*logs);
  if (const auto hooks = table.table("hooks")) spec.hooks = read_hooks(*hooks);
  if (const auto data = table.table("data")) spec.data = read_data(*data);
  table.done();
  return spec;
}

/// Where a key stands; where it is absent, the table that it is missing from.
toml::source_position place_of(const toml::table& root, const std::vector<std::string>& path) {
  const toml::node* node = &root;
  for (const std::string& part : path) {
    const auto* table = node->as_table();
    const toml::node* next = table == nullptr ? nullptr : table->get(part);
    if (next == nullptr) break;
    node = next;
  }
  return node->source().begin;
}

}  // namespace

Result<AppSpec> parse_toml(std::string_view text, std::string_view name) { return parse_toml(text, name, {}); }

Result<AppSpec> parse_toml(std::string_view text, std::string_view name, const Defaults& defaults) {
  BERTH_TRY(const toml::table root, parse_toml_text(text, name));
  TomlComplaints complaints(name);
  AppSpec spec = read_spec(TomlTable(root, {}, complaints), defaults);
  for (const Complaint& broken : broken_rules(spec)) complaints.add(place_of(root, broken.path), to_string(broken));
  BERTH_CHECK(complaints.result());
  return spec;
}

Result<std::set<std::string>> known_keys(std::string_view text) {
  BERTH_TRY(const toml::table root, parse_toml_text(text, "berth.toml"));
  TomlComplaints complaints("berth.toml");
  read_spec(TomlTable(root, {}, complaints), {});
  return complaints.asked();
}

Result<AppSpec> spec_of(const std::string& app, const Defaults& defaults) {
  AppSpec spec{.app = app, .variables = defaults.variables};
  spec.processes.emplace(kDefaultProcess, defaults.process);
  const auto broken = broken_rules(spec);
  if (!broken.empty()) return fail(Errc::usage, to_string(broken.front()));
  return spec;
}

}  // namespace berth::spec
