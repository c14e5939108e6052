#include "daemon/host/cgroup.h"

#include <fstream>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::host {
namespace {

constexpr std::size_t kMostMountinfo = 4u << 20;
constexpr const char* kNeeded[] = {"memory", "pids"};
constexpr const char* kUseful[] = {"cpu", "io"};

std::set<std::string> words(const fs::path& file) {
  std::ifstream stream(file);
  std::set<std::string> found;
  for (std::string word; stream >> word;) found.insert(word);
  return found;
}

/// Hands the controllers that `folder` has down to its children. False where a needed one cannot be.
bool hand_down(const fs::path& folder) {
  const auto have = words(folder / "cgroup.controllers");
  auto given = words(folder / "cgroup.subtree_control");
  const auto give = [&](const std::string& name) {
    if (!have.contains(name) || given.contains(name)) return;
    if (auto file = files::open(folder / "cgroup.subtree_control", O_WRONLY))
      if (files::write_all(file->get(), "+" + name, "cgroup.subtree_control")) given.insert(name);
  };
  for (const char* name : kNeeded) give(name);
  for (const char* name : kUseful) give(name);
  for (const char* name : kNeeded)
    if (!given.contains(name)) return false;
  return true;
}

}  // namespace

std::optional<fs::path> cgroup2_mount(std::string_view mountinfo) {
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    // proc(5): "36 35 98:0 /root /mount/point options optional-fields… - type source options"
    const auto separator = line.find(" - ");
    if (separator == std::string::npos || !std::string_view(line).substr(separator + 3).starts_with("cgroup2 ")) continue;
    std::istringstream fields(line);
    std::string skipped, point;
    fields >> skipped >> skipped >> skipped >> skipped >> point;
    if (!point.empty()) return fs::path(point);
  }
  return {};
}

std::string cgroup_name(const fs::path& run) { return run == "/run/berth" ? "berth" : "berth-" + crypto::sha256_hex(run.string()).substr(0, 8); }

std::string own_cgroup(const fs::path& mount, const fs::path& run) {
  if (!hand_down(mount)) return {};
  const fs::path folder = mount / cgroup_name(run);
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return {};
  if (hand_down(folder)) return folder.string();
  ::rmdir(folder.c_str());
  return {};
}

std::optional<fs::path> cgroup2_mount() {
  const auto mountinfo = files::read("/proc/self/mountinfo", kMostMountinfo);
  return mountinfo ? cgroup2_mount(*mountinfo) : std::nullopt;
}

std::string own_cgroup(const fs::path& run) {
  const auto mount = cgroup2_mount();
  return mount ? own_cgroup(*mount, run) : std::string();
}

}  // namespace berth::host
