#pragma once

#include <chrono>
#include <vector>

#include "daemon/config/config.h"

namespace berth::follow {

/// How many minutes it is from a minute of the week (0: Monday, 00:00) until one of these is open: 0 within one, or where there are none.
int minutes_until_open(const std::vector<config::Window>& windows, int minute_of_week);

/// The minute of the week by this machine's clock and time zone.
int minute_of_week(std::chrono::system_clock::time_point at);

}  // namespace berth::follow
