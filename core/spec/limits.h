#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "core/resources.h"
#include "core/result.h"

namespace berth::spec {

class TomlTable;
struct AppSpec;

/// What one instance may use of the machine, in systemd's words and with its meanings (systemd.resource-control(5), systemd.exec(5)). Absent: as much as there is.
struct Limits {
  std::optional<std::uint64_t> memory_max;       ///< bytes; over it the kernel kills the instance, whole
  std::optional<std::uint64_t> memory_high;      ///< bytes; over it the instance is slowed down and its memory reclaimed
  std::optional<std::uint64_t> memory_swap_max;  ///< bytes of swap
  std::optional<int> cpu_quota;                  ///< percent of one CPU: 150 is one and a half of them
  std::optional<int> cpu_weight, io_weight;      ///< 1 to 10000, beside others that have 100
  std::optional<int> tasks_max;                  ///< processes and threads
  ResourceLimits resources;                      ///< of each process; absent: what is usual (core/resources.h)
  std::optional<int> nice;                       ///< -20, first, to 19, last; absent: as berthd
  std::optional<int> oom_score_adjust;           ///< -1000, never, to 1000, first: whether the kernel ends it where memory is short; absent: 0

  bool any() const { return *this != Limits(); }
  bool operator==(const Limits&) const = default;
};

// The words of berth.toml and of a manifest.
inline constexpr std::string_view kMemoryMax = "MemoryMax", kMemoryHigh = "MemoryHigh", kMemorySwapMax = "MemorySwapMax", kCpuQuota = "CPUQuota",
                                  kCpuWeight = "CPUWeight", kIoWeight = "IOWeight", kTasksMax = "TasksMax", kNice = "Nice", kOomScoreAdjust = "OOMScoreAdjust";
inline constexpr int kMostQuota = 100'000, kMostWeight = 10'000, kMostTasks = 4'194'304;  ///< the last: as many pids as Linux has
inline constexpr int kLeastNice = -20, kMostNice = 19, kMostOomScore = 1000;
inline constexpr std::int64_t kMostMemory = std::int64_t{1} << 50;

/// "512M" and, with the suffixes K, G and T, what systemd means: powers of 1024. Sizes as everywhere in berth.toml ("512MiB", "500MB") do, too.
/// `Errc::usage` on anything else.
Result<std::uint64_t> parse_memory(std::string_view text);

/// "150%" → 150, up to `kMostQuota`. `Errc::usage` on anything else.
Result<int> parse_quota(std::string_view text);
std::string quota_text(int percent);

/// One file of a cgroup (cgroup v2) and what is written to it.
struct CgroupValue {
  std::string_view word;  ///< what of the limits it enforces: "MemoryMax"; empty for what only goes along
  std::string file;       ///< "memory.max"
  std::string value;

  bool operator==(const CgroupValue&) const = default;
};

/// What enforces `limits`, in the order in which it is to be written.
std::vector<CgroupValue> cgroup_values(const Limits& limits);

/// `[process.NAME.limits]`. What is wrong the table complains of.
Limits read_limits(TomlTable table);

/// The same in a manifest, where it stands only if it says something. `Errc::trust` for what berth.toml could not say.
boost::json::value limits_json(const Limits& limits);
Result<Limits> limits_from(const boost::json::value& json, const std::string& where);

/// Those of hooks, which are of the app as a whole: what `spec` says alike of each of its processes. A hook is in no cgroup of theirs.
Limits limits_of_hooks(const AppSpec& spec);

}  // namespace berth::spec
