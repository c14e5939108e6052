#pragma once

#include <string_view>

namespace berth::trust {

/// Whether a delegation's path pattern matches a target's name, as `fnmatch` does with FNM_PATHNAME: `*`, `?` and `[…]` never
/// match a `/`, and case counts. A backslash is a character like any other. Takes time in proportion to the product of the lengths at most,
/// since the pattern is somebody else's.
bool matches_glob(std::string_view pattern, std::string_view name);

}  // namespace berth::trust
