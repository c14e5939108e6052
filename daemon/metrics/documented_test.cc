#include <cstdlib>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "daemon/metrics/snapshot_fixture.h"

namespace berth::metrics {
namespace {

constexpr const char* kPage = BERTH_SOURCE "/docs/metrics.md";
constexpr std::string_view kBegin = "<!-- table: written by daemon_metrics_test -->\n", kEnd = "<!-- end of the table -->\n";

/// A row a metric, out of the code.
std::string table() {
  std::string text = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const auto& family : collect(fixture::snapshot())) {
    std::vector<std::string> labels;
    for (const auto& metric : family.metric)
      for (const auto& label : metric.label)
        if (std::ranges::find(labels, label.name) == labels.end()) labels.push_back(label.name);
    text += fmt::format("| `{}` | {} | {} | {} |\n", family.name, family.type == prometheus::MetricType::Counter ? "counter" : "gauge",
                        fmt::join(labels, ", "), family.help);
  }
  return text;
}

/// After a change of a metric: BERTH_WRITE_DOCS=1 build/release/daemon/metrics/daemon_metrics_test writes the table anew.
TEST(Documentation, HasEveryMetricAsTheCodeHasIt) {
  std::ifstream file(kPage);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const auto begin = page.find(kBegin), end = page.find(kEnd);
  ASSERT_NE(begin, std::string::npos) << kPage;
  ASSERT_NE(end, std::string::npos) << kPage;
  const auto from = begin + kBegin.size();
  if (std::getenv("BERTH_WRITE_DOCS") != nullptr) std::ofstream(kPage) << page.substr(0, from) << table() << page.substr(end);
  else EXPECT_EQ(page.substr(from, end - from), table()) << "write it anew: see the comment of this test";
}

}  // namespace
}  // namespace berth::metrics
