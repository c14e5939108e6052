#pragma once

#include <string>
#include <utility>
#include <vector>

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include "daemon/metrics/snapshot.h"

namespace berth::metrics {

/// One metric with its samples. Prometheus' HELP lines have no escapes for what prometheus-cpp 1.0.1 writes into them: help is one plain line.
class Family {
 public:
  using Labels = std::vector<prometheus::ClientMetric::Label>;

  static Family gauge(std::string name, std::string help) { return Family(std::move(name), std::move(help), prometheus::MetricType::Gauge); }
  static Family counter(std::string name, std::string help) { return Family(std::move(name), std::move(help), prometheus::MetricType::Counter); }

  void add(Labels labels, double value) {
    prometheus::ClientMetric& metric = family_.metric.emplace_back();
    metric.label = std::move(labels);
    (family_.type == prometheus::MetricType::Gauge ? metric.gauge.value : metric.counter.value) = value;
  }

  bool empty() const { return family_.metric.empty(); }
  prometheus::MetricFamily take() { return std::move(family_); }

 private:
  Family(std::string name, std::string help, prometheus::MetricType type) {
    family_.name = std::move(name);
    family_.help = std::move(help);
    family_.type = type;
  }
  prometheus::MetricFamily family_;
};

std::vector<Family> app_families(const Snapshot& snapshot);
std::vector<Family> follow_families(const Snapshot& snapshot);
std::vector<Family> instance_exit_families(const Snapshot& snapshot);
std::vector<Family> instance_probe_families(const Snapshot& snapshot);  ///< and of logs
std::vector<Family> instance_state_families(const Snapshot& snapshot);
std::vector<Family> instance_usage_families(const Snapshot& snapshot);
std::vector<Family> node_families(const Snapshot& snapshot);
std::vector<Family> sink_families(const Snapshot& snapshot);
std::vector<Family> webhook_families(const Snapshot& snapshot);

}  // namespace berth::metrics
