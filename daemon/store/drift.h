#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.h"

namespace berth::store {

/// When a slot that was looked at is to be looked at again; `early` is what its turn may come earlier by. One that was looked at in time to come was so by a clock
/// that was ahead, and is due. Pure.
std::chrono::system_clock::time_point due_after(std::chrono::system_clock::time_point looked, std::chrono::milliseconds every, std::chrono::milliseconds early,
                                                std::chrono::system_clock::time_point now);

/// A path of a slot that is not what was sealed.
struct Drift {
  std::string path;  ///< below the slot: "app/bin/server"
  std::string what;  ///< "is missing", "is there, and not in the index", "has another content", "has mode 0644, not 0444", …

  bool operator==(const Drift&) const = default;
};

/// What a comparison of a slot with what is signed found.
struct Verdict {
  std::vector<Drift> drift;   ///< by path; the first `kMostDrift` of them
  std::uint64_t drifted = 0;  ///< all of them
  std::uint64_t paths = 0;    ///< that were looked at
  std::uint64_t bytes = 0;    ///< that were hashed
};

inline constexpr std::size_t kMostDrift = 1000;

/// Reads the whole slot again and compares it, path by path, with the manifest of that hash and the two indexes that it names, which lie in the slot:
/// types, modes, owner, sizes, content, links; nothing more and nothing less may be there. What cannot be read has drifted, too. Fails with
/// `Errc::cancelled` alone.
Result<Verdict> verify_slot(const std::filesystem::path& slot, const std::string& manifest_sha256, std::stop_token stop);

/// Whether some file of the slot has other links: then what was written to another slot, by whatever means, may be seen in this one.
bool shares_files(const std::filesystem::path& slot);

}  // namespace berth::store
