#pragma once

#include <string>

#include "cli/console.h"

namespace berth::cli {

/// Prints `text`: by $PAGER, or less, at a terminal on which it would not fit, as man and git do; else as it is.
void show_paged(const Console& console, const std::string& text);

}  // namespace berth::cli
