#include "run/parity.h"

#include <set>

#include <fmt/core.h>

#include "core/bundle/tree.h"
#include "core/utf8.h"

namespace berth::run {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestShown = 60;  // bytes of a value

std::string shown_value(const std::string& value) {
  const bool is_long = value.size() > kLongestShown;
  return fmt::format("\"{}{}\"", as_utf8(value.substr(0, kLongestShown)), is_long ? "…" : "");
}

/// What an environment says of a variable.
std::string said_of(const spec::AppSpec& spec, const publish::Environment& environment, const std::string& name) {
  if (const auto text = environment.variables.find(name); text != environment.variables.end()) return shown_value(text->second.value);
  if (environment.secrets.contains(name)) return "a secret";
  const auto declared = spec.variables.find(name);
  if (declared != spec.variables.end() && declared->second.preset && !declared->second.secret) return shown_value(*declared->second.preset) + " by default";
  return "nothing";
}

Result<std::map<std::string, bundle::Entry>> files_of(const publish::Environment& environment) {
  std::map<std::string, bundle::Entry> files;
  std::error_code ignored;
  if (!fs::is_directory(environment.files(), ignored)) return files;
  BERTH_TRY(auto tree, bundle::list_tree(environment.files()));
  for (bundle::Entry& entry : tree.entries)
    if (entry.type != bundle::EntryType::directory) files.emplace(entry.path, std::move(entry));
  return files;
}

}  // namespace

Result<std::vector<std::string>> differences(const spec::AppSpec& spec, const publish::Environment& one, const publish::Environment& other) {
  std::vector<std::string> lines;
  std::set<std::string> names;
  for (const publish::Environment* environment : {&one, &other})
    for (const auto* settings : {&environment->variables, &environment->secrets})
      for (const auto& [name, setting] : *settings) names.insert(name);
  for (const std::string& name : names) {
    const std::string here = said_of(spec, one, name), there = said_of(spec, other, name);
    if (here != there) lines.push_back(fmt::format("{}: {} in {}, {} in {}", name, here, one.name, there, other.name));
  }

  BERTH_TRY(const auto here, files_of(one));
  BERTH_TRY(const auto there, files_of(other));
  std::set<std::string> paths;
  for (const auto* files : {&here, &there})
    for (const auto& [path, entry] : *files) paths.insert(path);
  for (const std::string& path : paths) {
    const auto mine = here.find(path), its = there.find(path);
    if (mine == here.end()) lines.push_back(fmt::format("files/{}: in {} alone", path, other.name));
    else if (its == there.end()) lines.push_back(fmt::format("files/{}: in {} alone", path, one.name));
    else if (mine->second != its->second) lines.push_back(fmt::format("files/{}: another one in {}", path, other.name));
  }
  return lines;
}

}  // namespace berth::run
