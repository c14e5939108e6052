#pragma once

#include <string>
#include <vector>

#include "daemon/store/store.h"

namespace berth::store {

/// What an app needs of its releases, and what it does not want.
struct Needs {
  std::string active{}, previous{};
  std::string replaced{};  ///< what the active one took the place of
  std::vector<std::string> in_use{}, rejected{};
};

/// What becomes of an app's `slots` (newest first): those that are pinned or that the app needs stay, and so do those that `keep` leaves, unless they were sealed
/// before `oldest` (RFC 3339, as `keep.age` has it; empty: no limit). A release that did not work pushes none out that a revert may need. Once the
/// bytes are spent, all older ones go, too. Pure.
std::vector<SlotFate> judge_slots(const std::vector<SlotRow>& slots, const Needs& needs, const Keep& keep, const std::string& oldest = {});

/// The copies of an app's data that nothing needs. A snapshot is needed while the release whose data it holds has a slot, and no newer snapshot holds data of
/// that release; what a revert put away, until `all` are asked for or another was put away after it. Copies of deployments `in_use` stay. Pure.
std::vector<DataCopy> copies_to_collect(const std::vector<DataCopy>& newest_first, const std::vector<std::string>& releases_with_slot,
                                        const std::vector<std::int64_t>& in_use, bool all);

}  // namespace berth::store
