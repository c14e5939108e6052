#pragma once

#include <string>

#include "cli/command.h"

namespace berth::cli {

/// The man page berth(1), in man(7) macros, of all verbs.
std::string man_page(const Verb& root, const std::string& version);

}  // namespace berth::cli
