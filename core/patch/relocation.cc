#include "core/patch/relocation.h"

#include <algorithm>
#include <iterator>

namespace berth::patch {
namespace {

constexpr std::uint64_t kLeastRegion = 512;  ///< bytes: shorter ones are often alike by chance
constexpr std::size_t kDistance = 4;         ///< bytes of a distance

/// Of instructions that use what lies at a distance from themselves, the first bytes (Intel's manual, volume 2: `mov`, `lea`, `cmp`, `add` and the like).
bool uses_data(unsigned char opcode) {
  switch (opcode) {
    case 0x10: case 0x11: case 0x28: case 0x2e: case 0x39: case 0x3b: case 0x58: case 0x59: case 0x6f:
    case 0x80: case 0x81: case 0x83: case 0x89: case 0x8b: case 0x8d: case 0xc6: case 0xc7: return true;
    default: return false;
  }
}

/// How many bytes stand before the distance, where this may be an instruction that has one; else 0.
std::size_t bytes_before_distance(unsigned char first, unsigned char second) {
  if (first == 0xe8 || first == 0xe9) return 1;                     // call, jmp
  if (first == 0x0f && (second & 0xf0) == 0x80) return 2;           // jumps on a condition
  return (second & 0xc7) == 0x05 && uses_data(first) ? 2 : 0;       // an address relative to the next instruction
}

std::uint32_t distance_at(std::string_view text, std::uint64_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = kDistance; i-- > 0;) value = value << 8 | static_cast<unsigned char>(text[at + i]);
  return value;
}

}  // namespace

Relocation::Relocation(const std::vector<Region>& regions) {
  std::ranges::copy_if(regions, std::back_inserter(regions_), [](const Region& region) { return region.length >= kLeastRegion; });
  std::ranges::stable_sort(regions_, {}, &Region::old);
}

/// Where a place of the old is in the new: with the region before it, also where it is behind its end.
std::int64_t Relocation::moved(std::uint64_t place) const {
  const auto after = std::ranges::upper_bound(regions_, place, {}, &Region::old);
  if (after == regions_.begin()) return static_cast<std::int64_t>(place);
  const Region& region = *std::prev(after);
  return static_cast<std::int64_t>(place - region.old + region.fresh);
}

void Relocation::expect(std::string_view old, const Region& region, std::uint64_t& at, std::size_t most, std::string& out) const {
  const std::size_t end = out.size() + most;
  while (at < region.length && out.size() < end) {
    const std::uint64_t place = region.old + at;
    const std::size_t before =
        region.length - at < 6 ? 0 : bytes_before_distance(static_cast<unsigned char>(old[place]), static_cast<unsigned char>(old[place + 1]));
    if (before == 0) {
      out += old[place];
      ++at;
      continue;
    }
    const std::uint64_t next = at + before + kDistance;  // the next instruction, as long as there is no more of this one
    const std::int64_t target = static_cast<std::int64_t>(region.old + next) + static_cast<std::int32_t>(distance_at(old, place + before));
    if (target < 0 || target >= static_cast<std::int64_t>(old.size())) {
      out += old[place];
      ++at;
      continue;
    }
    out.append(old.substr(place, before));
    auto distance = static_cast<std::uint64_t>(moved(static_cast<std::uint64_t>(target)) - static_cast<std::int64_t>(region.fresh + next));
    for (std::size_t i = 0; i < kDistance; ++i, distance >>= 8) out += static_cast<char>(distance & 0xff);
    at = next;
  }
}

}  // namespace berth::patch
