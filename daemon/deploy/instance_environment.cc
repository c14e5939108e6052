#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/spec/image_root.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {
namespace {

std::uint16_t port_of(const bundle::Manifest& manifest, const InstanceId& id, std::uint16_t private_port) {
  const auto process = manifest.spec.processes.find(id.process);
  if (process == manifest.spec.processes.end()) return 0;
  switch (process->second.routing) {
    case spec::Routing::port: return private_port;
    case spec::Routing::socket: return process->second.public_port;
    case spec::Routing::none: return 0;
  }
  return 0;
}

/// `PORT`, and a variable for each port by its name; the main one also by the process's, so that what an app gives several processes is told apart.
void add_ports(Values& environment, const spec::Process& process, const std::string& name, std::uint16_t main_port,
               const std::map<std::string, std::uint16_t>& named) {
  const auto add = [&environment](const std::string& port_name, const std::string& variable, std::uint16_t port) {
    environment[spec::port_variable(port_name)] = std::to_string(port);
    if (!variable.empty()) environment[variable] = std::to_string(port);
  };
  for (const auto& [port_name, port] : named)
    if (const auto rules = process.private_ports.find(port_name); rules != process.private_ports.end()) add(port_name, rules->second.variable, port);
  if (const std::string only = spec::main_port(process); main_port == 0 && named.contains(only)) main_port = named.at(only);
  if (main_port == 0) return;
  environment["PORT"] = std::to_string(main_port);
  environment.try_emplace(spec::port_variable(name), std::to_string(main_port));
  if (spec::is_port_named(process)) add(process.port_name, process.port_variable, main_port);
}

/// An instance's folders as it sees them itself where its root is its image.
InstanceFolders image_folders() {
  return {.base = {}, .config = spec::kImageConfig, .secrets = spec::kImageSecrets, .run = spec::kImageRun, .tmp = spec::kImageTmp};
}

/// What every process of the release has, with a port or without; `process`: its name.
Values common_environment(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, const std::string& process, spec::Root root,
                          const std::map<std::string, std::string>& secrets) {
  const bool is_image = root == spec::Root::image;
  const InstanceFolders folders = is_image ? image_folders() : folders_of(node, id);
  const std::string data = is_image ? spec::kImageData : node.paths.data(id.app).string();
  const std::string app = node.app_of(id.app, manifest.release).string();

  // What a release may say otherwise.
  Values environment = {{"PATH", is_image ? std::string(spec::kImagePath) : app + "/bin:/usr/local/bin:/usr/bin:/bin"}, {"LANG", "C.UTF-8"}, {"TZ", "UTC"}};
  for (const auto& [name, variable] : manifest.spec.variables)
    if (variable.preset && !variable.secret) environment[name] = *variable.preset;
  for (const auto& [name, value] : manifest.variables) environment[name] = value;
  for (const auto& [name, value] : secrets) environment[name] = value;
  std::erase_if(environment, [](const auto& entry) { return spec::is_reserved_variable(entry.first); });

  // What it may not.
  environment["HOME"] = manifest.spec.writable_home ? data : folders.run;
  environment["TMPDIR"] = folders.tmp;
  environment["BERTH_APP"] = id.app;
  environment["BERTH_ENV"] = node.environment;
  environment["BERTH_RELEASE"] = manifest.release;
  environment["BERTH_PROCESS"] = process;
  environment["BERTH_INSTANCE"] = to_string(InstanceId{.app = id.app, .process = id.process, .number = id.number, .release = {}});
  environment["BERTH_NODE"] = node.name;
  environment["BERTH_CONFIG_DIR"] = folders.config;
  environment["BERTH_DATA_DIR"] = data;
  environment["BERTH_RUN_DIR"] = folders.run;
  environment["BERTH_SECRETS_DIR"] = folders.secrets;
  if (const auto build = bundle::build_for(manifest, bundle::this_platform())) environment["BERTH_BUILD"] = build->digest;
  return environment;
}

}  // namespace

std::filesystem::path instances_folder(const NodeFacts& node) { return node.paths.run / "instances"; }

InstanceFolders folders_of(const NodeFacts& node, const InstanceId& id) {
  const auto base = instances_folder(node) / crypto::sha256_hex(to_string(id)).substr(0, 16);
  return {.base = base, .config = base / "config", .secrets = base / "secrets", .run = base / "run", .tmp = base / "tmp"};
}

Values environment_of(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id,
                      std::uint16_t private_port, const std::map<std::string, std::string>& secrets,
                      const std::map<std::string, std::uint16_t>& named_ports) {
  const auto process = manifest.spec.processes.find(id.process);
  const spec::Root root = process != manifest.spec.processes.end() ? process->second.root : spec::root_of_hooks(manifest.spec);
  Values environment = common_environment(node, manifest, id, id.process, root, secrets);
  if (process != manifest.spec.processes.end()) add_ports(environment, process->second, id.process, port_of(manifest, id, private_port), named_ports);
  if (process != manifest.spec.processes.end() && spec::is_notified(process->second)) {
    environment["NOTIFY_SOCKET"] = environment.at("BERTH_RUN_DIR") + kNotifyName;
    if (const auto watchdog = spec::watchdog_of(process->second))
      environment["WATCHDOG_USEC"] = std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(*watchdog).count());
  }
  return environment;
}

Values exec_environment(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, const std::string& process,
                        const std::map<std::string, std::string>& secrets) {
  return common_environment(node, manifest, id, process, manifest.spec.processes.at(process).root, secrets);
}

Values with_idle_ports(const Values& environment, const spec::Process& process) {
  Values filled = environment;
  for (const std::string& name : spec::port_variables(process)) filled.try_emplace(name, "0");
  return filled;
}

}  // namespace berth::deploy
