#pragma once

#include <string>

#include <boost/json/value.hpp>

#include "core/exit_code.h"

namespace berth::cli {

/// What a deployment, or a revert, would do, as berthd tells it (docs/api.md): one screen, without why it would be refused. `width` 0: nothing is shortened.
std::string plan_text(const boost::json::value& plan, bool colour, int width);

/// Why it would be refused, each on a line; empty where it would not.
std::string refusals_text(const boost::json::value& plan);

/// What it would end with at once.
Exit exit_of_plan(const boost::json::value& plan);

}  // namespace berth::cli
