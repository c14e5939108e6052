// The limits of a process as berth.toml and a manifest have them.

#include <algorithm>

#include <fmt/core.h>

#include "core/json/json.h"
#include "core/spec/limits.h"
#include "core/spec/resource_words.h"
#include "core/spec/toml_table.h"

namespace berth::spec {
namespace {

std::optional<std::uint64_t> read_memory(TomlTable& table, std::string_view word) {
  if (table.has_integer(word)) return static_cast<std::uint64_t>(table.integer(word, 0, kMostMemory).value_or(0));
  const auto text = table.string(word);
  if (!text) return std::nullopt;
  const auto bytes = parse_memory(*text);
  if (bytes) return *bytes;
  table.complain(word, "is wrong: " + bytes.error().message);
  return std::nullopt;
}

/// A number is both limits.
void read_resource(TomlTable& table, const ResourceWord& word, ResourceLimits& to) {
  if (table.has_integer(word.word)) {
    const auto number = table.integer(word.word, 0, static_cast<std::int64_t>(kMostOfAResource));
    if (number) to[word.resource] = {static_cast<std::uint64_t>(*number), static_cast<std::uint64_t>(*number)};
    return;
  }
  const auto text = table.string(word.word);
  if (!text) return;
  const auto limit = parse_resource(word, *text);
  if (limit) to[word.resource] = *limit;
  else table.complain(word.word, "is wrong: " + limit.error().message);
}

void take_resource(json::ObjectReader& reader, const ResourceWord& word, ResourceLimits& to) {
  if (reader.maybe(word.word) == nullptr) return;
  const std::string text = reader.string(word.word);
  const auto limit = parse_resource(word, text);
  if (limit && resource_text(*limit) == text) to[word.resource] = *limit;
  else reader.complain(fmt::format("member '{}': '{}' is no limit", word.word, text));
}

}  // namespace

Limits read_limits(TomlTable table) {
  Limits limits;
  limits.memory_max = read_memory(table, kMemoryMax);
  limits.memory_high = read_memory(table, kMemoryHigh);
  limits.memory_swap_max = read_memory(table, kMemorySwapMax);
  if (const auto text = table.string(kCpuQuota)) {
    const auto percent = parse_quota(*text);
    if (percent) limits.cpu_quota = *percent;
    else table.complain(kCpuQuota, "is wrong: " + percent.error().message);
  }
  limits.cpu_weight = table.integer(kCpuWeight, 1, kMostWeight);
  limits.io_weight = table.integer(kIoWeight, 1, kMostWeight);
  limits.tasks_max = table.integer(kTasksMax, 1, kMostTasks);
  for (const ResourceWord& word : resource_words()) read_resource(table, word, limits.resources);
  limits.nice = table.integer(kNice, kLeastNice, kMostNice);
  limits.oom_score_adjust = table.integer(kOomScoreAdjust, -kMostOomScore, kMostOomScore);
  table.done();
  return limits;
}

boost::json::value limits_json(const Limits& limits) {
  json::object out;
  const auto put = [&out](std::string_view word, const auto& number) {
    if (number) out[word] = static_cast<std::int64_t>(*number);
  };
  put(kMemoryMax, limits.memory_max);
  put(kMemoryHigh, limits.memory_high);
  put(kMemorySwapMax, limits.memory_swap_max);
  if (limits.cpu_quota) out[kCpuQuota] = quota_text(*limits.cpu_quota);
  put(kCpuWeight, limits.cpu_weight);
  put(kIoWeight, limits.io_weight);
  put(kTasksMax, limits.tasks_max);
  for (const ResourceWord& word : resource_words())
    if (const auto limit = limits.resources.find(word.resource); limit != limits.resources.end()) out[word.word] = resource_text(limit->second);
  put(kNice, limits.nice);
  put(kOomScoreAdjust, limits.oom_score_adjust);
  return out;
}

Result<Limits> limits_from(const boost::json::value& json, const std::string& where) {
  json::ObjectReader reader(json, where);
  Limits limits;
  const auto bytes = [&reader](std::string_view word, std::optional<std::uint64_t>& to) {
    if (reader.maybe(word) != nullptr) to = static_cast<std::uint64_t>(reader.integer(word, 0, kMostMemory));
  };
  const auto number = [&reader](std::string_view word, int least, int most, std::optional<int>& to) {
    if (reader.maybe(word) != nullptr) to = static_cast<int>(reader.integer(word, least, most));
  };
  bytes(kMemoryMax, limits.memory_max);
  bytes(kMemoryHigh, limits.memory_high);
  bytes(kMemorySwapMax, limits.memory_swap_max);
  if (reader.maybe(kCpuQuota) != nullptr) {
    const std::string text = reader.string(kCpuQuota);
    const auto percent = parse_quota(text);
    if (percent && quota_text(*percent) == text) limits.cpu_quota = *percent;
    else reader.complain(fmt::format("member '{}': '{}' is no share of CPUs", kCpuQuota, text));
  }
  number(kCpuWeight, 1, kMostWeight, limits.cpu_weight);
  number(kIoWeight, 1, kMostWeight, limits.io_weight);
  number(kTasksMax, 1, kMostTasks, limits.tasks_max);
  for (const ResourceWord& word : resource_words()) take_resource(reader, word, limits.resources);
  number(kNice, kLeastNice, kMostNice, limits.nice);
  number(kOomScoreAdjust, -kMostOomScore, kMostOomScore, limits.oom_score_adjust);
  if (!limits.any()) reader.complain("says nothing, and is not written then");
  BERTH_CHECK(reader.done());
  return limits;
}

Limits limits_of_hooks(const AppSpec& spec) {
  Limits common;
  bool is_first = true;
  for (const auto& [name, process] : spec.processes) {
    const Limits& its = process.limits;
    if (is_first) common = {.resources = its.resources, .nice = its.nice, .oom_score_adjust = its.oom_score_adjust};
    is_first = false;
    const auto differs = [&its](const auto& limit) {
      const auto other = its.resources.find(limit.first);
      return other == its.resources.end() || other->second != limit.second;
    };
    std::erase_if(common.resources, differs);
    if (common.nice != its.nice) common.nice.reset();
    if (common.oom_score_adjust != its.oom_score_adjust) common.oom_score_adjust.reset();
  }
  return common;
}

}  // namespace berth::spec
