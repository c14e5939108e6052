#pragma once

#include <filesystem>
#include <vector>

#include "daemon/store/rebuild.h"

namespace berth {

/// Which of `candidates` run below the run folder, with the ports that they were given. One whose ports cannot be told is left out, so that it is started anew:
/// it would not be reached. Blocking.
std::vector<store::InstanceRow> running_instances(const std::filesystem::path& run, const std::vector<store::MayRun>& candidates);

}  // namespace berth
