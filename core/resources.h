#pragma once

#include <cstdint>
#include <map>

#include <sys/resource.h>

namespace berth {

/// A limit of setrlimit(2): the soft one is in force, and whoever it holds for may raise it up to the hard one.
struct ResourceLimit {
  static constexpr std::uint64_t kInfinity = RLIM_INFINITY;

  std::uint64_t soft = kInfinity, hard = kInfinity;

  bool operator==(const ResourceLimit&) const = default;
};

/// By the number of what they limit, such as RLIMIT_NOFILE.
using ResourceLimits = std::map<int, ResourceLimit>;

/// How many files a process may have open where nothing else is said: as many as a service of systemd, however many berthd itself may.
inline constexpr ResourceLimit kUsualFiles{1024, 524'288};

}  // namespace berth
