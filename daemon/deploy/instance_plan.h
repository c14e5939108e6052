#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/bundle/manifest.h"
#include "core/ids.h"
#include "core/result.h"
#include "daemon/deploy/node_facts.h"
#include "daemon/secrets/values.h"
#include "daemon/supervise/supervisor.h"

namespace berth::deploy {

using Values = secrets::WipedValues;

/// Who an instance runs as.
struct RunAs {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary ones that its user has on this node
};

/// The user of `manifest`'s app: the app's own uid, or the one that the spec names, with its groups. Whatever is started asks this first, so it fails as
/// check_policy does, and with `Errc::usage` for a user this machine does not have. Blocking.
Result<RunAs> run_as(const NodeFacts& node, const bundle::Manifest& manifest, int app_uid);

/// The supplementary groups of `who`, and those of these names. Fails with `Errc::usage` for one this machine does not have. Blocking.
Result<std::vector<gid_t>> groups_of(const RunAs& who, const std::vector<std::string>& names);

/// Values of the manifest's secrets by variable, as `secrets::resolve` finds them. Blocking. Errors name the variable and the reference, never the value.
/// `Errc::usage` where the run folder, in which instances find them, is not in memory.
/// Without `run_commands`, those that a command tells are empty: it is not run.
Result<Values> resolve_secrets(const NodeFacts& node, const bundle::Manifest& manifest, bool run_commands = true);

/// The values that an instance which runs was given, from its folder: what it goes on with while the node has none to give. Fails where one is not there.
/// Blocking.
Result<Values> secrets_given_to(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id);

/// Tells `node.given_secrets`, which there is, the secrets that lie in the folders of `instances`: a berthd before this one gave them. Blocking.
void learn_secrets(const NodeFacts& node, const std::vector<InstanceId>& instances);

/// An instance's private folders, below `run`; made anew by `prepare_folders`.
struct InstanceFolders {
  std::string base;     ///< `<run>/instances/<16 hex digits of the instance's key>`
  std::string config;   ///< BERTH_CONFIG_DIR: the release's files, templates rendered
  std::string secrets;  ///< BERTH_SECRETS_DIR: a file for each secret, named as its variable
  std::string run;      ///< BERTH_RUN_DIR: writable
  std::string tmp;      ///< TMPDIR: writable
};
inline constexpr const char* kNotifyName = "/notify";  ///< of $NOTIFY_SOCKET, in the run folder
std::filesystem::path instances_folder(const NodeFacts& node);  ///< where they all are
InstanceFolders folders_of(const NodeFacts& node, const InstanceId& id);

/// The environment of an instance (DESIGN 4): the release's variables and secrets, and what berth adds, but not LISTEN_*. A release may say PATH, LANG and
/// TZ itself, but no variable that `spec::is_reserved_variable` names. `named_ports`: its private ones by name. `private_port`: with `Routing::port`; else 0. A secret's value is in it.
Values environment_of(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id,
                      std::uint16_t private_port, const std::map<std::string, std::string>& secrets,
                      const std::map<std::string, std::uint16_t>& named_ports = {});

/// Everything of an InstancePlan that can be known without a router: all but `sockets`, `probe_endpoint` and `must_take_socket`. Pure but for looking up
/// argv[0] and groups. Fails with `Errc::usage` for a command that names an unknown variable or a secret, `Errc::not_found` for one that is not there.
Result<supervise::InstancePlan> plan_instance(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, RunAs who,
                                              const std::map<std::string, std::string>& environment);

/// The same for a hook: `id.process` is its name. It runs once, without a port.
Result<supervise::InstancePlan> plan_hook(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, RunAs who,
                                          const std::map<std::string, std::string>& environment);

/// The same for a run of a job, `id.process`: with the rules of a process, run to its end.
Result<supervise::InstancePlan> plan_job(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, RunAs who,
                                         const std::map<std::string, std::string>& environment);

/// A one-off command of a person is an instance of this name, of a number beyond those that a process's own can have.
inline constexpr const char* kExec = "exec";
inline constexpr int kFirstExec = 1001;
bool is_exec(const InstanceId& id);

/// The environment of a one-off command with the rules of `process`: as environment_of, without a port and without NOTIFY_SOCKET.
Values exec_environment(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, const std::string& process,
                        const std::map<std::string, std::string>& secrets);

/// The same with 0 for the ports of `process`, so that templates can be rendered that name them.
Values with_idle_ports(const Values& environment, const spec::Process& process);

/// Where a one-off command is run, with the root, folder and limits of `process`: all but argv. It runs once, and has no log: its output is its client's.
/// `Errc::not_found` for a folder that is not there.
Result<supervise::InstancePlan> plan_exec(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, const std::string& process, RunAs who,
                                          const Values& environment);

/// The argv of a one-off command: argv[0] as find_command finds it, nothing expanded. `Errc::not_found` for a program that is not there.
Result<std::vector<std::string>> find_exec(const NodeFacts& node, const bundle::Manifest& manifest, const std::string& process,
                                           const std::vector<std::string>& command, const Values& environment);

/// Makes the instance's folders and renders its configuration there, owned by `who`, closed to others. What a process that runs has open stays as it is:
/// configuration and secrets are replaced as whole folders, by rename; what it wrote stays. Blocking. A template with an unknown name fails with
/// `Errc::usage`, naming file and name; data that belong to another user than `who` likewise, saying what to do.
Result<void> prepare_folders(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, RunAs who,
                             const std::map<std::string, std::string>& environment, const std::map<std::string, std::string>& secrets);

/// Removes them. Blocking.
Result<void> remove_folders(const NodeFacts& node, const InstanceId& id);

/// Removes the folders of all instances but `known`: what a crash left of others. Blocking.
Result<void> remove_strange_folders(const NodeFacts& node, const std::vector<InstanceId>& known);

}  // namespace berth::deploy
