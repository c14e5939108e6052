#pragma once

#include <filesystem>

namespace berth::host {

/// Secrets pass through this process: what it has in memory goes into no core file, and no process without root's rights may look at it.
void forbid_core_files();

/// Whether what is written below `path` is on no disk, but in a tmpfs or ramfs.
bool is_in_memory(const std::filesystem::path& path);

}  // namespace berth::host
