#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>

#include <prometheus/text_serializer.h>

#include "core/in_parallel.h"
#include "daemon/metrics/families.h"
#include "daemon/metrics/snapshot.h"

namespace berth::metrics {
namespace {

using Part = std::vector<Family> (*)(const Snapshot&);

/// The ones with most samples first, since several threads share them.
constexpr Part kParts[] = {instance_exit_families, instance_usage_families, instance_state_families, instance_probe_families, app_families,
                           node_families, sink_families, webhook_families, follow_families};

constexpr std::size_t kWorthWriters = 32;  ///< instances, from which on several threads write the page

/// One family as it stands on the page.
struct Text {
  std::string name;
  std::string text;
};

std::vector<prometheus::MetricFamily> families_of(Part part, const Snapshot& snapshot) {
  std::vector<prometheus::MetricFamily> all;
  for (Family& family : part(snapshot))
    if (!family.empty()) all.push_back(family.take());
  return all;
}

}  // namespace

std::vector<prometheus::MetricFamily> collect(const Snapshot& snapshot) {
  std::vector<prometheus::MetricFamily> all;
  for (const Part part : kParts) std::ranges::move(families_of(part, snapshot), std::back_inserter(all));
  std::ranges::sort(all, {}, &prometheus::MetricFamily::name);
  return all;
}

std::string exposition(const Snapshot& snapshot) {
  std::array<std::vector<Text>, std::size(kParts)> written;
  const auto write = [&](std::size_t number, std::size_t) -> Result<void> {
    for (auto& family : families_of(kParts[number], snapshot)) {
      std::string name = family.name;
      std::vector<prometheus::MetricFamily> one;
      one.push_back(std::move(family));
      written[number].push_back({.name = std::move(name), .text = prometheus::TextSerializer().Serialize(one)});
    }
    return {};
  };
  static_cast<void>(in_parallel(std::size(kParts), snapshot.usage.size() < kWorthWriters ? 1 : threads_worthwhile(), write));
  std::vector<Text> texts;
  for (auto& part : written) std::ranges::move(part, std::back_inserter(texts));
  std::ranges::sort(texts, {}, &Text::name);
  std::string page;
  page.reserve(std::accumulate(texts.begin(), texts.end(), std::size_t{0}, [](std::size_t sum, const Text& one) { return sum + one.text.size(); }));
  for (const Text& one : texts) page += one.text;
  return page;
}

}  // namespace berth::metrics
