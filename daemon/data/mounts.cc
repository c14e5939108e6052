#include "daemon/data/mounts.h"

#include "core/files/files.h"

namespace berth::data {
namespace {

constexpr std::size_t kMostMountinfo = 16 * 1024 * 1024;

/// Takes the next word off.
std::string_view take_word(std::string_view& line) {
  const auto end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
  return word;
}

/// "\040" → " ": proc(5) writes blanks, line ends and backslashes in octal.
std::string unescaped(std::string_view text) {
  const auto octal = [&](std::size_t at) { return at < text.size() && '0' <= text[at] && text[at] <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

}  // namespace

std::optional<std::string> mount_in(std::string_view mountinfo, const fs::path& folder) {
  const std::string top = folder.string();
  while (!mountinfo.empty()) {
    const auto end = mountinfo.find('\n');
    std::string_view line = mountinfo.substr(0, end);
    mountinfo = end == std::string_view::npos ? std::string_view() : mountinfo.substr(end + 1);
    for (int before = 0; before < 4; ++before) take_word(line);  // id, parent, device, root
    std::string point = unescaped(take_word(line));
    if (point == top || (point.starts_with(top) && point[top.size()] == '/')) return point;
  }
  return std::nullopt;
}

Result<std::optional<std::string>> mount_in(const fs::path& folder) {
  std::error_code error;
  const fs::path whole = fs::canonical(folder, error);
  if (error) return fail_errno("look at " + folder.string(), error.value());
  BERTH_TRY(const std::string mountinfo, files::read("/proc/self/mountinfo", kMostMountinfo));
  return mount_in(mountinfo, whole);
}

}  // namespace berth::data
