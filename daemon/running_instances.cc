#include "daemon/running_instances.h"

#include <map>

#include <spdlog/spdlog.h>

#include "daemon/store/private_port.h"
#include "daemon/supervise/keeper_key.h"
#include "daemon/supervise/running.h"

namespace berth {

std::vector<store::InstanceRow> running_instances(const std::filesystem::path& run, const std::vector<store::MayRun>& candidates) {
  std::map<std::string, supervise::RunningProcess> processes;  // by their keepers' keys
  for (auto& process : supervise::running_processes(run.string())) processes.emplace(process.key, std::move(process));
  std::vector<store::InstanceRow> found;
  if (processes.empty()) return found;
  for (const store::MayRun& candidate : candidates) {
    store::InstanceRow row = candidate.row;
    const InstanceId id{row.app, row.process, row.number, row.release};
    const auto process = processes.find(supervise::keeper_key(id));
    if (process == processes.end()) continue;
    bool known = true;
    if (candidate.has_port) {
      row.port = supervise::port_of(process->second, "PORT", store::kLowestPrivatePort, store::kHighestPrivatePort);
      known = row.port != 0;
    }
    for (const auto& [name, variable] : candidate.variables) {
      // Of several ports at which a process listens nobody knows which is which.
      const bool said = process->second.environment.contains(variable);
      row.named_ports[name] = said ? supervise::port_of(process->second, variable, store::kLowestPrivatePort, store::kHighestPrivatePort) : std::uint16_t{0};
      known = known && row.named_ports[name] != 0;
    }
    if (known) found.push_back(std::move(row));
    else spdlog::warn("{} runs as pid {}, and it cannot be told which ports it was given: it is started anew", to_string(id), process->second.pid);
  }
  return found;
}

}  // namespace berth
