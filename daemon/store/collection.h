#pragma once

#include <string>
#include <vector>

#include "daemon/store/store.h"

namespace berth::store {

/// Which of an app's `slots` (newest first) nothing needs: all but the newest `keep` that are not `rejected`, the active, the previous,
/// pinned ones and those `in_use`. A release that did not work pushes none out that a revert may need.
std::vector<SlotRow> slots_to_collect(const std::vector<SlotRow>& slots, const AppRow& app, const std::vector<std::string>& in_use,
                                       const std::vector<std::string>& rejected, int keep);

}  // namespace berth::store
