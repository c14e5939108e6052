#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace berth::patch {

// How something new is made of something old (docs/adr/0004). Pure; what is read here may come from anybody.

/// First `added` bytes: each the sum of an old byte, or of what relocation makes of it, and one of the differences. Then `literal` bytes that are new.
/// Then the place in the old moves by `seek`.
struct Step {
  std::uint64_t added = 0;
  std::uint64_t literal = 0;
  std::int64_t seek = 0;
  bool relocated = false;
  bool another = false;  ///< the first of another program: `relocated` ones from here on have to do with each other, and not with those before

  bool operator==(const Step&) const = default;
};

/// The steps, and the bytes that they use up in order.
struct Script {
  std::vector<Step> steps;
  std::string differences;
  std::string literals;

  /// Adds bytes that have nothing to do with the old.
  void append(std::string_view bytes);
  /// Adds all of another script, which goes on where this one ends.
  void append(const Script& other);
  std::uint64_t made() const { return differences.size() + literals.size(); }
};

inline constexpr std::size_t kMostSteps = 1u << 18;  ///< a reader keeps them in memory
inline constexpr std::size_t kScriptHeader = 32;  ///< bytes: magic, and the sizes of the three parts

std::string to_bytes(const Script& script);

/// The largest script that makes `size` bytes.
constexpr std::uint64_t largest_script(std::uint64_t size) { return size + size / 8 + 4096; }

/// Makes what `script`, as `to_bytes` wrote it, makes of `old`, which must be `size` bytes, and hands it on in pieces of about 256 KiB. Reads nothing
/// outside of the two. `Errc::trust` says what is wrong with the script, before the first piece.
Result<void> apply(std::string_view script, std::string_view old, std::uint64_t size, const std::function<Result<void>(std::string_view)>& sink);

}  // namespace berth::patch
