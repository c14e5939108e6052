#include "daemon/config/sources.h"

#include <algorithm>
#include <system_error>

#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::config {
namespace {

constexpr std::size_t kMostBytes = 1u << 20;  ///< of each file
constexpr std::size_t kMostFiles = 100;       ///< in the folder
constexpr const char* kFolder = "conf.d";

std::unexpected<Error> unreadable(const std::string& why) { return fail(Errc::usage, "the configuration cannot be read: " + why); }

bool counts(const std::string& name) { return name.ends_with(".toml") && !name.starts_with('.'); }

}  // namespace

fs::path drop_in_folder(const fs::path& file) { return file.parent_path() / kFolder; }

Result<std::vector<fs::path>> files_of(const fs::path& file) {
  const fs::path folder = drop_in_folder(file);
  std::vector<fs::path> files;
  std::error_code wrong;
  // A link that leads nowhere is a mistake, not a folder that is missing.
  if (!fs::exists(fs::symlink_status(folder, wrong))) {
    if (wrong && wrong != std::errc::no_such_file_or_directory) return unreadable(fmt::format("{}: {}", folder.string(), wrong.message()));
    return std::vector{file};
  }
  fs::directory_iterator entry(folder, wrong);
  for (; !wrong && entry != fs::directory_iterator(); entry.increment(wrong)) {
    if (!counts(entry->path().filename())) continue;
    std::error_code ignored;
    if (const auto status = entry->status(ignored); fs::exists(status) && !fs::is_regular_file(status)) return unreadable(entry->path().string() + " is no file");
    files.push_back(entry->path());
  }
  if (wrong) return unreadable(fmt::format("{}: {}", folder.string(), wrong.message()));
  if (files.size() > kMostFiles) return unreadable(fmt::format("{} has {} files, {} at most", folder.string(), files.size(), kMostFiles));
  std::ranges::sort(files, {}, [](const fs::path& one) { return one.filename().native(); });
  files.insert(files.begin(), file);
  return files;
}

Result<std::vector<Source>> read_sources(const fs::path& file) {
  BERTH_TRY(const auto files, files_of(file));
  std::vector<Source> sources;
  for (const fs::path& one : files) {
    auto text = files::read(one, kMostBytes);
    if (!text) return unreadable(text.error().message);
    sources.push_back({.name = one.string(), .text = std::move(*text)});
  }
  return sources;
}

std::string text_of(const std::vector<fs::path>& files) {
  const std::string first = files.empty() ? "" : files.front().string();
  if (files.size() < 2) return first;
  return fmt::format("{} and {} file{} of {}", first, files.size() - 1, files.size() == 2 ? "" : "s", kFolder);
}

}  // namespace berth::config
