#include "daemon/store/collection.h"

#include <algorithm>

namespace berth::store {

namespace {

bool has(const std::vector<std::string>& releases, const std::string& release) { return std::ranges::find(releases, release) != releases.end(); }

/// Why a slot stays, whatever the limits are.
std::vector<std::string> needed_for(const SlotRow& slot, const Needs& needs) {
  std::vector<std::string> why;
  if (slot.release == needs.active) why.emplace_back("active");
  if (slot.release == needs.previous) why.emplace_back("previous");
  if (slot.release == needs.replaced) why.emplace_back("replaced");
  if (slot.pinned) why.emplace_back("pinned");
  if (has(needs.in_use, slot.release)) why.emplace_back("in_use");
  return why;
}

}  // namespace

std::vector<SlotFate> judge_slots(const std::vector<SlotRow>& slots, const Needs& needs, const Keep& keep, const std::string& oldest) {
  std::vector<SlotFate> fates;
  std::uint64_t bytes = 0;  // that stay
  for (const SlotRow& slot : slots) {
    fates.push_back({.slot = slot, .why = needed_for(slot, needs)});
    if (!fates.back().why.empty()) bytes += slot.bytes;
  }
  int left = keep.releases;
  bool spent = false;
  for (SlotFate& fate : fates) {
    const bool rejected = has(needs.rejected, fate.slot.release);
    const bool newest = !rejected && left-- > 0;
    const bool too_old = !oldest.empty() && fate.slot.sealed_at < oldest;
    const bool needed = !fate.why.empty();
    if (newest && !too_old && !needed) spent = spent || (keep.bytes > 0 && bytes + fate.slot.bytes > keep.bytes);
    if (newest && !too_old && (needed || !spent)) {
      fate.why.emplace_back("newest");
      if (!needed) bytes += fate.slot.bytes;
    } else if (!needed) {
      fate.goes = true;
      fate.why = {rejected ? "rejected" : !newest ? "not_newest" : too_old ? "too_old" : "over_bytes"};
    }
  }
  return fates;
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
