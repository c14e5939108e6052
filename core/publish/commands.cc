#include "core/publish/commands.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include <fmt/core.h>

#include "core/spec/command_hint.h"
#include "core/spec/image_root.h"

namespace berth::publish {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLinks = 40;  // as the kernel

using Entries = std::map<std::string, const bundle::Entry*>;

/// "./bin//server" → "bin/server"
std::string plain(const fs::path& path) {
  std::string text = path.lexically_normal().generic_string();
  if (text.ends_with('/')) text.pop_back();
  return text == "." ? "" : text;
}

/// The entry at the place of a link on the way, or the entry itself: the shortest beginning of `path` that is a symlink.
const bundle::Entry* link_on_the_way(const Entries& entries, const std::string& path) {
  for (std::size_t slash = path.find('/');; slash = path.find('/', slash + 1)) {
    const auto entry = entries.find(path.substr(0, slash));
    if (entry == entries.end()) return nullptr;
    if (entry->second->type == bundle::EntryType::symlink) return entry->second;
    if (slash == std::string::npos) return nullptr;
  }
}

/// What lies at `path` when symlinks of the tree are followed; null where nothing does, or only outside of it. For a process whose root is the tree: neither
/// where the way leads through what is mounted there.
const bundle::Entry* resolve(const Entries& entries, std::string path, spec::Root root = spec::Root::node) {
  for (int hops = 0; hops < kMostLinks; ++hops) {
    if (root == spec::Root::image && !spec::image_mount_above(path).empty()) return nullptr;
    const bundle::Entry* link = link_on_the_way(entries, path);
    if (link == nullptr) {
      const auto found = entries.find(path);
      return found == entries.end() ? nullptr : found->second;
    }
    const std::string rest = path.size() > link->path.size() ? path.substr(link->path.size() + 1) : "";
    path = plain(fs::path(link->path).parent_path() / link->target / rest);
  }
  return nullptr;
}

/// Other places of the tree where a file of that name lies, since a wrong folder is the usual mistake; or that it is several words.
std::string hint(const Entries& entries, const std::string& path) {
  if (const std::string_view spaces = spec::hint_of_spaces(path); !spaces.empty()) return std::string(spaces);
  const std::string name = fs::path(path).filename();
  for (const auto& [other, entry] : entries)
    if (entry->type == bundle::EntryType::file && fs::path(other).filename() == name) return fmt::format(" (there is {})", other);
  return {};
}

/// The folders where a program of an image is looked up. What an environment says may be another list, but seldom is.
std::string search_path(const spec::AppSpec& spec) {
  const auto said = spec.variables.find("PATH");
  return said != spec.variables.end() && said->second.preset ? *said->second.preset : std::string(spec::kImagePath);
}

/// Where in the build a program lies that an image's process names alone; empty where it is in none of the folders.
std::string find_in_image(const Entries& entries, const std::string& folders, const std::string& name) {
  for (std::size_t begin = 0; begin <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', begin), folders.size());
    const std::string path = plain(fs::path(folders.substr(begin, end - begin)).relative_path() / name);
    const bundle::Entry* entry = resolve(entries, path, spec::Root::image);
    if (entry != nullptr && entry->type == bundle::EntryType::file && entry->mode == 0755) return path;
    begin = end + 1;
  }
  return {};
}

Result<void> check_program(const Entries& entries, const spec::AppSpec& spec, const spec::Process& process, const std::string& program,
                           const std::string& what) {
  if (program.find("${") != std::string::npos) return {};
  const bool is_image = process.root == spec::Root::image;
  const bool is_bare = program.find('/') == std::string::npos, is_absolute = program.starts_with('/');
  if (!is_image && is_bare && !spec::hint_of_spaces(program).empty() && resolve(entries, "bin/" + program) == nullptr)
    return fail(Errc::usage, fmt::format("{}: '{}' is no program{}", what, program, spec::hint_of_spaces(program)));
  if (!is_image && (is_bare || is_absolute)) return {};
  if (is_bare) {
    const std::string folders = search_path(spec);
    if (!find_in_image(entries, folders, program).empty()) return {};
    return fail(Errc::usage, fmt::format("{}: {} is no program of the build in {}{}", what, program, folders, hint(entries, program)));
  }
  const std::string path = is_absolute ? plain(fs::path(program).relative_path()) : plain(fs::path(process.directory) / program);
  const bundle::Entry* entry = resolve(entries, path);
  if (entry == nullptr)
    return fail(Errc::usage, fmt::format("{}: {} is not in the build{}{}", what, path, hint(entries, path),
                                         spec::hint_of_spaces(program).empty() ? "; is it missing from the folder, or left out by .berthignore?" : ""));
  if (entry->type == bundle::EntryType::directory) return fail(Errc::usage, fmt::format("{}: {} is a folder", what, path));
  if (entry->mode != 0755) return fail(Errc::usage, fmt::format("{}: {} is not executable; chmod +x it", what, path));
  return {};
}

Result<void> check_process(const Entries& entries, const spec::AppSpec& spec, const std::string& name, const spec::Process& process) {
  if (!process.directory.empty()) {
    const bundle::Entry* folder = resolve(entries, plain(process.directory));
    if (folder == nullptr || folder->type != bundle::EntryType::directory)
      return fail(Errc::usage, fmt::format("process '{}': its directory {} is no folder of the build", name, process.directory));
  }
  BERTH_CHECK(check_program(entries, spec, process, process.command.front(), fmt::format("process '{}'", name)));
  for (const auto& [kind, probe] : {std::pair("startup", &process.startup), {"readiness", &process.readiness}, {"liveness", &process.liveness}})
    if (*probe && !(*probe)->command.empty())
      BERTH_CHECK(check_program(entries, spec, process, (*probe)->command.front(), fmt::format("process '{}', {} probe", name, kind)));
  return {};
}

}  // namespace

Result<void> check_commands(const spec::AppSpec& spec, const std::vector<bundle::Entry>& entries) {
  Entries by_path;
  for (const bundle::Entry& entry : entries) by_path.emplace(entry.path, &entry);
  for (const auto& [name, process] : spec.processes) BERTH_CHECK(check_process(by_path, spec, name, process));
  spec::Process at_the_top;  // hooks have no folder of their own
  at_the_top.root = spec::root_of_hooks(spec);
  for (const auto& [name, hook] : spec.hooks) BERTH_CHECK(check_program(by_path, spec, at_the_top, hook.command.front(), fmt::format("hook '{}'", name)));
  return {};
}

}  // namespace berth::publish
