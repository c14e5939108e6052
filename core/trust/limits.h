#pragma once

#include <cstdint>

namespace berth::trust {

// The most bytes that each file of a repository may have, for whoever writes, publishes, fetches or keeps one.

inline constexpr std::uint64_t kMostRoot = 512'000;
inline constexpr std::uint64_t kMostTimestamp = 16'384;
// Of a snapshot and of targets roles where the file that lists them gives no length; a repository of berth's always does.
inline constexpr std::uint64_t kMostSnapshot = 2'000'000;
inline constexpr std::uint64_t kMostTargets = 5'000'000;
inline constexpr std::uint64_t kMostMetadata = 8u << 20;  ///< of any file of metadata, whatever length was signed for
inline constexpr std::uint64_t kMostTarget = 4u << 20;    ///< of a target, which is read into memory: a manifest or a channel

}  // namespace berth::trust
