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

}  // namespace berth::store
