#include <algorithm>
#include <numeric>

#include <prometheus/text_serializer.h>

#include "core/in_parallel.h"
#include "daemon/metrics/families.h"
#include "daemon/metrics/snapshot.h"

namespace berth::metrics {
namespace {

constexpr std::size_t kWorthWriters = 32;  ///< instances, from which on several threads write the page

}  // namespace

std::vector<prometheus::MetricFamily> collect(const Snapshot& snapshot) {
  std::vector<prometheus::MetricFamily> all;
  for (auto part : {app_families, follow_families, instance_families, node_families, sink_families, webhook_families})
    for (Family& family : part(snapshot))
      if (!family.empty()) all.push_back(family.take());
  std::ranges::sort(all, {}, &prometheus::MetricFamily::name);
  return all;
}

std::string exposition(const Snapshot& snapshot) {
  std::vector<prometheus::MetricFamily> families = collect(snapshot);
  std::vector<std::string> texts(families.size());
  const auto write = [&](std::size_t number, std::size_t) -> Result<void> {
    std::vector<prometheus::MetricFamily> one;
    one.push_back(std::move(families[number]));
    texts[number] = prometheus::TextSerializer().Serialize(one);
    return {};
  };
  static_cast<void>(in_parallel(families.size(), snapshot.usage.size() < kWorthWriters ? 1 : threads_worthwhile(), write));
  std::string page;
  page.reserve(std::accumulate(texts.begin(), texts.end(), std::size_t{0}, [](std::size_t sum, const std::string& text) { return sum + text.size(); }));
  for (const std::string& text : texts) page += text;
  return page;
}

}  // namespace berth::metrics
