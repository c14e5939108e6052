#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace berth::exposition {

/// Makes one page in Prometheus' text format (0.0.4) of the pages of several, whose series get labels that tell them apart.
class Merger {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  static constexpr std::size_t kMostSamples = 50'000;  ///< of one page

  static constexpr std::size_t kMostBytes = 48u << 20; ///< of all pages, as they are served
  static constexpr std::string_view kOwn = "berth_";   ///< no page may have names that begin so

  /// Adds all of a page (0.0.4 or OpenMetrics 1.0), or nothing: fails with `Errc::protocol` and the line where it is malformed, not UTF-8, has a series twice, a
  /// label that begins with `__` or a name of berth's own, or would make more than `kMostBytes` of all. So one page never makes the whole one that Prometheus refuses. A label of the page that is called as
  /// one of `labels` becomes `exported_…`, as with Prometheus.
  Result<std::size_t> add(std::string_view page, const Labels& labels);
  /// Adds a sample of a gauge that is berth's own; its name begins with `kOwn`.
  void add_own(const std::string& name, std::string_view help, const Labels& labels, double value);

  /// By name, each family in one piece. Where pages disagree about a type, it has none.
  std::string text() const;

 private:
  struct Family {
    std::string type, help;
    std::string lines;
  };
  std::map<std::string, Family> families_;
  std::size_t bytes_ = 0;  ///< that pages brought
};

}  // namespace berth::exposition
