#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace berth::supervise {

/// The main process of an instance, as its keeper wrote it down and as it lives still.
struct RunningProcess {
  std::string key;  ///< of its keeper: see keeper_key.h
  pid_t pid = 0;
  std::map<std::string, std::string> environment;  ///< that it was started with; empty where it wrote over that, as programs do that change their title
  std::vector<std::uint16_t> listens;              ///< ports, in their order
};

/// All below the run folder, without asking keepers. Blocking.
std::vector<RunningProcess> running_processes(const std::string& run_directory);

/// A port that the process was given: as its variable says, where it has that still; else the one between `lowest` and `highest` at which it listens, if it is one
/// alone. 0: it is not known.
std::uint16_t port_of(const RunningProcess& process, const std::string& variable, std::uint16_t lowest, std::uint16_t highest);

}  // namespace berth::supervise
