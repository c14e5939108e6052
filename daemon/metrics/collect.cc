#include <algorithm>

#include <prometheus/text_serializer.h>

#include "daemon/metrics/families.h"
#include "daemon/metrics/snapshot.h"

namespace berth::metrics {

std::vector<prometheus::MetricFamily> collect(const Snapshot& snapshot) {
  std::vector<prometheus::MetricFamily> all;
  for (auto part : {app_families, follow_families, instance_families, node_families, sink_families, webhook_families})
    for (Family& family : part(snapshot))
      if (!family.empty()) all.push_back(family.take());
  std::ranges::sort(all, {}, &prometheus::MetricFamily::name);
  return all;
}

std::string exposition(const Snapshot& snapshot) { return prometheus::TextSerializer().Serialize(collect(snapshot)); }

}  // namespace berth::metrics
