#include "daemon/supervise/left_behind.h"

#include <filesystem>
#include <sstream>

#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::supervise {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = 1 << 20;
constexpr const char* kEnding = ".left";

}  // namespace

Result<void> note_left_behind(const std::string& socket_path, const std::string& instance, const Orphan& orphan) {
  std::string text = instance + "\n";
  bool any = false;
  for (const ProcessInfo& one : living_processes(orphan)) {
    if (one.start == 0 || !one.alive()) continue;
    text += fmt::format("{} {}\n", one.pid, one.start);
    any = true;
  }
  return any ? files::replace(fmt::format("{}.{}{}", socket_path, orphan.pid, kEnding), text, 0600) : Result<void>();
}

std::vector<std::string> left_behind(const std::string& keepers, const std::string& app) {
  std::vector<fs::path> paths;
  std::error_code ignored;
  for (fs::directory_iterator it(keepers, ignored), end; it != end; it.increment(ignored))
    if (it->path().extension() == kEnding) paths.push_back(it->path());
  std::vector<std::string> living;
  for (const fs::path& path : paths) {
    std::istringstream text(files::read(path, kMostBytes).value_or(std::string()));
    std::string instance;
    std::getline(text, instance);
    bool lives = false;
    pid_t pid = 0;
    std::uint64_t start = 0;
    while (text >> pid >> start) {
      if (!kill_process(pid, start)) continue;
      lives = true;
      if (instance.empty() || instance.starts_with(app + "/")) living.push_back(fmt::format("{}{}pid {}", instance, instance.empty() ? "" : ", ", pid));
    }
    if (!lives) fs::remove(path, ignored);
  }
  return living;
}

}  // namespace berth::supervise
