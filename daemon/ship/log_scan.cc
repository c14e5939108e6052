#include "daemon/ship/log_scan.h"

#include <ctime>

#include <sys/stat.h>

namespace berth::ship {
namespace {

/// The kernel's clock of files moves in steps: what changed so recently may change again at the same time.
constexpr std::int64_t kClockStep = 100'000'000;

std::int64_t to_nanoseconds(const timespec& time) { return time.tv_sec * std::int64_t(1'000'000'000) + time.tv_nsec; }

std::int64_t file_clock_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return to_nanoseconds(now);
}

}  // namespace

/// Finds the newest segment anew.
bool LogScanner::list(const std::filesystem::path& path, Folder& folder) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return false;
  const std::int64_t changed = to_nanoseconds(status.st_mtim);
  const auto segments = logs::list_segments(path);
  if (!segments || segments->empty()) return false;
  folder.newest = segments->back().first;
  folder.newest_path = segments->back().path.string();
  std::vector<std::uint64_t> firsts;
  for (const logs::Segment& segment : *segments) firsts.push_back(segment.first);
  folder.firsts = std::make_shared<const std::vector<std::uint64_t>>(std::move(firsts));
  folder.changed = file_clock_now() - changed > kClockStep ? changed : 0;
  return true;
}

std::vector<LogState> LogScanner::look() {
  std::vector<LogState> found;
  std::map<InstanceId, Folder> seen;
  for (logs::InstanceLog& log : logs::list_all_instances(root_)) {
    Folder folder;
    if (const auto known = folders_.find(log.id); known != folders_.end()) folder = std::move(known->second);
    struct stat status {};
    if (::stat(log.folder.c_str(), &status) != 0) continue;
    if (folder.changed != to_nanoseconds(status.st_mtim) && !list(log.folder, folder)) continue;
    // Where it went meanwhile, it was rotated and compressed, or the log is another one.
    if (::stat(folder.newest_path.c_str(), &status) != 0 && (!list(log.folder, folder) || ::stat(folder.newest_path.c_str(), &status) != 0)) continue;
    found.push_back({.log = log, .newest = folder.newest, .size = static_cast<std::uint64_t>(status.st_size), .firsts = folder.firsts});
    seen.emplace(std::move(log.id), std::move(folder));
  }
  folders_ = std::move(seen);
  return found;
}

}  // namespace berth::ship
