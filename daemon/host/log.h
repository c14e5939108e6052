#pragma once

#include "daemon/config/config.h"

namespace berth::host {

/// Makes berthd's own log: the journal where stderr leads there, with a priority for each line, else stderr.
void set_up_log(config::LogLevel level);

void set_log_level(config::LogLevel level);

}  // namespace berth::host
