#pragma once

#include <cstdint>

namespace berth {

/// Seconds since 1970 of the source that this berthd was built of: its last commit. A clock that is behind it is wrong.
std::int64_t build_time();

}  // namespace berth
