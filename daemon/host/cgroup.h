#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace berth::host {

namespace fs = std::filesystem;

/// Where the unified hierarchy is mounted, out of text in the form of /proc/self/mountinfo.
std::optional<fs::path> cgroup2_mount(std::string_view mountinfo);

/// The same for this machine. Blocking.
std::optional<fs::path> cgroup2_mount();

/// What the folder of a berthd is called below that mount, where keepers are no services of systemd: `run` tells the berthds of one machine apart.
std::string cgroup_name(const fs::path& run);

/// A folder of our own below the cgroup2 mount `mount`, with controllers for memory and processes handed down to it; empty where that cannot be had.
/// Blocking.
std::string own_cgroup(const fs::path& mount, const fs::path& run);

/// The same for this machine.
std::string own_cgroup(const fs::path& run);

}  // namespace berth::host
