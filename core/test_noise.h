#pragma once

#include <cstddef>
#include <random>
#include <string>

namespace berth {

/// For tests: bytes that do not compress, the same for the same seed.
inline std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

}  // namespace berth
