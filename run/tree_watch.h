#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/fd.h"
#include "core/publish/ignore_rules.h"
#include "core/result.h"

namespace berth::run {

namespace fs = std::filesystem;

/// Whether a change of a file restarts what runs: not of what no build has, nor of what tools put beside sources (`node_modules`, `__pycache__`, editors' copies), but of
/// berth.toml, .berthignore, Procfile, .env, and the configuration of `environment`. `path` is relative to the tree.
bool counts_as_change(const publish::IgnoreRules& rules, std::string_view environment, std::string_view path, bool is_folder);

/// Tells which files of an app's tree change (inotify).
class TreeWatch {
 public:
  /// Watches from now on. `environment`: whose configuration counts, in `environments/` of the tree. `Errc::no_space` where the kernel lets this user watch no more folders.
  static Result<TreeWatch> open(fs::path tree, std::string environment);

  /// Readable when something may have changed.
  int descriptor() const { return inotify_.get(); }

  /// What changed since it was last asked, the first change first, each once; at most `kMostTold`. Folders that are new are watched, too.
  Result<std::vector<std::string>> take();
  static constexpr std::size_t kMostTold = 100;

 private:
  TreeWatch(fs::path tree, std::string environment, publish::IgnoreRules rules)
      : tree_(std::move(tree)), environment_(std::move(environment)), rules_(std::move(rules)) {}
  /// Watches a folder and what is below; with `found`, what lies there already is told.
  Result<void> watch(const std::string& path, std::vector<std::string>* found);

  /// Whether a file is executable now and was not, or the other way round, as far as a build has that.
  bool turns_executable(const std::string& path);

  fs::path tree_;
  std::string environment_;
  publish::IgnoreRules rules_;
  Fd inotify_;
  std::map<int, std::string> folders_;  ///< by watch; relative, the tree itself is empty
  std::set<std::string> executables_;
};

}  // namespace berth::run
