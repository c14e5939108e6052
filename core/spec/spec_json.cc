#include <fmt/core.h>

#include "core/json/json.h"
#include "core/spec/deploy_json.h"
#include "core/spec/json_parts.h"
#include "core/spec/rules.h"
#include "core/spec/words.h"

// The JSON has the members that berth.toml has as keys, with every default written out: a later berth with other defaults reads the same.

namespace berth::spec {

using json::ObjectReader;

json::value list_of(const std::vector<std::string>& items) {
  return json::array(items.begin(), items.end());
}

namespace {

json::value members_of(const std::map<std::string, std::string>& texts) {
  json::object members;
  for (const auto& [name, text] : texts) members[name] = text;
  return members;
}

json::value probe_json(const Probe& probe) {
  json::object out;
  if (probe.kind == ProbeKind::tcp) out["tcp"] = true;
  if (probe.kind == ProbeKind::exec) out["exec"] = list_of(probe.command);
  if (probe.kind == ProbeKind::notify) out["notify"] = true;
  if (probe.kind == ProbeKind::grpc) out["grpc"] = json::object{{"service", probe.service}};
  if (probe.kind == ProbeKind::http) {
    out["http"] = probe.path;
    out["headers"] = members_of(probe.headers);
    out["status"] = statuses(probe);
    if (probe.by_tls) out["scheme"] = kSchemes[1];  // as with 'root' below
  }
  if (!probe.port.empty()) out["port"] = probe.port;
  out["initial_delay"] = to_string(probe.initial_delay);
  out["period"] = to_string(probe.period);
  out["timeout"] = to_string(probe.timeout);
  out["success_threshold"] = probe.success_threshold;
  out["failure_threshold"] = probe.failure_threshold;
  return out;
}

/// The public port stands by itself where it has no name of its own, as it did before there were names.
void put_ports(const Process& process, json::object& out) {
  json::object ports;
  for (const auto& [name, port] : process.private_ports) ports[name] = json::object{{"private", true}, {"env", port.variable}};
  const char* way = process.routing == Routing::socket ? "socket" : "port";
  const bool is_plain_one = process.port_name == Process().port_name && process.port_variable.empty();
  if (process.routing != Routing::none && is_plain_one) out[way] = process.public_port;
  if (process.routing != Routing::none && !is_plain_one) ports[process.port_name] = json::object{{way, process.public_port}, {"env", process.port_variable}};
  if (!ports.empty()) out["ports"] = std::move(ports);
}

void put_job(const Job& job, json::object& out) {
  out["type"] = kTypes[1];
  out["run"] = kJobTimes[static_cast<std::size_t>(job.run)];
  out["retries"] = job.retries;
  out["timeout"] = to_string(job.timeout);
}

json::value process_json(const Process& process) {
  json::object out;
  out["command"] = list_of(process.command);
  put_ports(process, out);
  out["instances"] = process.instances;
  out["stop"] = json::object{{"signal", signal_name(process.stop.signal)}, {"grace", to_string(process.stop.grace)}};
  out["restart"] = kRestarts[static_cast<std::size_t>(process.restart)];
  if (process.startup) out["startup"] = probe_json(*process.startup);
  if (process.readiness) out["readiness"] = probe_json(*process.readiness);
  if (process.liveness) out["liveness"] = probe_json(*process.liveness);
  out["listen_env"] = members_of(process.listen_env);
  out["directory"] = process.directory;
  // Only where it is not the node's: a berth of before this existed reads on what it can run.
  if (process.root != Root::node) out["root"] = kRoots[static_cast<std::size_t>(process.root)];
  if (process.limits.any()) out["limits"] = limits_json(process.limits);
  if (!process.after.empty()) out["after"] = list_of(process.after);
  if (process.sandbox.any()) out["sandbox"] = sandbox_json(process.sandbox);
  if (process.job) put_job(*process.job, out);
  if (process.metrics) out["metrics"] = json::object{{"port", process.metrics->port}, {"path", process.metrics->path}};
  return out;
}

json::value variable_json(const Variable& variable) {
  json::object out{{"required", variable.required}, {"secret", variable.secret}, {"description", variable.description}};
  if (variable.preset) out["default"] = *variable.preset;
  return out;
}

json::value hook_json(const std::string& name, const Hook& hook) {
  json::object out{{"command", list_of(hook.command)}, {"timeout", to_string(hook.timeout)}};
  if (name == kReadyToSwitch) {
    out["retry"] = to_string(hook.retry);
    out["give_up"] = to_string(hook.give_up);
  }
  return out;
}

bool boolean(ObjectReader& reader, std::string_view name) {
  if (reader.maybe(name) == nullptr) reader.complain(fmt::format("member '{}' is missing", name));
  return reader.boolean_or(name, false);
}

std::vector<std::string> strings(ObjectReader& reader, std::string_view name) {
  std::vector<std::string> out;
  for (const json::value& item : reader.list(name)) {
    if (const auto* text = item.if_string()) out.emplace_back(*text);
    else reader.complain(fmt::format("member '{}' is not a list of strings", name));
  }
  return out;
}

}  // namespace

std::vector<std::string> names_after(ObjectReader& reader) {
  if (reader.maybe("after") == nullptr) return {};
  auto names = strings(reader, "after");
  if (names.empty()) reader.complain("member 'after' is empty, and is not written then");
  return names;
}

namespace {

std::map<std::string, std::string> texts(ObjectReader& reader, std::string_view name) {
  std::map<std::string, std::string> out;
  for (const auto& member : reader.members(name)) {
    if (const auto* text = member.value().if_string()) out.emplace(member.key(), *text);
    else reader.complain(fmt::format("member '{}' has values that are not strings", name));
  }
  return out;
}

Result<Probe> probe_from(const json::value& json, const std::string& where) {
  ObjectReader reader(json, where);
  Probe probe;
  const bool tcp = reader.boolean_or("tcp", false), exec = reader.maybe("exec") != nullptr, http = reader.maybe("http") != nullptr;
  const bool grpc = reader.maybe("grpc") != nullptr;
  const bool notify = reader.boolean_or("notify", false);
  if (tcp + exec + http + grpc + notify != 1) reader.complain("is not one of http, tcp, exec, grpc and notify");
  if (notify) probe.kind = ProbeKind::notify;
  if (tcp) probe.kind = ProbeKind::tcp;
  if (exec) {
    probe.kind = ProbeKind::exec;
    probe.command = strings(reader, "exec");
  }
  if (grpc) {
    const json::value members(reader.members("grpc"));
    ObjectReader inside(members, where + ".grpc");
    probe.kind = ProbeKind::grpc;
    probe.service = inside.string("service");
    BERTH_CHECK(inside.done());
  }
  if (http) {
    probe.path = reader.string("http");
    probe.headers = texts(reader, "headers");
    if (const auto parsed = parse_statuses(reader.string("status"), probe); !parsed) reader.complain("member 'status': " + parsed.error().message);
    if (reader.maybe("scheme") != nullptr) {
      probe.by_tls = choice(reader, "scheme", kSchemes) == 1;
      if (!probe.by_tls) reader.complain("member 'scheme' is 'http', which is not written");
    }
  }
  if (reader.maybe("port") != nullptr) probe.port = reader.string("port");
  probe.initial_delay = duration(reader, "initial_delay");
  probe.period = duration(reader, "period");
  probe.timeout = duration(reader, "timeout");
  probe.success_threshold = static_cast<int>(reader.integer("success_threshold", 1, 1000));
  probe.failure_threshold = static_cast<int>(reader.integer("failure_threshold", 1, 1000));
  BERTH_CHECK(reader.done());
  return probe;
}

Result<void> read_probe(ObjectReader& reader, const char* name, std::optional<Probe>& probe) {
  const json::value* member = reader.maybe(name);
  if (member == nullptr) return {};
  BERTH_TRY(probe, probe_from(*member, fmt::format("{}.{}", reader.where(), name)));
  return {};
}

Result<Stop> stop_from(const json::value& json, const std::string& where) {
  ObjectReader reader(json, where);
  Stop stop;
  const std::string text = reader.string("signal");
  const auto signal = parse_signal(text);
  if (signal && signal_name(*signal) == text) stop.signal = *signal;
  else reader.complain(fmt::format("member 'signal': '{}' is no signal's name", text));
  stop.grace = duration(reader, "grace");
  BERTH_CHECK(reader.done());
  return stop;
}

void read_routing(ObjectReader& reader, Process& process) {
  const bool port = reader.maybe("port") != nullptr, socket = reader.maybe("socket") != nullptr;
  if (port && socket) reader.complain("has both 'port' and 'socket'");
  if (port) process.routing = Routing::port;
  if (socket) process.routing = Routing::socket;
  if (port || socket) process.public_port = static_cast<std::uint16_t>(reader.integer(port ? "port" : "socket", 1, 65535));
}

Result<void> read_ports(ObjectReader& reader, Process& process, const std::string& where) {
  if (reader.maybe("ports") == nullptr) return {};
  const auto members = reader.members("ports");
  if (members.empty()) reader.complain("member 'ports' is empty");
  for (const auto& member : members) {
    const std::string name(member.key());
    ObjectReader inside(member.value(), where + ".ports." + name);
    const std::string variable = inside.string("env");
    if (inside.boolean_or("private", false)) {
      process.private_ports.emplace(name, PrivatePort{variable});
    } else {
      if (process.routing != Routing::none) inside.complain("is a second public port");
      read_routing(inside, process);
      if (process.routing == Routing::none) inside.complain("is neither public nor private");
      process.port_name = name;
      process.port_variable = variable;
      if (name == Process().port_name && variable.empty()) inside.complain("is written without a name");
    }
    BERTH_CHECK(inside.done());
  }
  return {};
}

void read_job(ObjectReader& reader, Process& process) {
  if (reader.maybe("type") == nullptr) return;
  if (choice(reader, "type", kTypes) == 0) reader.complain("member 'type' is 'service', which is not written");
  process.job = Job{.run = static_cast<Job::When>(choice(reader, "run", kJobTimes)),
                    .retries = static_cast<int>(reader.integer("retries", 0, kMostRetries)),
                    .timeout = duration(reader, "timeout")};
}

Result<MetricsEndpoint> metrics_from(const json::value& json, const std::string& where) {
  ObjectReader reader(json, where);
  MetricsEndpoint endpoint{.port = reader.string("port"), .path = reader.string("path")};
  BERTH_CHECK(reader.done());
  return endpoint;
}

Result<Process> process_from(const json::value& json, const std::string& where) {
  ObjectReader reader(json, where);
  Process process;
  process.command = strings(reader, "command");
  read_routing(reader, process);
  BERTH_CHECK(read_ports(reader, process, where));
  process.instances = static_cast<int>(reader.integer("instances", 0, 256));
  BERTH_TRY(process.stop, stop_from(json::value(reader.members("stop")), where + ".stop"));
  process.restart = static_cast<Restart>(choice(reader, "restart", kRestarts));
  BERTH_CHECK(read_probe(reader, "startup", process.startup));
  BERTH_CHECK(read_probe(reader, "readiness", process.readiness));
  BERTH_CHECK(read_probe(reader, "liveness", process.liveness));
  process.listen_env = texts(reader, "listen_env");
  process.directory = reader.string("directory");
  if (reader.maybe("root") != nullptr) {
    process.root = static_cast<Root>(choice(reader, "root", kRoots));
    if (process.root == Root::node) reader.complain("member 'root' is 'node', which is not written");
  }
  process.after = names_after(reader);
  read_job(reader, process);
  if (const json::value* limits = reader.maybe("limits")) {
    BERTH_TRY(process.limits, limits_from(*limits, where + ".limits"));
  }
  if (const json::value* sandbox = reader.maybe("sandbox")) {
    BERTH_TRY(process.sandbox, sandbox_from(*sandbox, where + ".sandbox"));
  }
  if (const json::value* metrics = reader.maybe("metrics")) {
    BERTH_TRY(process.metrics, metrics_from(*metrics, where + ".metrics"));
  }
  BERTH_CHECK(reader.done());
  return process;
}

Result<Variable> variable_from(const json::value& json, const std::string& where) {
  ObjectReader reader(json, where);
  Variable variable;
  variable.required = boolean(reader, "required");
  variable.secret = boolean(reader, "secret");
  variable.description = reader.string("description");
  if (reader.maybe("default") != nullptr) variable.preset = reader.string("default");
  BERTH_CHECK(reader.done());
  return variable;
}

Result<LogRules> logs_from(const json::value& json) {
  ObjectReader reader(json, "spec: logs");
  LogRules logs;
  logs.segment_bytes = static_cast<std::uint64_t>(reader.integer("segment_bytes"));
  logs.keep_bytes = static_cast<std::uint64_t>(reader.integer("keep_bytes"));
  if (reader.maybe("segment_age") != nullptr) logs.segment_age = duration(reader, "segment_age");
  BERTH_CHECK(reader.done());
  return logs;
}

Result<Hook> hook_from(const std::string& name, const json::value& json) {
  ObjectReader reader(json, "spec: hooks." + name);
  Hook hook;
  hook.command = strings(reader, "command");
  hook.timeout = duration(reader, "timeout");
  if (name == kReadyToSwitch) {
    hook.retry = duration(reader, "retry");
    hook.give_up = duration(reader, "give_up");
  }
  BERTH_CHECK(reader.done());
  return hook;
}

/// There only where there is something to say: a build that uses neither hooks nor snapshots is named as it was before there were any.
Result<void> read_hooks_and_data(ObjectReader& reader, AppSpec& spec) {
  for (const auto& member : reader.members_or_empty("hooks")) {
    const std::string name(member.key());
    BERTH_TRY(spec.hooks[name], hook_from(name, member.value()));
  }
  if (reader.maybe("hooks") != nullptr && spec.hooks.empty()) reader.complain("member 'hooks' is empty");
  const json::value* data = reader.maybe("data");
  if (data == nullptr) return {};
  ObjectReader inside(*data, "spec: data");
  const json::value members(inside.members("snapshot"));
  ObjectReader snapshot(members, "spec: data.snapshot");
  spec.data.snapshot = true;
  spec.data.max_bytes = static_cast<std::uint64_t>(snapshot.integer("max_bytes"));
  BERTH_CHECK(inside.done());  // first: it says what is missing
  return snapshot.done();
}

}  // namespace

json::value to_json(const AppSpec& spec) {
  json::object processes, variables;
  for (const auto& [name, process] : spec.processes) processes[name] = process_json(process);
  for (const auto& [name, variable] : spec.variables) variables[name] = variable_json(variable);
  json::object out{{"app", spec.app},
                   {"user", spec.user},
                   {"writable_home", spec.writable_home},
                   {"process", std::move(processes)},
                   {"deploy", deploy_json(spec.deploy)},
                   {"env", std::move(variables)},
                   {"logs", json::object{{"segment_bytes", static_cast<std::int64_t>(spec.logs.segment_bytes)},
                                         {"keep_bytes", static_cast<std::int64_t>(spec.logs.keep_bytes)}}}};
  if (spec.logs.segment_age.count() > 0) out["logs"].as_object()["segment_age"] = to_string(spec.logs.segment_age);
  json::object hooks;
  for (const auto& [name, hook] : spec.hooks) hooks[name] = hook_json(name, hook);
  if (!hooks.empty()) out["hooks"] = std::move(hooks);
  if (spec.data.snapshot) out["data"] = json::object{{"snapshot", json::object{{"max_bytes", static_cast<std::int64_t>(spec.data.max_bytes)}}}};
  return out;
}

Result<AppSpec> from_json(const json::value& json) {
  ObjectReader reader(json, "spec");
  AppSpec spec;
  spec.app = reader.string("app");
  spec.user = reader.string("user");
  spec.writable_home = boolean(reader, "writable_home");
  for (const auto& member : reader.members("process")) {
    const std::string name(member.key());
    BERTH_TRY(spec.processes[name], process_from(member.value(), "spec: process." + name));
  }
  for (const auto& member : reader.members("env")) {
    const std::string name(member.key());
    BERTH_TRY(spec.variables[name], variable_from(member.value(), "spec: env." + name));
  }
  BERTH_CHECK(read_hooks_and_data(reader, spec));
  const json::value deploy(reader.members("deploy")), logs(reader.members("logs"));
  BERTH_CHECK(reader.done());  // before the two below, which would complain of what is missing in an object that is missing itself
  BERTH_TRY(spec.deploy, deploy_from(deploy));
  BERTH_TRY(spec.logs, logs_from(logs));
  const auto broken = broken_rules(spec);
  if (!broken.empty()) return fail(Errc::trust, "spec: " + to_string(broken.front()));
  return spec;
}

}  // namespace berth::spec
