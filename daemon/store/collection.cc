#include "daemon/store/collection.h"

#include <algorithm>

namespace berth::store {

std::vector<SlotRow> slots_to_collect(const std::vector<SlotRow>& slots, const AppRow& app, const std::vector<std::string>& in_use,
                                       const std::vector<std::string>& rejected, int keep) {
  std::vector<SlotRow> collected;
  for (const SlotRow& slot : slots) {
    const bool newest = std::ranges::find(rejected, slot.release) == rejected.end() && keep-- > 0;
    const bool needed = newest || slot.pinned || slot.release == app.active || slot.release == app.previous || std::ranges::find(in_use, slot.release) != in_use.end();
    if (!needed) collected.push_back(slot);
  }
  return collected;
}

std::vector<DataCopy> copies_to_collect(const std::vector<DataCopy>& newest_first, const std::vector<std::string>& releases_with_slot,
                                        const std::vector<std::int64_t>& in_use, bool all) {
  std::vector<DataCopy> collected;
  std::vector<std::string> held;  // releases of which a snapshot was seen
  bool moved = false;             // so was one that was put away
  for (const DataCopy& copy : newest_first) {
    bool needed = std::ranges::find(in_use, copy.deployment) != in_use.end();
    if (copy.moved()) {
      needed = needed || (!all && !moved);
      moved = true;
    } else {
      const bool has_slot = std::ranges::find(releases_with_slot, copy.release) != releases_with_slot.end();
      needed = needed || (has_slot && std::ranges::find(held, copy.release) == held.end());
      held.push_back(copy.release);
    }
    if (!needed) collected.push_back(copy);
  }
  return collected;
}

}  // namespace berth::store
