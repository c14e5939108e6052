#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/supervise/supervisor.h"

namespace berth::metrics {

/// What an instance's processes take, without its keeper.
struct InstanceUsage {
  double cpu_seconds = 0;            ///< user and system; of its keeper's life, also what ended processes used
  std::uint64_t resident_bytes = 0;  ///< anonymous memory and mapped files in RAM
  std::optional<double> memory_limit;  ///< bytes; where the kernel enforces one
  std::uint64_t processes = 0;
  std::uint64_t open_fds = 0;        ///< of its main process
  std::optional<double> read_bytes, written_bytes;  ///< from and to disks; where the kernel tells
  std::optional<double> oom_kills;   ///< processes that the kernel killed at the memory limit; where it accounts for memory
};

/// Of those that run. What the kernel accounts for in a cgroup of an app is taken from there, the rest from /proc. Blocking.
std::map<InstanceId, InstanceUsage> instance_usages(const std::vector<supervise::InstanceStatus>& instances);

/// The sum of `key=NUMBER` over the lines of a cgroup's io.stat, one for each disk.
std::uint64_t sum_in(const std::string& text, const std::string& key);

/// The number after `key` in lines such as "anon 4096"; 0 where there is none.
std::uint64_t counter_in(std::string_view text, std::string_view key);

}  // namespace berth::metrics
