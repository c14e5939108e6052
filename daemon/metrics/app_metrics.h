#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/json/array.hpp>

#include "daemon/deploy/operations.h"

namespace berth::metrics {

/// What the instances of apps told, as one page in Prometheus' text format, each series with the labels app, process, number and release; and of each instance
/// `berth_app_scrape_success`, `berth_app_scrape_duration_seconds` and `berth_app_scrape_samples`. One that could not be asked or tells what is no metrics is left
/// out, and said by the first of these.
std::string app_exposition(const std::vector<std::shared_ptr<deploy::AppPage>>& pages);

/// The same instances as Prometheus' `http_sd_configs` reads them, for one on this node: those that have a port of their own on it, and a path
/// whose query labels can say.
boost::json::array discovery_json(const std::vector<deploy::MetricsTarget>& targets);

}  // namespace berth::metrics
