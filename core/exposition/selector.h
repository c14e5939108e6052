#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::exposition {

/// Which series of a page are meant: those of a name whose labels have these values, whatever others they have.
struct Selector {
  std::string name;
  std::map<std::string, std::string> labels;

  bool operator==(const Selector&) const = default;
};

/// `http_errors_total`, `http_requests_total{code="500",method="GET"}`. Fails with `Errc::usage`, saying what was expected where.
Result<Selector> parse_selector(std::string_view text);

}  // namespace berth::exposition
