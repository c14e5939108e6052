#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <prometheus/metric_family.h>

#include "daemon/deploy/operations.h"
#include "daemon/metrics/instance_usage.h"
#include "daemon/metrics/node_status.h"
#include "daemon/metrics/process_usage.h"

namespace berth::metrics {

/// All that a scrape tells, as it is at one moment.
struct Snapshot {
  NodeStatus node;
  std::vector<deploy::AppStatus> apps;
  deploy::Counts counts;                      ///< of deployments, and of what apps ran
  std::int64_t events = 0;                    ///< the number of the last one
  bool events_damaged = false;                ///< somebody had changed their log when berthd began, or did since
  std::uint64_t slow_readers = 0;             ///< of events and logs as they come, that were dropped
  std::chrono::microseconds loop_lag{0};      ///< the longest turn within the last minute
  ProcessUsage process;                       ///< of berthd
  std::map<InstanceId, InstanceUsage> usage;  ///< of instances that run
};

/// A family for each metric that has a value, by name.
std::vector<prometheus::MetricFamily> collect(const Snapshot& snapshot);

/// In Prometheus' text format, version 0.0.4.
std::string exposition(const Snapshot& snapshot);

}  // namespace berth::metrics
