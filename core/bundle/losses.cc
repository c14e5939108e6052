#include "core/bundle/losses.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/xattr.h>

#include "core/bundle/entry_rules.h"

namespace berth::bundle {
namespace {

constexpr std::size_t kMostNamed = 4;

}  // namespace

void Losses::Some::add(std::string_view path) {
  if (path.starts_with("./")) path.remove_prefix(2);
  if (++count <= kMostNamed) first.push_back(shown(path));
}

std::vector<std::string> Losses::notes() const {
  std::vector<std::string> lines;
  const auto tell = [&lines](const Some& some, std::string_view one, std::string_view several) {
    if (some.count == 0) return;
    const std::string names = fmt::format("{}", fmt::join(some.first, ", "));
    const std::string more = some.count > some.first.size() ? fmt::format(" and {} more", some.count - some.first.size()) : "";
    lines.push_back(some.count == 1 ? fmt::format("{} {}", names, one) : fmt::format("{} files {}: {}{}", some.count, several, names, more));
  };
  tell(setuid, "had a setuid or setgid bit, which no build keeps", "had a setuid or setgid bit, which no build keeps");
  tell(capabilities, "had file capabilities, which no build keeps", "had file capabilities, which no build keeps");
  tell(devices, "is a device, a pipe or a socket, and is left out", "are devices, pipes or sockets, and are left out");
  tell(closed, "was closed to other users, and can be read by everybody in the build",
       "were closed to other users, and can be read by everybody in the build");
  tell(environments, "is configuration, which is never part of a build, and is left out",
       "are configuration, which is never part of a build, and are left out");
  return lines;
}

bool has_file_capabilities(int file) { return ::fgetxattr(file, "security.capability", nullptr, 0) > 0; }

}  // namespace berth::bundle
