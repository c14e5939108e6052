#pragma once

#include <string>

#include <boost/json/value.hpp>

#include "cli/status_text.h"

namespace berth::cli {

/// The last failure of an app, as berthd tells it (docs/api.md): one screen.
std::string story_text(const boost::json::value& story, const StatusView& view);

}  // namespace berth::cli
