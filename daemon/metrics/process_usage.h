#pragma once

#include <cstdint>

namespace berth::metrics {

/// What berthd itself takes.
struct ProcessUsage {
  double cpu_seconds = 0;     ///< user and system
  double start_seconds = 0;   ///< since 1970
  std::uint64_t resident_bytes = 0, virtual_bytes = 0;
  std::uint64_t open_fds = 0, max_fds = 0;
};

/// As the kernel tells it now. What it does not tell is 0.
ProcessUsage process_usage();

}  // namespace berth::metrics
