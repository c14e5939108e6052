#include "daemon/metrics/app_metrics.h"

#include <boost/json/object.hpp>
#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "core/exposition/merge.h"

namespace berth::metrics {
namespace {

constexpr const char* kSuccess = "berth_app_scrape_success";
constexpr const char* kDuration = "berth_app_scrape_duration_seconds";
constexpr const char* kSamples = "berth_app_scrape_samples";

}  // namespace

std::string app_exposition(const std::vector<std::shared_ptr<deploy::AppPage>>& pages) {
  exposition::Merger merger;
  for (const char* own : {kSuccess, kDuration, kSamples}) merger.reserve(own);
  for (const auto& page : pages) {
    const InstanceId& id = page->target.id;
    const exposition::Merger::Labels labels{{"app", id.app}, {"process", id.process}, {"number", std::to_string(id.number)}, {"release", id.release}};
    Result<std::size_t> samples = fail(Errc::io, page->error);
    if (page->error.empty()) samples = merger.add(page->body, labels);
    if (!samples) spdlog::debug("metrics of {}: {}", to_string(id), samples.error().message);
    merger.add_own(kSuccess, "Whether the instance's own metrics were asked for and understood.", labels, samples ? 1 : 0);
    merger.add_own(kDuration, "How long the instance took to tell its own metrics.", labels, page->took.count());
    merger.add_own(kSamples, "How many samples the instance told.", labels, samples ? static_cast<double>(*samples) : 0);
  }
  return merger.text();
}

boost::json::array discovery_json(const std::vector<deploy::MetricsTarget>& targets) {
  boost::json::array list;
  for (const deploy::MetricsTarget& target : targets) {
    if (!target.to.from_address.empty()) continue;  // reached by its source address: the public port is all that others see
    // A path in this label may have no query: its parameters are labels of their own.
    const auto mark = target.path.find('?');
    const boost::json::object labels{{"__metrics_path__", target.path.substr(0, mark)}, {"app", target.id.app}, {"process", target.id.process},
                                     {"number", std::to_string(target.id.number)}, {"release", target.id.release}};
    boost::json::object one{{"targets", boost::json::array{fmt::format("{}:{}", target.to.address, target.to.port)}}, {"labels", labels}};
    for (std::string_view rest = mark == std::string::npos ? std::string_view() : std::string_view(target.path).substr(mark + 1); !rest.empty();) {
      const std::string_view pair = rest.substr(0, rest.find('&'));
      rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
      const auto equals = pair.find('=');
      const std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
      one["labels"].as_object()["__param_" + std::string(pair.substr(0, equals))] = value;
    }
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace berth::metrics
