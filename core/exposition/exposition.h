#pragma once

#include <cstddef>
#include <string_view>

#include "core/exposition/selector.h"
#include "core/result.h"

namespace berth::exposition {

/// The sum of some series of one page.
struct Sum {
  double value = 0;
  std::size_t series = 0;  ///< how many it is of
  bool named = false;      ///< the page has the name, with whatever labels
};

/// Adds up the samples of a page in Prometheus' text format (0.0.4, or OpenMetrics 1.0) that `selector` means. Lines of other names are passed over, whatever
/// they are. Fails with `Errc::protocol` and the line where one of that name is malformed, is no number, or is below 0: a counter never is.
Result<Sum> sum_of(std::string_view page, const Selector& selector);

}  // namespace berth::exposition
