#include "daemon/deploy/instance_plan.h"

#include <csignal>

#include <fmt/core.h>

#include "core/spec/image_root.h"
#include "daemon/deploy/command_lookup.h"
#include "daemon/deploy/confinement.h"

namespace berth::deploy {
namespace {

namespace fs = std::filesystem;

using Environment = std::map<std::string, std::string>;

constexpr std::chrono::seconds kHookGrace{5};  ///< what a hook or one-off command leaves behind, or one that is ended, has it to end by itself

/// What a command may name: everybody on the machine can read it, so no secret.
Environment without_secrets(Environment environment, const bundle::Manifest& manifest) {
  for (const auto& [name, reference] : manifest.secrets) environment.erase(name);
  return environment;
}

/// A probe's command becomes one that can be executed, as the process's own; its port is named only where it is not the public one.
Result<std::optional<spec::Probe>> resolve_probe(const ProgramRoot& app, const spec::Process& process, std::optional<spec::Probe> probe,
                                                 const Environment& environment) {
  if (probe && process.routing != spec::Routing::none && probe->port == process.port_name) probe->port.clear();
  if (probe && process.routing == spec::Routing::none && probe->port.empty()) probe->port = spec::main_port(process);
  if (!probe || probe->kind != spec::ProbeKind::exec) return probe;
  BERTH_TRY(probe->command, find_command(app, probe->command, environment));
  return probe;
}

/// A path as the keeper takes it.
std::string below_root(std::string_view path) { return std::string(path.substr(path.starts_with('/') ? 1 : 0)); }

/// Where a file of the image lies when its symlinks are followed, such as etc → usr/etc: the keeper, which mounts on it, follows none. As it stands where
/// there is no such file, or where its path is longer than a record of the keeper's may have.
std::string in_tree(const fs::path& app, std::string_view file) {
  constexpr std::size_t kLongest = 200;  // what the keeper takes, with room
  std::error_code missing;
  const fs::path real = fs::canonical(app / file, missing);
  if (missing) return std::string(file);
  const fs::path real_app = fs::canonical(app, missing);
  if (missing) return std::string(file);
  std::string path = real.lexically_relative(real_app).string();
  const bool is_inside = !path.empty() && !path.starts_with("..");
  return is_inside && path.size() <= kLongest ? path : std::string(file);
}

/// What an instance whose root is its image sees of the node, where spec/image_root.h says.
std::vector<keeper::Mount> mounts_of(const NodeFacts& node, const InstanceId& id, const fs::path& app) {
  using Kind = keeper::Mount::Kind;
  const InstanceFolders folders = folders_of(node, id);
  return {{.kind = Kind::writable, .path = below_root(spec::kImageData), .source = node.paths.data(id.app).string()},
          {.kind = Kind::writable, .path = below_root(spec::kImageRun), .source = folders.run},
          {.kind = Kind::read_only, .path = below_root(spec::kImageConfig), .source = folders.config},
          {.kind = Kind::read_only, .path = below_root(spec::kImageSecrets), .source = folders.secrets},
          {.kind = Kind::file, .path = in_tree(app, spec::kImageHosts), .source = "/etc/hosts"},
          {.kind = Kind::file, .path = in_tree(app, spec::kImageResolver), .source = "/etc/resolv.conf"}};
}

void enter_image(supervise::InstancePlan& plan, const NodeFacts& node, const ProgramRoot& app) {
  if (app.root != spec::Root::image) return;
  plan.root = app.app.string();
  plan.mounts = mounts_of(node, plan.id, app.app);
}

/// What its sandbox names must be there, but for what lies in the app's own folders, which a hook may make.
Result<void> check_paths(const spec::Sandbox& sandbox, const std::vector<std::string>& own) {
  const std::pair<std::string_view, const std::vector<std::string>*> lists[] = {{spec::kReadOnlyPaths, &sandbox.read_only_paths},
                                                                                {spec::kReadWritePaths, &sandbox.read_write_paths},
                                                                                {spec::kInaccessiblePaths, &sandbox.inaccessible_paths}};
  for (const auto& [word, paths] : lists) {
    for (const std::string& path : *paths) {
      std::error_code ignored;
      if (path.starts_with('-') || fs::exists(path, ignored)) continue;
      if (std::ranges::any_of(own, [&path](const std::string& folder) { return path.starts_with(folder + "/"); })) continue;
      return fail(Errc::io, fmt::format("{} of its sandbox names {}, which is not on this node: make it, or release with \"-{}\" if it may be missing", word, path, path));
    }
  }
  return {};
}

/// What the process's sandbox keeps it from; on the node never from what is its own.
Result<void> enter_sandbox(supervise::InstancePlan& plan, const NodeFacts& node, const std::string& release, const spec::Process& process) {
  plan.sandbox = process.sandbox;
  if (process.root != spec::Root::node) return {};
  const InstanceFolders folders = folders_of(node, plan.id);
  const std::vector<std::string> writable = {node.paths.data(plan.id.app).string(), folders.run, folders.tmp};
  const std::vector<std::string> readable = {(node.local_app.empty() ? node.paths.slot(plan.id.app, release) : node.local_app).string(), folders.config, folders.secrets};
  plan.confinement = confinement_of(process.sandbox, writable, readable);
  return check_paths(process.sandbox, writable);
}

Result<supervise::InstancePlan> plan_process(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, RunAs who,
                                             const Environment& environment) {
  const Environment public_part = without_secrets(environment, manifest);
  const auto found = manifest.spec.processes.find(id.process);
  if (found == manifest.spec.processes.end()) return fail(Errc::not_found, "the release has no such process");
  const spec::Process& process = found->second;
  const ProgramRoot app{.app = node.app_of(id.app, manifest.release), .root = process.root, .directory = process.directory};

  supervise::InstancePlan plan{.id = id,
                               .argv = {},
                               .environment = environment,
                               .directory = {},
                               .uid = who.uid,
                               .gid = who.gid,
                               .stop = process.stop,
                               .restart = process.restart,
                               .logs = manifest.spec.logs,
                               .limits = process.limits,
                               .log_directory = node.paths.logs / id.app / fmt::format("{}.{}", id.process, id.number),
                               .listen_env = process.listen_env};
  BERTH_TRY(plan.argv, find_command(app, process.command, public_part));
  BERTH_TRY(plan.directory, find_directory(app, process.directory));
  BERTH_TRY(plan.startup, resolve_probe(app, process, process.startup, public_part));
  BERTH_TRY(plan.readiness, resolve_probe(app, process, process.readiness, public_part));
  BERTH_TRY(plan.liveness, resolve_probe(app, process, process.liveness, public_part));
  // What never listens must not take the place of a release that does.
  if (!plan.readiness && process.routing == spec::Routing::port) plan.readiness = spec::Probe{.kind = spec::ProbeKind::tcp};
  BERTH_TRY(plan.groups, groups_of(who, process.sandbox.supplementary_groups));
  enter_image(plan, node, app);
  BERTH_CHECK(enter_sandbox(plan, node, manifest.release, process));
  if (node.given_secrets) plan.redact = [given = node.given_secrets, app = id.app](std::string& text) { given->redact(app, text); };
  if (spec::is_notified(process)) plan.notify_socket = folders_of(node, id).run + kNotifyName;
  return plan;
}

/// Of what runs once, to its end, beside the instances.
supervise::InstancePlan plan_once(const InstanceId& id, RunAs who, const Environment& environment) {
  return {.id = id,
          .argv = {},
          .environment = environment,
          .directory = {},
          .uid = who.uid,
          .gid = who.gid,
          .stop = {.signal = SIGTERM, .grace = kHookGrace},
          .restart = spec::Restart::never,
          .once = true};
}

}  // namespace

Result<supervise::InstancePlan> plan_instance(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, RunAs who,
                                              const Environment& environment) {
  auto plan = plan_process(node, manifest, id, who, environment);
  if (!plan) return pass(std::move(plan.error()), fmt::format("{}@{}: process {}", id.app, manifest.release, id.process));
  return plan;
}

Result<supervise::InstancePlan> plan_job(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, RunAs who, const Environment& environment) {
  BERTH_TRY(auto plan, plan_instance(node, manifest, id, who, environment));
  const auto& job = manifest.spec.processes.at(id.process).job;
  plan.once = true;
  plan.retries = job && plan.restart == spec::Restart::on_failure ? job->retries : 0;
  return plan;
}

Result<supervise::InstancePlan> plan_hook(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, RunAs who,
                                          const Environment& environment) {
  const ProgramRoot app{.app = node.app_of(id.app, manifest.release), .root = spec::root_of_hooks(manifest.spec)};
  supervise::InstancePlan plan = plan_once(id, who, environment);
  plan.limits = spec::limits_of_hooks(manifest.spec);
  BERTH_TRY(plan.groups, groups_of(who, spec::groups_of_hooks(manifest.spec)));
  plan.logs = manifest.spec.logs;
  plan.log_directory = node.paths.logs / id.app / fmt::format("{}.{}", id.process, id.number);
  auto argv = find_command(app, manifest.spec.hooks.at(id.process).command, without_secrets(environment, manifest));
  if (!argv) return pass(std::move(argv.error()));
  plan.argv = std::move(*argv);
  BERTH_TRY(plan.directory, find_directory(app, {}));
  enter_image(plan, node, app);
  return plan;
}

bool is_exec(const InstanceId& id) { return id.process == kExec && id.number >= kFirstExec; }

Result<supervise::InstancePlan> plan_exec(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, const std::string& process, RunAs who,
                                          const Values& environment) {
  const spec::Process& rules = manifest.spec.processes.at(process);
  const ProgramRoot app{.app = node.app_of(id.app, manifest.release), .root = rules.root, .directory = rules.directory};
  supervise::InstancePlan plan = plan_once(id, who, environment);
  plan.limits = rules.limits;
  BERTH_TRY(plan.groups, groups_of(who, rules.sandbox.supplementary_groups));
  plan.log_directory = folders_of(node, id).base;
  BERTH_CHECK(enter_sandbox(plan, node, manifest.release, rules));
  BERTH_TRY(plan.directory, find_directory(app, rules.directory));
  enter_image(plan, node, app);
  return plan;
}

Result<std::vector<std::string>> find_exec(const NodeFacts& node, const bundle::Manifest& manifest, const std::string& process,
                                           const std::vector<std::string>& command, const Values& environment) {
  const spec::Process& rules = manifest.spec.processes.at(process);
  const ProgramRoot app{.app = node.app_of(manifest.app, manifest.release), .root = rules.root, .directory = rules.directory};
  std::vector<std::string> literal;  // whoever typed it has a shell, which expanded what it was to
  for (const std::string& word : command) {
    std::string& escaped = literal.emplace_back();
    for (const char letter : word) escaped += letter == '$' ? "$$" : std::string(1, letter);
  }
  return find_command(app, literal, environment);
}

}  // namespace berth::deploy
