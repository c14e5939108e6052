#pragma once

#include "daemon/config/config.h"

namespace berth::host {

/// Makes berthd's own log, as its configuration says: the journal where stderr leads there, with a priority and fields for each line, else stderr.
void set_up_log(const config::Config& config);

void set_log_level(config::LogLevel level);

}  // namespace berth::host
