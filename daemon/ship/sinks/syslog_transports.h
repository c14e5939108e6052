#pragma once

#include <memory>

#include "daemon/ship/sinks/courier.h"
#include "daemon/ship/sinks/syslog.h"

namespace berth::ship {

std::unique_ptr<Courier> make_syslog_stream(SyslogSettings settings);
std::unique_ptr<Courier> make_syslog_datagrams(SyslogSettings settings);

}  // namespace berth::ship
