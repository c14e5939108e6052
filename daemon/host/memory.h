#pragma once

#include <filesystem>

namespace berth::host {

/// Secrets pass through this process: what it has in memory goes into no core file, and no process without root's rights may look at it.
void forbid_core_files();

/// Gives back to the system what this process has in memory and does not need at rest: what was freed, and the code it has run, which comes from the page
/// cache again when it is called. Takes some milliseconds; from any thread.
void give_back_memory();

/// Whether what is written below `path` is on no disk, but in a tmpfs or ramfs.
bool is_in_memory(const std::filesystem::path& path);

}  // namespace berth::host
