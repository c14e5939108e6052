#include <algorithm>

#include <fmt/core.h>

#include "core/exposition/selector.h"
#include "core/logs/log_filter.h"
#include "core/spec/rules.h"

namespace berth::spec {
namespace {

constexpr std::size_t kLongestPattern = 1024;

void check_rate(const Rate& rate, const Complaints& complaints) {
  if (rate.number < 0 || rate.number > kMostRate) complaints.add("max_rate", fmt::format("must be from 0 to {}", kMostRate));
}

void check_metric(const AppSpec& spec, const BakeMetric& metric, const Complaints& complaints) {
  check_http_path(metric.path, complaints, "path");
  if (const auto selector = exposition::parse_selector(metric.query); !selector) complaints.add("query", "is wrong: " + selector.error().message);
  check_rate(metric.max_rate, complaints);
  const auto is_asked = [&](const auto& process) { return !metric_port(process.first, process.second, metric).empty(); };
  if (std::ranges::any_of(spec.processes, is_asked)) return;
  if (!metric.process.empty() && !spec.processes.contains(metric.process)) return complaints.add("process", fmt::format("names '{}', which is no process", metric.process));
  if (!metric.port.empty()) return complaints.add("port", fmt::format("names '{}', which is no port of {}", metric.port, metric.process.empty() ? "any process" : metric.process));
  complaints.add("path", "is asked of a process at its port, and none has one, or a single one: say which by port = \"name\"");
}

void check_log(const BakeLog& log, const Complaints& complaints) {
  if (log.pattern.empty() || log.pattern.size() > kLongestPattern || !is_plain(log.pattern))
    complaints.add("pattern", fmt::format("must be a regular expression of at most {} bytes, such as \"ERROR|FATAL\"", kLongestPattern));
  else if (const auto pattern = logs::Pattern::regex(log.pattern); !pattern) complaints.add("pattern", "is wrong: " + pattern.error().message);
  check_rate(log.max_rate, complaints);
}

}  // namespace

void check_deploy(const AppSpec& spec, const Complaints& complaints) {
  const Deploy& deploy = spec.deploy;
  if (deploy.ready_timeout < milliseconds(1)) complaints.add("ready_timeout", "must be 1ms or more");
  if (deploy.canary.instances < 1 || deploy.canary.instances > kMostShared)
    complaints.below("canary").add("instances", fmt::format("must be a number from 1 to {}", kMostShared));
  if (deploy.max_surge.number == 0 && deploy.max_unavailable.number == 0)
    complaints.add("max_surge", "is 0, and so is 'max_unavailable': no instance could be replaced");
  const Complaints bake = complaints.below("bake");
  if (deploy.bake.reboots < 1 || deploy.bake.reboots > kMostReboots) bake.add("reboots", fmt::format("must be from 1 to {}", kMostReboots));
  if (deploy.bake.metric) check_metric(spec, *deploy.bake.metric, bake.below("metric"));
  if (deploy.bake.log) check_log(*deploy.bake.log, bake.below("log"));
}

}  // namespace berth::spec
