#pragma once

#include <string>

#include <spdlog/common.h>

namespace berth::host {

/// Lines go to the journal with a priority, as lines of "berthd" at a node of an environment, and with what `journal::log` has for them. One that the journal
/// does not take goes to stderr.
spdlog::sink_ptr make_journal_sink(const std::string& node, const std::string& environment);

}  // namespace berth::host
