#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::patch {

/// Bytes of the old that lie alike in the new.
struct Region {
  std::uint64_t old = 0;    ///< where they begin in the old
  std::uint64_t fresh = 0;  ///< and in the new
  std::uint64_t length = 0;
};

/// What becomes of a program's addresses when its parts move. Calls, jumps and uses of data on x86-64 say how far away their target is: where both
/// ends have moved, by what the regions say, that distance is known, and no difference has to be told. Right or wrong, publisher and node expect the same.
class Relocation {
 public:
  /// Of the regions of one program.
  explicit Relocation(const std::vector<Region>& regions);

  /// Appends to `out` the bytes that are expected at `region`, from its byte `at` on: about `most` of them, never more than a few above. Moves `at` on.
  /// `old` is all of the old; `region` must lie in it.
  void expect(std::string_view old, const Region& region, std::uint64_t& at, std::size_t most, std::string& out) const;

 private:
  std::int64_t moved(std::uint64_t place) const;
  std::vector<Region> regions_;  // that are long enough to be believed, by where they begin in the old
};

}  // namespace berth::patch
