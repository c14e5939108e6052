#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "core/ids.h"
#include "core/spec/app_spec.h"
#include "core/spec/rules.h"

namespace berth::spec {
namespace {

void check_port_variable(const AppSpec& spec, const std::string& variable, const Complaints& complaints) {
  if (variable.empty()) return;
  if (!is_variable_name(variable) || variable.size() > 128) return complaints.add("env", "is no name of a variable: letters, digits and _, no digit first");
  if (is_reserved_variable(variable)) return complaints.add("env", "is a name that berth gives a value of its own");
  if (spec.variables.contains(variable)) complaints.add("env", fmt::format("is declared as [env.{}], too", variable));
}

}  // namespace

std::string port_variable(std::string_view name) {
  std::string variable = "PORT_" + std::string(name);
  for (char& letter : variable) letter = letter == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return variable;
}

std::string main_port(const Process& process) {
  if (process.routing != Routing::none) return process.port_name;
  return process.private_ports.size() == 1 ? process.private_ports.begin()->first : std::string();
}

bool is_port_named(const Process& process) {
  return process.routing != Routing::none && (!process.private_ports.empty() || process.port_name != Process().port_name || !process.port_variable.empty());
}

bool has_port(const Process& process, const std::string& name) {
  return process.private_ports.contains(name) || (process.routing != Routing::none && process.port_name == name);
}

std::string metric_port(const std::string& name, const Process& process, const BakeMetric& metric) {
  if (!metric.process.empty() && metric.process != name) return {};
  if (metric.port.empty()) return main_port(process);
  return has_port(process, metric.port) ? metric.port : std::string();
}

std::string metrics_port(const Process& process) {
  if (!process.metrics) return {};
  if (process.metrics->port.empty()) return main_port(process);
  return has_port(process, process.metrics->port) ? process.metrics->port : std::string();
}

std::vector<std::string> port_variables(const Process& process) {
  std::vector<std::string> names;
  if (!main_port(process).empty()) names.emplace_back("PORT");
  const auto add = [&names](const std::string& name, const std::string& variable) {
    names.push_back(port_variable(name));
    if (!variable.empty()) names.push_back(variable);
  };
  if (is_port_named(process)) add(process.port_name, process.port_variable);
  for (const auto& [name, port] : process.private_ports) add(name, port.variable);
  return names;
}

void check_named_ports(const AppSpec& spec, const Process& process, const Complaints& all) {
  const Complaints complaints = all.below("ports");
  const auto check_name = [&complaints](const std::string& name) {
    if (!is_name(name)) complaints.add(name, "is no name of a port: a lower-case letter, then at most 30 of a-z, 0-9 and -");
  };
  check_name(process.port_name);
  check_port_variable(spec, process.port_variable, complaints.below(process.port_name));
  for (const auto& [name, port] : process.private_ports) {
    check_name(name);
    check_port_variable(spec, port.variable, complaints.below(name));
  }
  if (process.private_ports.size() > kMostPrivatePorts) all.add("ports", fmt::format("names more than {} private ports", kMostPrivatePorts));
  auto names = port_variables(process);
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end()) all.add("ports", fmt::format("gives two ports the variable {}", *twice));
}

}  // namespace berth::spec
