#include "daemon/metrics/app_metrics.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include <boost/json/object.hpp>
#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "core/exposition/merge.h"

namespace berth::metrics {
namespace {

using Parameters = std::map<std::string, std::string>;

constexpr const char* kSuccess = "berth_app_scrape_success";
constexpr const char* kDuration = "berth_app_scrape_duration_seconds";
constexpr const char* kSamples = "berth_app_scrape_samples";

/// The query of a path as labels can say it. Empty where they cannot: a parameter's name is part of a label's, each is there once, and Prometheus encodes what
/// it sends itself.
std::optional<Parameters> parameters_of(std::string_view query) {
  const auto in_label = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  Parameters all;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals), value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if (name.empty() || !std::ranges::all_of(name, in_label) || value.find_first_of("%+") != std::string_view::npos) return {};
    if (!all.emplace(name, value).second) return {};
  }
  return all;
}

}  // namespace

std::string app_exposition(const std::vector<std::shared_ptr<deploy::AppPage>>& pages, WhyLeftOut* left_out) {
  exposition::Merger merger;
  for (const auto& page : pages) {
    const InstanceId& id = page->target.id;
    const exposition::Merger::Labels labels{{"app", id.app}, {"process", id.process}, {"number", std::to_string(id.number)}, {"release", id.release}};
    Result<std::size_t> samples = fail(Errc::io, page->error);
    if (page->error.empty()) samples = merger.add(page->body, labels);
    if (!samples && left_out != nullptr) left_out->emplace(to_string(id), samples.error().message);
    merger.add_own(kSuccess, "Whether the instance's own metrics were asked for and understood.", labels, samples ? 1 : 0);
    merger.add_own(kDuration, "How long the instance took to tell its own metrics.", labels, page->took.count());
    merger.add_own(kSamples, "How many samples the instance told.", labels, samples ? static_cast<double>(*samples) : 0);
  }
  return merger.text();
}

void LeftOutReport::note(const WhyLeftOut& now) {
  for (const auto& [instance, was_told] : left_out_)
    if (was_told && !now.contains(instance)) spdlog::info("the own metrics of {} are there again, or nobody asks for them any more", instance);
  std::map<std::string, bool> left_out;
  for (const auto& [instance, why] : now) {
    const auto before = left_out_.find(instance);
    const bool is_new = before != left_out_.end() && !before->second;
    if (is_new) spdlog::warn("the own metrics of {} are left out: {}", instance, why);
    left_out.emplace(instance, before != left_out_.end());
  }
  left_out_ = std::move(left_out);
}

boost::json::array discovery_json(const std::vector<deploy::MetricsTarget>& targets) {
  boost::json::array list;
  for (const deploy::MetricsTarget& target : targets) {
    if (!target.to.from_address.empty()) continue;  // reached by its source address: the public port is all that others see
    // A path in this label may have no query: its parameters are labels of their own.
    const auto mark = target.path.find('?');
    const auto parameters = parameters_of(mark == std::string::npos ? std::string_view() : std::string_view(target.path).substr(mark + 1));
    if (!parameters) continue;
    const boost::json::object labels{{"__metrics_path__", target.path.substr(0, mark)}, {"app", target.id.app}, {"process", target.id.process},
                                     {"number", std::to_string(target.id.number)}, {"release", target.id.release}};
    boost::json::object one{{"targets", boost::json::array{fmt::format("{}:{}", target.to.address, target.to.port)}}, {"labels", labels}};
    for (const auto& [name, value] : *parameters) one["labels"].as_object()["__param_" + name] = value;
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace berth::metrics
