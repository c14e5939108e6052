#pragma once

#include <stdint.h>

namespace berth::keeper {

inline constexpr uint64_t kEveryCapability = ~uint64_t{0};

/// In the forked child, while it is root: neither it nor what descends from it can ever have others than those of `bounding` (1 << number), and what is in
/// `ambient` is not lost when it becomes another user. False with errno.
bool bound_capabilities(uint64_t bounding, uint64_t ambient);

/// Once it is its user: it has these, also over execve, and no others. False with errno.
bool give_capabilities(uint64_t ambient);

}  // namespace berth::keeper
