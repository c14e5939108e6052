#pragma once

#include <string>
#include <vector>

#include "daemon/store/store.h"

namespace berth::store {

/// Which of an app's `slots` (newest first) nothing needs: all but the newest `keep`, and of the others the active, the previous, pinned
/// ones and those `in_use`.
std::vector<SlotRow> slots_to_collect(const std::vector<SlotRow>& slots, const AppRow& app, const std::vector<std::string>& in_use, int keep);

}  // namespace berth::store
