#include "core/spec/rules.h"

#include <algorithm>
#include <csignal>

#include <fmt/core.h>

#include "core/ids.h"

namespace berth::spec {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostProcesses = 64, kMostVariables = 1024, kMostArguments = 1024, kLongestText = 32u << 10;
constexpr std::size_t kLongestCommand = 128u << 10;
constexpr int kMostInstances = 256;
constexpr std::uint64_t kSmallestSegment = 64u << 10, kLargestSegment = 1u << 30;

/// A folder below another one, without detours.
bool stays_below(std::string_view path) {
  if (path.size() > 1024 || path.starts_with('/')) return false;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

}  // namespace

bool is_user_name(std::string_view text) {
  const auto first = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  const auto further = [first](char c) { return first(c) || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= 32 && first(text.front()) && std::ranges::all_of(text, further);
}

void check_references(std::string_view text, const AppSpec& spec, const std::vector<std::string>& known, const Complaints& complaints) {
  const std::string key = "command";
  const auto names = references(text);
  if (!names) return complaints.add(key, "is malformed: " + names.error().message);
  for (const std::string& name : *names) {
    const auto declared = spec.variables.find(name);
    const bool secret = name.starts_with("secret:") || (declared != spec.variables.end() && declared->second.secret);
    if (!secret && std::ranges::find(known, name) != known.end()) continue;
    if (name == "PORT") {
      complaints.add(key, "has ${PORT}, which only a process with 'port' or 'socket' is given, or with a single private port");
    } else if (secret) {
      complaints.add(key, fmt::format("has ${{{}}}: a command line is no place for a secret, since everybody can read it; let the app read "
                                      "the variable, or a file that ends in .tmpl",
                                      name));
    } else {
      const auto meant = nearest(name, known);
      complaints.add(key, fmt::format("has ${{{}}}, which is neither declared as [env.{}] nor given by berth{}", name, name,
                                      meant ? fmt::format(" (did you mean '{}'?)", *meant) : ""));
    }
  }
}

namespace {

void check_routing(const Process& process, const Complaints& complaints) {
  const std::string key = process.routing == Routing::socket ? "socket" : "port";
  if (process.routing == Routing::none && process.public_port != 0) complaints.add(key, "is there without a routing");
  if (process.routing != Routing::none && process.public_port == 0) complaints.add(key, "must be a number from 1 to 65535");
  const int fewest = process.routing == Routing::none ? 0 : 1;
  if (process.instances < fewest || process.instances > kMostInstances)
    complaints.add("instances", fmt::format("must be a number from {} to {}", fewest, kMostInstances));
  if (process.routing != Routing::socket && !process.listen_env.empty()) complaints.add("listen_env", "goes with 'socket' only");
}

void check_listen_env(const Process& process, const Complaints& complaints) {
  for (const auto& [variable, text] : process.listen_env) {
    const Complaints inside = complaints.below("listen_env");
    if (!is_variable_name(variable)) inside.add(variable, "is no name of a variable: letters, digits and _, no digit first");
    if (!is_plain(text) || text.size() > kLongestText) inside.add(variable, "has control characters, or is too long");
    const auto names = references(text);
    if (!names) inside.add(variable, "is malformed: " + names.error().message);
    for (const std::string& reference : names ? *names : std::vector<std::string>())
      if (reference != "FD_" + process.port_name)
        inside.add(variable, fmt::format("has ${{{}}}; the number of the descriptor is ${{FD_{}}}", reference, process.port_name));
  }
}

void check_metrics(const Process& process, const Complaints& all) {
  if (!process.metrics) return;
  const Complaints complaints = all.below("metrics");
  check_http_path(process.metrics->path, complaints, "path");
  if (!metrics_port(process).empty()) return;
  if (process.metrics->port.empty()) all.add("metrics", "needs a port of the process: 'port', 'socket', or one of [ports]; where it has several private ones, name it");
  else complaints.add("port", fmt::format("names '{}', which is no port of the process", process.metrics->port));
}

void check_process(const AppSpec& spec, const std::string& name, const Process& process, const Complaints& all) {
  if (!is_name(name)) all.add(name, "is no name of a process: a lower-case letter, then at most 30 of a-z, 0-9 and -");
  if (is_hook_name(name)) all.add(name, "is the name of a hook, whose output is told apart by it: choose another one");
  const Complaints complaints = all.below(name);
  if (check_command(process.command, complaints, "command")) {
    const auto known = known_variables(spec, process);
    for (const std::string& argument : process.command) check_references(argument, spec, known, complaints);
  }
  check_routing(process, complaints);
  check_named_ports(spec, process, complaints);
  check_listen_env(process, complaints);
  if (process.stop.signal < 1 || process.stop.signal > 64 || process.stop.signal == SIGSTOP || process.stop.signal == SIGCONT)
    complaints.below("stop").add("signal", "must be one that ends a process");
  if (!process.directory.empty() && (!stays_below(process.directory) || !is_plain(process.directory)))
    complaints.add("directory", "must be a folder of the build, such as \"server\", without '..' and without a '/' in front");
  check_probes(process, complaints);
  check_limits(process.limits, complaints.below("limits"));
  check_sandbox(process, complaints.below("sandbox"));
  check_job(process, complaints);
  check_metrics(process, complaints);
}

void check_ports(const AppSpec& spec, const Complaints& complaints) {
  std::map<std::uint16_t, std::string> taken;
  for (const auto& [name, process] : spec.processes) {
    if (process.public_port == 0) continue;
    const auto [other, added] = taken.emplace(process.public_port, name);
    if (!added)
      complaints.below(name).add(process.routing == Routing::socket ? "socket" : "port",
                                 fmt::format("{} is that of process '{}'", process.public_port, other->second));
  }
}

void check_variable(const std::string& name, const Variable& variable, const Complaints& all) {
  if (!is_variable_name(name) || name.size() > 128) return all.add(name, "is no name of a variable: letters, digits and _, no digit first");
  if (is_reserved_variable(name)) return all.add(name, "is a name that berth gives a value of its own");
  const Complaints complaints = all.below(name);
  if (variable.preset && variable.required) complaints.add("default", "makes no sense where 'required' is true");
  if (variable.preset && variable.secret)
    complaints.add("default", "would put a secret into the build; its value is a reference that an environment gives");
  if (variable.preset && (!is_plain(*variable.preset) || variable.preset->size() > kLongestText))
    complaints.add("default", "has control characters, or is longer than 32 KiB; put it into a file");
  if (!is_plain(variable.description) || variable.description.size() > 1024)
    complaints.add("description", "must be one line of at most 1024 bytes");
}

void check_logs(const LogRules& logs, const Complaints& complaints) {
  if (logs.segment_bytes < kSmallestSegment || logs.segment_bytes > kLargestSegment)
    complaints.add("segment_bytes", "must be from 64KiB to 1GiB");
  if (logs.keep_bytes < logs.segment_bytes || logs.keep_bytes > 1'000'000'000'000)
    complaints.add("keep_bytes", "must be at least 'segment_bytes', and at most 1000GB");
  if (logs.segment_age != 0ms && (logs.segment_age < 1h || logs.segment_age > 24h))
    complaints.add("segment_age", "must be from 1h to 24h, or 0s for none");
}

}  // namespace

void Complaints::add(std::string key, std::string what) const {
  all_.push_back({path_, std::move(what)});
  all_.back().path.push_back(std::move(key));
}

Complaints Complaints::below(std::string key) const {
  Complaints deeper = *this;
  deeper.path_.push_back(std::move(key));
  return deeper;
}

std::string to_string(const Complaint& complaint) {
  std::string table;
  for (std::size_t i = 0; i + 1 < complaint.path.size(); ++i) table += (i == 0 ? "" : ".") + complaint.path[i];
  const std::string& key = complaint.path.back();
  return table.empty() ? fmt::format("'{}' {}", key, complaint.what) : fmt::format("'{}' in [{}] {}", key, table, complaint.what);
}

bool is_plain(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool check_command(const std::vector<std::string>& command, const Complaints& complaints, const std::string& key) {
  std::size_t bytes = 0;
  for (const std::string& argument : command) bytes += argument.size() + 1;
  if (command.empty() || command.front().empty()) {
    complaints.add(key, "must name a program, such as [\"bin/server\", \"--verbose\"]");
  } else if (command.size() > kMostArguments || bytes > kLongestCommand) {
    complaints.add(key, "is longer than 1024 arguments or 128 KiB");
  } else if (!std::ranges::all_of(command, is_plain)) {
    complaints.add(key, "has control characters, such as a line break; put a script into the build instead");
  } else {
    return true;
  }
  return false;
}

std::vector<Complaint> broken_rules(const AppSpec& spec) {
  std::vector<Complaint> all;
  const Complaints top(all, {});
  if (!is_name(spec.app)) top.add("app", fmt::format("is '{}': must be a lower-case letter, then at most 30 of a-z, 0-9 and -", spec.app));
  if (!spec.user.empty() && !is_user_name(spec.user)) top.add("user", "must be a user's name: a-z, 0-9, _ and -, at most 32");
  if (spec.processes.empty()) top.add("process", "names no process: add [process.web] with a command");
  if (spec.processes.size() > kMostProcesses) top.add("process", "has more than 64 processes");
  if (spec.variables.size() > kMostVariables) top.add("env", "declares more than 1024 variables");
  for (const auto& [name, process] : spec.processes) check_process(spec, name, process, top.below("process"));
  check_ports(spec, top.below("process"));
  check_deploy(spec, top.below("deploy"));
  check_after(spec, top);
  for (const auto& [name, variable] : spec.variables) check_variable(name, variable, top.below("env"));
  check_logs(spec.logs, top.below("logs"));
  check_hooks(spec, top.below("hooks"));
  check_data(spec, top.below("data"));
  return all;
}

}  // namespace berth::spec
