#pragma once

#include <string>

#include <boost/json/value.hpp>

#include "cli/status_text.h"

namespace berth::cli {

/// How far a log sink or a webhook is behind; 0 where it is not, or does not say.
double lag_seconds_of(const boost::json::value& sink);

/// What stands in the way of logs; a line for each sink with trouble, and one for the others.
std::string sinks_text(const boost::json::value& status, const StatusView& view);

/// What stands in the way of events; nothing where all is well.
std::string webhooks_text(const boost::json::value& status, const StatusView& view);

}  // namespace berth::cli
