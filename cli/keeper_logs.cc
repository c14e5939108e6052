#include "cli/keeper_logs.h"

#include "cli/json_view.h"
#include "core/files/files.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostCommandLine = 64u << 10;

/// The third word of "berth-keeper SOCKET FOLDER …", each with a NUL behind it; empty where it is none, or may not be read.
fs::path folder_of(const fs::path& process) {
  const auto line = files::read(process / "cmdline", kMostCommandLine);
  if (!line) return {};
  std::size_t begin = 0;
  for (int word = 0; word < 2; ++word) {
    const auto end = line->find('\0', begin);
    if (end == std::string::npos) return {};
    begin = end + 1;
  }
  const fs::path folder = line->substr(begin, line->find('\0', begin) - begin);
  return folder.is_absolute() ? folder : fs::path();
}

}  // namespace

std::vector<LogElsewhere> logs_elsewhere(const boost::json::value& app, const fs::path& logs, const fs::path& proc) {
  std::vector<LogElsewhere> found;
  for (const auto& instance : list_of(app, "instances")) {
    const auto pid = number_of(instance, "keeper_pid");
    const fs::path folder = pid > 0 ? folder_of(proc / std::to_string(pid)) : fs::path();
    const fs::path root = folder.parent_path().parent_path();  // without app and instance
    if (!root.empty() && root.lexically_normal() != logs.lexically_normal()) found.push_back({.app = text_of(app, "app"), .instance = text_of(instance, "instance"), .folder = root});
  }
  return found;
}

}  // namespace berth::cli
