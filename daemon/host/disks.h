#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace berth::host {

/// Of a file system, in bytes.
struct Room {
  std::uint64_t free = 0;  ///< that an unprivileged writer can still use
  std::uint64_t size = 0;
};

/// On the file system of `path`; nothing where that is the one of `than` too, or cannot be asked.
std::optional<Room> room_on_another_disk(const std::filesystem::path& path, const std::filesystem::path& than);

}  // namespace berth::host
