#pragma once

#include <string>
#include <vector>

#include "daemon/store/store.h"

namespace berth::store {

/// Which of an app's `slots` (newest first) nothing needs: all but the newest `keep` that are not `rejected`, the active, the previous,
/// pinned ones and those `in_use`. A release that did not work pushes none out that a revert may need.
std::vector<SlotRow> slots_to_collect(const std::vector<SlotRow>& slots, const AppRow& app, const std::vector<std::string>& in_use,
                                       const std::vector<std::string>& rejected, int keep);

/// The copies of an app's data that nothing needs. A snapshot is needed while the release whose data it holds has a slot, and no newer snapshot holds data of
/// that release; what a revert put away, until `all` are asked for or another was put away after it. Copies of deployments `in_use` stay. Pure.
std::vector<DataCopy> copies_to_collect(const std::vector<DataCopy>& newest_first, const std::vector<std::string>& releases_with_slot,
                                        const std::vector<std::int64_t>& in_use, bool all);

}  // namespace berth::store
