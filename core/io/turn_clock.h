#pragma once

#include <chrono>

namespace berth::io {

using Steady = std::chrono::steady_clock;

/// When this thread last woke from waiting for events.
inline thread_local Steady::time_point turn_began{};

}  // namespace berth::io
