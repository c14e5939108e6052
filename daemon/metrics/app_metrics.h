#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/json/array.hpp>

#include "daemon/deploy/operations.h"

namespace berth::metrics {

/// Why pages are left out, by "web/worker.2@v42".
using WhyLeftOut = std::map<std::string, std::string>;

/// What the instances of apps told, as one page in Prometheus' text format, each series with the labels app, process, number and release; and of each instance
/// `berth_app_scrape_success`, `berth_app_scrape_duration_seconds` and `berth_app_scrape_samples`. One that could not be asked or tells what is no metrics is left
/// out, and said by the first of these; `left_out`, where it is given, gets why.
std::string app_exposition(const std::vector<std::shared_ptr<deploy::AppPage>>& pages, WhyLeftOut* left_out = nullptr);

/// Says in the log whose page is left out, and when that ends. Once, and not before it is so for the second time: an instance that begins does not answer yet.
class LeftOutReport {
 public:
  void note(const WhyLeftOut& now);

 private:
  std::map<std::string, bool> left_out_;  ///< those of the last time, and whether it was told
};

/// The same instances as Prometheus' `http_sd_configs` reads them, for one on this node: those that have a port of their own on it, and a path
/// whose query labels can say.
boost::json::array discovery_json(const std::vector<deploy::MetricsTarget>& targets);

}  // namespace berth::metrics
