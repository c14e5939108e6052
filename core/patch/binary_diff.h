#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/patch/relocation.h"
#include "core/patch/script.h"

namespace berth::patch {

/// What makes one program of another one. Two versions of a program differ in a great many addresses, each by little and by the same: the differences of
/// what lies alike are few values, again and again (Percival: Naive differences of executable code, 2003).
class ProgramDifference {
 public:
  /// `before`, of which there are fewer than 2^31 bytes as of `fresh`, begins at the byte `start` of `old`.
  ProgramDifference(std::string_view old, std::uint64_t start, std::uint64_t size, std::string_view fresh);

  /// A script that goes on from the place `place` in the old, after `made` bytes; and moves the place. `relocated`: with the addresses that are
  /// expected, which suits programs for x86-64.
  Script script(std::uint64_t& place, std::uint64_t made, bool relocated) const;

 private:
  std::string_view old_, fresh_;
  std::vector<Region> regions_;  // in the old, and in `fresh`
};

}  // namespace berth::patch
