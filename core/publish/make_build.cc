#include "core/publish/make_build.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "core/bundle/checks.h"
#include "core/bundle/tree.h"
#include "core/publish/commands.h"
#include "core/publish/commit.h"
#include "core/publish/ignore_rules.h"
#include "core/publish/platform.h"
#include "core/publish/source.h"
#include "core/publish/work_tree.h"
#include "core/spec/image_root.h"
#include "core/trust/repository.h"

namespace berth::publish {
namespace {

constexpr std::size_t kLongestText = 200;  // as in a manifest

/// What a release will say of the build must fit into its manifest.
Result<void> check_options(const BuildOptions& options) {
  if (!options.platform.empty() && !is_platform(options.platform))
    return fail(Errc::usage, fmt::format("platform '{}': must be linux/amd64, linux/arm64 or any", options.platform));
  const std::string commit = options.commit.value_or("");
  for (const auto& [name, text] : {std::pair("version", &options.version), {"commit", &commit}, {"builder", &options.builder}})
    if (!bundle::is_line(*text, kLongestText)) return fail(Errc::usage, fmt::format("{}: must be one line of at most {} bytes", name, kLongestText));
  return {};
}

/// Without hashes: whoever packs the files reads them all anyway. An image is taken as it is: what its `.gitignore`s and the like say is none of berth's business.
Result<bundle::Tree> list(const Source& source) {
  const fs::path& folder = source.folder;
  if (source.kind == Source::Kind::image || source.kind == Source::Kind::executable) return bundle::list_tree(folder, {.leave_out = {}, .hashes = false});
  BERTH_TRY(const IgnoreRules rules, IgnoreRules::of(folder));
  const auto leave_out = [&](std::string_view path) {
    std::error_code error;
    const bool is_folder = fs::is_directory(fs::symlink_status(folder / path, error));
    return rules.leaves_out(path, is_folder);
  };
  return bundle::list_tree(folder, {.leave_out = leave_out, .hashes = false});
}

/// `berth build .` where `berth repo init ./repo` was called would give everybody the keys beside that repository.
Result<void> check_no_keys(const std::vector<bundle::Entry>& entries) {
  std::map<fs::path, int> keys_in;
  for (const bundle::Entry& entry : entries) {
    const fs::path path(entry.path);
    for (const char* role : trust::kKeyRoles)
      if (path.filename() == std::string(role) + ".pem") ++keys_in[path.parent_path()];
  }
  for (const auto& [folder, keys] : keys_in)
    if (keys > 1)
      return fail(Errc::usage, fmt::format("{} holds the private keys of a repository, which everybody who gets the build could sign with; move it "
                                           "elsewhere, or leave it out with .berthignore",
                                           folder.empty() ? "the folder itself" : folder.string()));
  return {};
}

/// Where a tree of files is to be a process's root, what is mounted there needs a place. An image has it already.
Result<void> add_mount_points(const spec::AppSpec& spec, std::vector<bundle::Entry>& entries) {
  if (std::ranges::none_of(spec.processes, [](const auto& one) { return one.second.root == spec::Root::image; })) return {};
  std::map<std::string, bundle::EntryType> there;
  for (const bundle::Entry& entry : entries) there.emplace(entry.path, entry.type);
  for (const std::string_view mount : spec::kImageMounts)
    for (std::size_t end = mount.find('/');; end = mount.find('/', end + 1)) {
      const std::string path(mount.substr(0, end));
      const auto [found, is_new] = there.emplace(path, bundle::EntryType::directory);
      if (found->second != bundle::EntryType::directory)
        return fail(Errc::usage, fmt::format("{} has to be a folder, since root = \"image\" mounts something there", path));
      if (is_new) entries.push_back({.path = path, .type = bundle::EntryType::directory, .mode = 0755, .sha256 = {}, .target = {}});
      if (end == std::string_view::npos) break;
    }
  std::ranges::sort(entries, {}, &bundle::Entry::path);
  return {};
}

/// What hides a path of the tree from a process whose root the tree is: one of the folders that something is mounted on, above it. Symlinks are followed:
/// the tree's lead nowhere else. Empty where nothing does.
std::string hidden_by(const fs::path& tree, const fs::path& path) {
  std::error_code error;
  const fs::path top = fs::canonical(tree, error);
  const std::string real = fs::weakly_canonical(top / path.relative_path(), error).lexically_relative(top).generic_string();
  return error ? std::string() : std::string(spec::image_mount_above(real));
}

/// A program below /tmp would be in the build, and not be there when the process is started. A mount's folder itself can be a process's.
Result<void> check_not_hidden(const fs::path& tree, const fs::path& path, const std::string& what) {
  const std::string mount = hidden_by(tree, path);
  if (mount.empty()) return {};
  return fail(Errc::usage, fmt::format("{} lies below /{}, which with root = \"image\" is another folder when it runs, without what the build has there; it "
                                       "has to be elsewhere",
                                       what, mount));
}

Result<void> check_not_hidden(const fs::path& tree, const fs::path& folder, const std::vector<std::string>& command, const std::string& what) {
  const std::string program = command.empty() ? std::string() : command.front();
  // One that is looked up is in the folders of PATH, and what a variable says is known on the node only.
  if (program.find('/') == std::string::npos || program.find("${") != std::string::npos) return {};
  return check_not_hidden(tree, program.starts_with('/') ? fs::path(program) : folder / program, fmt::format("{}: {}", what, program));
}

Result<void> check_nothing_hidden(const spec::AppSpec& spec, const fs::path& tree) {
  for (const auto& [name, process] : spec.processes) {
    if (process.root != spec::Root::image) continue;
    const std::string what = fmt::format("process '{}'", name);
    BERTH_CHECK(check_not_hidden(tree, process.directory, fmt::format("{}: its folder /{}", what, process.directory)));
    BERTH_CHECK(check_not_hidden(tree, process.directory, process.command, what));
    for (const auto& [kind, probe] : {std::pair("startup", &process.startup), {"readiness", &process.readiness}, {"liveness", &process.liveness}})
      if (*probe) BERTH_CHECK(check_not_hidden(tree, process.directory, (*probe)->command, fmt::format("{}, {} probe", what, kind)));
  }
  if (spec::root_of_hooks(spec) != spec::Root::image) return {};
  for (const auto& [name, hook] : spec.hooks) BERTH_CHECK(check_not_hidden(tree, {}, hook.command, fmt::format("hook '{}'", name)));
  return {};
}

/// The file of the build that a command names, if it names one: a path, or a word that is looked up in its bin/.
std::string program_in_tree(const spec::Process& process, const std::vector<std::string>& command) {
  const std::string word = command.empty() ? std::string() : command.front();
  if (word.empty() || word.find("${") != std::string::npos) return {};
  if (word.starts_with('/')) return process.root == spec::Root::image ? fs::path(word).lexically_normal().relative_path().string() : std::string();
  if (word.find('/') == std::string::npos) return "bin/" + word;
  return (fs::path(process.directory) / word).lexically_normal().string();
}

/// `--platform` says what cannot be seen; it does not make a program another machine's.
Result<void> check_platform(const spec::AppSpec& spec, const fs::path& tree, const std::string& platform) {
  if (platform == "any") return {};
  for (const auto& [name, process] : spec.processes) {
    const std::string program = program_in_tree(process, process.command);
    if (program.empty() || program.starts_with("..")) continue;
    BERTH_TRY(const std::string is_for, platform_of_program(tree, program));
    if (!is_for.empty() && is_for != platform)
      return fail(Errc::usage, fmt::format("--platform {}: process '{}' runs {}, which is a program for {}; leave --platform out, or build of what was "
                                           "compiled for {}",
                                           platform, name, program, is_for, platform));
  }
  return {};
}

std::uint64_t count_files(const std::vector<bundle::Entry>& entries) {
  std::uint64_t files = 0;
  for (const bundle::Entry& entry : entries) files += entry.type == bundle::EntryType::file ? 1 : 0;
  return files;
}

/// What git has checked out there, and whether that is what is built.
std::string commit_of(const fs::path& folder, std::vector<std::string>& notes) {
  const auto there = checked_out(folder);
  if (!there || there->commit.empty()) return {};
  const auto changed = has_changes(*there);
  if (!changed) {
    notes.push_back(fmt::format("whether {} is as commit {} has it cannot be told ({}); the build is recorded as of that commit, unless --commit says "
                                "something else",
                                there->work_tree.string(), short_commit(there->commit), changed.error().message));
    return there->commit;
  }
  if (!*changed) return there->commit;
  notes.push_back(fmt::format("{} has changes that are not in commit {}: the build is recorded as of {}", there->work_tree.string(),
                              short_commit(there->commit), short_commit(dirty(there->commit))));
  return dirty(there->commit);
}

}  // namespace

Result<MadeBuild> make_build(const BuildStore& store, const fs::path& source, const BuildOptions& options, trust::WallTime now) {
  BERTH_CHECK(check_options(options));
  BERTH_TRY(const Workshop workshop, store.open_workshop());
  BERTH_TRY(Source opened, open_source(source, options, workshop));
  if (!options.tag.empty() && opened.kind != Source::Kind::image)
    return fail(Errc::usage, fmt::format("--tag {}: {} is no image", options.tag, source.string()));
  std::vector<std::string> notes;
  Build build{.commit = options.commit ? *options.commit : (opened.kind == Source::Kind::folder ? commit_of(source, notes) : ""),
              .builder = options.builder,
              .created = trust::to_string(now)};
  BERTH_TRY(build.spec, spec_of_source(opened, options, source));
  BERTH_TRY(bundle::Tree tree, list(opened));
  if (opened.kind != Source::Kind::image) BERTH_CHECK(add_mount_points(build.spec, tree.entries));
  BERTH_CHECK(check_no_keys(tree.entries));
  BERTH_CHECK(check_nothing_hidden(build.spec, opened.folder));
  BERTH_CHECK(check_commands(build.spec, tree.entries));
  build.platform = options.platform.empty() ? opened.platform : options.platform;
  if (!options.platform.empty()) BERTH_CHECK(check_platform(build.spec, opened.folder, options.platform));
  if (build.platform.empty()) {
    BERTH_TRY(build.platform, detect_platform(opened.folder, tree.entries));
  }

  BERTH_TRY(const auto written, bundle::write_layer_and_hash(opened.folder, tree.entries, workshop.layer(), options.level));
  build.ref = {.digest = build_digest(written.ref.tar_sha256, build.spec), .version = options.version, .layer = written.ref};
  MadeBuild made{.already = store.find(build.ref.digest).has_value(), .files = count_files(tree.entries), .bytes = bundle::total_size(tree.entries)};
  BERTH_TRY(made.build, store.add(std::move(build), bundle::to_canonical_json(written.index), workshop));
  made.notes = std::move(notes);
  made.notes.insert(made.notes.end(), opened.notes.begin(), opened.notes.end());
  made.notes.insert(made.notes.end(), tree.notes.begin(), tree.notes.end());
  return made;
}

}  // namespace berth::publish
