#include "core/publish/make_build.h"

#include <map>

#include <fmt/core.h>

#include "core/bundle/checks.h"
#include "core/bundle/tree.h"
#include "core/publish/archive.h"
#include "core/publish/commands.h"
#include "core/publish/commit.h"
#include "core/publish/ignore_rules.h"
#include "core/publish/platform.h"
#include "core/trust/repository.h"

namespace berth::publish {
namespace {

constexpr const char* kSpecFile = "berth.toml";
constexpr std::size_t kMostSpec = 1u << 20;
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

/// The folder to build: `source`, or what an archive of it holds.
struct Source {
  fs::path folder;
  bool unpacked = false;
  std::vector<std::string> notes;
};

/// An archive often has all it holds in one folder, such as `site-1.4.2/`.
fs::path without_top_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / kSpecFile, error)) return folder;
  fs::path only;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!only.empty()) return folder;
    only = entry.path();
  }
  return !only.empty() && fs::is_directory(fs::symlink_status(only, error)) ? only : folder;
}

Result<Source> open_source(const fs::path& source, const Workshop& workshop) {
  std::error_code error;
  const auto status = fs::status(source, error);
  if (fs::is_directory(status)) return Source{.folder = source};
  if (!fs::is_regular_file(status))
    return fail(Errc::usage,
                fmt::format("{}: is neither a folder nor a file; build a folder with a berth.toml, or a ZIP or tar of one", source.string()));
  BERTH_TRY(auto notes, unpack_archive(source, workshop.tree()));
  return Source{.folder = without_top_folder(workshop.tree()), .unpacked = true, .notes = std::move(notes)};
}

Result<spec::AppSpec> read_spec(const Source& source, const fs::path& named) {
  // Where the user wrote it, not where an archive was unpacked to.
  const fs::path shown = source.unpacked ? fs::path(named.string() + ":" + kSpecFile) : named / kSpecFile;
  const auto text = files::read(source.folder / kSpecFile, kMostSpec);
  if (!text && text.error().code == Errc::not_found)
    return fail(Errc::usage, fmt::format("{}: there is none; it names the app and says how its processes are started", shown.string()));
  if (!text) return fail(Errc::usage, text.error().message);
  return spec::parse_toml(*text, shown.string());
}

Result<bundle::Tree> list(const fs::path& folder) {
  BERTH_TRY(const IgnoreRules rules, IgnoreRules::of(folder));
  const auto leave_out = [&](std::string_view path) {
    std::error_code error;
    const bool is_folder = fs::is_directory(fs::symlink_status(folder / path, error));
    return rules.leaves_out(path, is_folder);
  };
  return bundle::list_tree(folder, {.leave_out = leave_out});
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

std::uint64_t count_files(const std::vector<bundle::Entry>& entries) {
  std::uint64_t files = 0;
  for (const bundle::Entry& entry : entries) files += entry.type == bundle::EntryType::file ? 1 : 0;
  return files;
}

}  // namespace

Result<MadeBuild> make_build(const BuildStore& store, const fs::path& source, const BuildOptions& options, trust::WallTime now) {
  BERTH_CHECK(check_options(options));
  BERTH_TRY(const Workshop workshop, store.open_workshop());
  BERTH_TRY(Source opened, open_source(source, workshop));
  Build build{.commit = options.commit ? *options.commit : (opened.unpacked ? "" : checked_out_commit(source)),
              .builder = options.builder,
              .created = trust::to_string(now)};
  BERTH_TRY(build.spec, read_spec(opened, source));
  BERTH_TRY(const bundle::Tree tree, list(opened.folder));
  BERTH_CHECK(check_no_keys(tree.entries));
  BERTH_CHECK(check_commands(build.spec, tree.entries));
  build.platform = options.platform;
  if (build.platform.empty()) {
    BERTH_TRY(build.platform, detect_platform(opened.folder, tree.entries));
  }

  BERTH_TRY(const auto written, bundle::write_layer(opened.folder, tree.entries, workshop.layer(), options.level));
  build.ref = {.digest = build_digest(written.ref.tar_sha256, build.spec), .version = options.version, .layer = written.ref};
  MadeBuild made{.already = store.find(build.ref.digest).has_value(), .files = count_files(tree.entries), .bytes = bundle::total_size(tree.entries)};
  BERTH_TRY(made.build, store.add(std::move(build), bundle::to_canonical_json(written.index), workshop));
  made.notes = std::move(opened.notes);
  made.notes.insert(made.notes.end(), tree.notes.begin(), tree.notes.end());
  return made;
}

}  // namespace berth::publish
