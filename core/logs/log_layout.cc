#include "core/logs/log_layout.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/core.h>
#include <sys/stat.h>

namespace berth::logs {
namespace {

/// The names in a folder. `Errc::not_found` where it is missing.
Result<std::vector<std::string>> names_in(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) names.push_back(entry->path().filename().string());
  if (error == std::errc::permission_denied) return fail(Errc::permission, fmt::format("the logs in {} are closed to you: use sudo", folder.string()));
  if (error) return fail_errno("logs in " + folder.string(), error.value());
  return names;
}

std::string list_apps(const fs::path& root) {
  std::string text;
  if (auto names = names_in(root)) {
    std::ranges::sort(*names);
    for (const auto& name : *names)
      if (is_name(name)) text += (text.empty() ? "" : ", ") + name;
  }
  return text.empty() ? "none" : text;
}

}  // namespace

std::optional<Segment> parse_segment_name(std::string_view name) {
  Segment segment{.path = fs::path(name)};
  if (name.ends_with(".zst")) {
    segment.compressed = true;
    name.remove_suffix(4);
  }
  if (name.size() != 20 || !name.ends_with(".log")) return {};
  const char* end_of_digits = name.data() + 16;
  const auto [end, error] = std::from_chars(name.data(), end_of_digits, segment.first);
  if (error != std::errc() || end != end_of_digits) return {};
  return segment;
}

Result<std::vector<Segment>> list_segments(const fs::path& folder) {
  BERTH_TRY(const auto names, names_in(folder));
  std::vector<Segment> segments;
  for (const auto& name : names) {
    auto segment = parse_segment_name(name);
    if (!segment) continue;
    segment->path = folder / name;
    segments.push_back(std::move(*segment));
  }
  std::ranges::sort(segments, [](const Segment& a, const Segment& b) {
    return std::pair(a.first, a.compressed) < std::pair(b.first, b.compressed);
  });
  const auto twice = std::ranges::unique(segments, {}, &Segment::first);
  segments.erase(twice.begin(), twice.end());
  return segments;
}

bool is_written(const Segment& segment) {
  struct stat status {};
  return !segment.compressed && ::stat(segment.path.c_str(), &status) == 0 && (status.st_mode & 0777) != kRotatedMode;
}

std::optional<InstanceId> parse_instance_folder(std::string_view app, std::string_view name) {
  const auto selector = parse_selector(std::string(app) + "/" + std::string(name));
  if (!selector || !selector->process || !selector->number || selector->release) return {};
  return InstanceId{.app = selector->app, .process = *selector->process, .number = *selector->number};
}

std::vector<InstanceLog> list_all_instances(const fs::path& root) {
  std::vector<InstanceLog> found;
  for (const auto& app : names_in(root).value_or(std::vector<std::string>())) {
    if (!is_name(app)) continue;
    for (const auto& name : names_in(root / app).value_or(std::vector<std::string>()))
      if (const auto id = parse_instance_folder(app, name)) found.push_back({*id, root / app / name});
  }
  std::ranges::sort(found, {}, &InstanceLog::id);
  return found;
}

Result<std::vector<InstanceLog>> list_instances(const fs::path& root, const InstanceSelector& selector) {
  const auto names = names_in(root / selector.app);
  if (!names && names.error().code == Errc::not_found) {
    return fail(Errc::not_found, fmt::format("{}: no logs of this app below {} (apps with logs: {})", selector.app, root.string(), list_apps(root)));
  }
  if (!names) return pass(names.error());

  InstanceSelector wanted = selector;
  wanted.release.reset();  // the folders do not tell releases apart
  std::vector<InstanceLog> found;
  std::set<InstanceId> others;
  for (const auto& name : *names) {
    const auto id = parse_instance_folder(selector.app, name);
    if (!id) continue;
    if (wanted.matches(*id)) found.push_back({*id, root / selector.app / name});
    else others.insert(*id);
  }
  std::ranges::sort(found, {}, &InstanceLog::id);
  if (found.empty()) {
    std::string asked = selector.app;
    if (selector.process) asked += "/" + *selector.process;
    if (selector.number) asked += "." + std::to_string(*selector.number);
    std::string there;
    for (const InstanceId& other : others) there += (there.empty() ? "" : ", ") + to_string(other);
    return fail(Errc::not_found, fmt::format("{}: no logs below {} (there are: {})", asked, (root / selector.app).string(), there.empty() ? "none" : there));
  }
  return found;
}

}  // namespace berth::logs
