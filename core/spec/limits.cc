#include "core/spec/limits.h"

#include <charconv>

#include <fmt/core.h>

#include "core/spec/quantities.h"
#include "core/spec/rules.h"

namespace berth::spec {
namespace {

constexpr std::uint64_t kLeastMemory = 1u << 20;  ///< no program starts in less, and what is meant as megabytes is not read as bytes
constexpr int kCpuPeriodUs = 100'000;             ///< over which a quota counts: the kernel's own default, and systemd's

/// The digits at the head of `text`; what follows them is left in it.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

void check_memory(const std::optional<std::uint64_t>& bytes, std::string_view word, const Complaints& complaints) {
  if (bytes && (*bytes < kLeastMemory || *bytes > static_cast<std::uint64_t>(kMostMemory)))
    complaints.add(std::string(word), "must be from 1M to 1024T; a number without a unit is bytes");
}

void check_range(const std::optional<int>& number, int most, std::string_view word, const Complaints& complaints) {
  if (number && (*number < 1 || *number > most)) complaints.add(std::string(word), fmt::format("must be from 1 to {}", most));
}

}  // namespace

Result<std::uint64_t> parse_memory(std::string_view text) {
  constexpr std::string_view kSuffixes = "KMGT";
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (number && rest.size() == 1 && kSuffixes.find(rest[0]) != std::string_view::npos) {
    const auto shift = 10 * (kSuffixes.find(rest[0]) + 1);
    if (*number <= static_cast<std::uint64_t>(kMostMemory) >> shift) return *number << shift;
  }
  if (const auto size = parse_size(text)) return *size;
  return fail(Errc::usage, fmt::format("'{}' is no amount of memory: write a whole number and K, M, G or T, such as 512M (1024-based, as systemd's), or 500MB", text));
}

Result<int> parse_quota(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (number && rest == "%" && *number >= 1 && *number <= kMostQuota) return static_cast<int>(*number);
  return fail(Errc::usage, fmt::format("'{}' is no share of CPUs: write percents of one, such as 50% or 150%", text));
}

std::string quota_text(int percent) { return fmt::format("{}%", percent); }

std::vector<CgroupValue> cgroup_values(const Limits& limits) {
  std::vector<CgroupValue> values;
  const auto add = [&values](std::string_view word, const char* file, const auto& number) {
    if (number) values.push_back({word, file, fmt::format("{}", *number)});
  };
  add(kMemoryHigh, "memory.high", limits.memory_high);
  add(kMemorySwapMax, "memory.swap.max", limits.memory_swap_max);
  add(kMemoryMax, "memory.max", limits.memory_max);
  // All of its processes or none: half an instance serves nobody.
  if (limits.memory_max) values.push_back({{}, "memory.oom.group", "1"});
  if (limits.cpu_quota) values.push_back({kCpuQuota, "cpu.max", fmt::format("{} {}", std::int64_t{*limits.cpu_quota} * (kCpuPeriodUs / 100), kCpuPeriodUs)});
  add(kCpuWeight, "cpu.weight", limits.cpu_weight);
  add(kIoWeight, "io.weight", limits.io_weight);
  add(kTasksMax, "pids.max", limits.tasks_max);
  return values;
}

void check_limits(const Limits& limits, const Complaints& complaints) {
  check_memory(limits.memory_max, kMemoryMax, complaints);
  check_memory(limits.memory_high, kMemoryHigh, complaints);
  if (limits.memory_swap_max && *limits.memory_swap_max > static_cast<std::uint64_t>(kMostMemory)) complaints.add(std::string(kMemorySwapMax), "must be at most 1024T");
  if (limits.memory_max && limits.memory_high && *limits.memory_high > *limits.memory_max)
    complaints.add(std::string(kMemoryHigh), "must not be over 'MemoryMax', where the instance is killed before it is slowed down");
  check_range(limits.cpu_quota, kMostQuota, kCpuQuota, complaints);
  check_range(limits.cpu_weight, kMostWeight, kCpuWeight, complaints);
  check_range(limits.io_weight, kMostWeight, kIoWeight, complaints);
  check_range(limits.tasks_max, kMostTasks, kTasksMax, complaints);
}

}  // namespace berth::spec
