#include "run/local_release.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/core.h>
#include <unistd.h>

#include "core/bundle/layer.h"
#include "core/bundle/tree.h"
#include "core/files/files.h"
#include "core/ids.h"
#include "core/publish/commands.h"
#include "core/publish/placeholders.h"
#include "core/publish/source.h"
#include "run/app_guess.h"
#include "run/dotenv.h"
#include "run/local_configuration.h"
#include "run/parity.h"
#include "run/procfile.h"
#include "run/unpacking.h"

namespace berth::run {
namespace {

/// By name, and jobs last: they have no port that a number would be for.
std::vector<std::string> order_of(const spec::AppSpec& spec) {
  std::vector<std::string> order;
  for (const bool jobs : {false, true})
    for (const auto& [name, process] : spec.processes)
      if (process.job.has_value() == jobs) order.push_back(name);
  return order;
}

constexpr std::size_t kMostText = 1u << 20;
constexpr const char* kEnvironmentsFolder = "environments";
constexpr const char* kLocal = "local";  ///< the release's id, where it is none

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

Result<spec::AppSpec> spec_in(const fs::path& tree) {
  const fs::path file = tree / publish::kSpecFile;
  BERTH_TRY(const std::string text, files::read(file, kMostText));
  return spec::parse_toml(text, file.string());
}

/// The `.env` that was named, which must be there, or the tree's, which need not.
Result<std::map<std::string, std::string>> read_dotenv(const fs::path& file, bool is_named) {
  auto text = files::read(file, kMostText);
  if (!text && text.error().code == Errc::not_found && !is_named) return std::map<std::string, std::string>();
  if (!text && is_named && text.error().code == Errc::not_found)
    return fail(Errc::not_found, fmt::format("--env-file {}: there is no such file", file.string()));
  if (!text) return pass(std::move(text.error()));
  return parse_dotenv(*text, file.string());
}

/// This program's environment.
std::map<std::string, std::string> whole_environment() {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) all.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return all;
}

/// Programs are looked up in the app's bin/ and then where this user finds them: interpreters are wherever version managers put them.
constexpr const char* kRootsApp = "you are root, and so is the app; on a node it has a user of its own";

std::string path_for(const fs::path& app) {
  const char* path = std::getenv("PATH");
  return (app / "bin").string() + ":" + (path != nullptr && *path != '\0' ? path : "/usr/local/bin:/usr/bin:/bin");
}

/// What a node would do with root's rights, and this one cannot do without them.
Result<void> fit_to_user(LocalRelease& release, bool is_build) {
  const bool is_root = ::geteuid() == 0;
  spec::AppSpec& spec = release.manifest.spec;
  bool has_limits = false, has_beyond = false;
  std::vector<std::string> jobs;
  for (auto& [name, process] : spec.processes) {
    has_limits = has_limits || !spec::cgroup_values(process.limits).empty() || (!is_root && process.limits.any());
    if (!is_root) {
      process.limits.resources.clear();  // as is said of the others: a limit may be one that only root can set
      process.limits.nice = process.limits.oom_score_adjust = std::nullopt;
    }
    if (process.job && release.instances[name] == 0) jobs.push_back(name);
    if (process.root == spec::Root::image && (!is_root || !is_build))
      return fail(Errc::usage, fmt::format("{}: process {} has root = \"image\": {}", spec.app, name,
                                           is_build ? "that needs root; run it as root, or where a container engine is"
                                                    : "its root is a build's tree, with nothing of this machine; make one by 'berth build', and run that as root"));
    const bool of_capabilities = !process.sandbox.ambient_capabilities.empty() || process.sandbox.capability_bounding_set;
    const bool of_groups = !process.sandbox.supplementary_groups.empty();
    if (is_root || (!process.sandbox.of_paths() && !of_capabilities && !of_groups)) continue;
    has_beyond = true;
    const spec::Sandbox all = process.sandbox;
    process.sandbox = {.restrict_address_families = all.restrict_address_families,
                       .memory_deny_write_execute = all.memory_deny_write_execute,
                       .no_new_privileges = all.no_new_privileges,
                       .umask = all.umask};
  }
  if (is_root) release.notes.push_back(kRootsApp);
  if (has_limits) release.notes.push_back("limits are not enforced here");
  if (has_beyond) release.notes.push_back("what its sandbox says of paths, capabilities and groups needs root, and does not hold here");
  for (const std::string& job : jobs) release.notes.push_back(fmt::format("{} is a job, which nothing starts here: '--formation {}=1' runs it", job, job));
  if (!spec.user.empty()) {
    release.notes.push_back(fmt::format("it runs as you, not as {}", spec.user));
    spec.user.clear();
  }
  return {};
}

Result<void> take_formation(LocalRelease& release, const std::string& formation) {
  BERTH_TRY(release.instances, parse_formation(formation, release.manifest.spec));
  return {};
}

/// How many of each process.
Result<void> form(LocalRelease& release, const std::string& formation) {
  for (const auto& [name, process] : release.manifest.spec.processes) release.instances[name] = process.instances;
  if (!formation.empty()) BERTH_CHECK(take_formation(release, formation));
  if (std::ranges::all_of(release.instances, [](const auto& wanted) { return wanted.second == 0; }))
    return fail(Errc::usage, fmt::format("{}: nothing of it would run: say what with --formation NAME=1", release.manifest.app));
  return {};
}

/// What a publisher is told before a release is made: of commands of what runs here, and templates, that name what has no value.
Result<void> check_placeholders(const LocalRelease& release, const publish::Environment& environment, const LocalConfiguration& found) {
  const spec::AppSpec& spec = release.manifest.spec;
  publish::Configuration known{.variables = found.variables, .secrets = {}};
  for (const auto& [name, value] : found.secrets) known.secrets.emplace(name, "here");
  spec::AppSpec begun = spec;
  std::erase_if(begun.processes, [&release](const auto& process) { return release.instances.at(process.first) == 0; });
  BERTH_CHECK(publish::check_commands_have_values(begun, known, environment.name.empty() ? kUsualEnvironment : environment.name));
  std::error_code ignored;
  if (environment.name.empty() || !fs::is_directory(environment.files(), ignored)) return {};
  BERTH_TRY(const auto files, bundle::list_tree(environment.files()));
  return publish::check_templates(environment.files(), files.entries, spec, known);
}

/// The first folder of environments that has this one.
std::optional<fs::path> place_with(const std::vector<fs::path>& environments, const std::string& name) {
  std::error_code ignored;
  for (const fs::path& place : environments)
    if (fs::is_directory(place / name, ignored)) return place;
  return std::nullopt;
}

/// Where environments are looked for unless told: in the app's folder, and where 'berth release' looks for them.
std::vector<fs::path> places_of_environments(const fs::path& tree, const LocalOptions& options) {
  if (!options.environments.empty()) return {options.environments};
  return {tree / kEnvironmentsFolder, fs::current_path() / kEnvironmentsFolder};
}

/// A workstation has the labels that it is given: those that templates name, and it was not, are told at once.
Result<void> check_labels(const LocalRelease& release, const LocalOptions& options) {
  std::error_code ignored;
  if (release.config.empty() || !fs::is_directory(release.config, ignored)) return {};
  BERTH_TRY(const auto files, bundle::list_tree(release.config));
  BERTH_TRY(const auto named, publish::labels_of_templates(release.config, files.entries));
  std::string places, advice;
  for (const auto& [label, place] : named) {
    if (options.labels.contains(label)) continue;
    places += fmt::format("{}{}: ${{node.labels.{}}}", places.empty() ? "" : ", ", place, label);
    advice += fmt::format(" --label {}=VALUE", label);
  }
  if (advice.empty()) return {};
  return fail(Errc::usage, fmt::format("{}: on a node [labels] of berthd.toml says what that is; give it here with{}", places, advice));
}

/// The environment whose shape is wanted, and what of it counts here.
Result<void> configure(LocalRelease& release, const std::vector<fs::path>& environments, const fs::path& dotenv, const LocalOptions& options) {
  LocalSources sources{.given = options.given, .dotenv = {}, .dotenv_file = options.dotenv.empty() ? dotenv : options.dotenv, .environment = {}, .for_secrets = {}};
  BERTH_TRY(sources.dotenv, read_dotenv(sources.dotenv_file, !options.dotenv.empty()));
  std::optional<publish::Environment> usual;
  if (const auto place = place_with(environments, kUsualEnvironment)) {
    BERTH_TRY(usual, publish::read_environment(*place, kUsualEnvironment));
  }
  const bool is_other = !options.environment.empty() && options.environment != kUsualEnvironment;
  if (is_other) {
    BERTH_TRY(sources.environment, publish::read_environment(place_with(environments, options.environment).value_or(environments.front()), options.environment));
    sources.for_secrets = usual.value_or(publish::Environment());
    if (usual) {
      BERTH_TRY(release.differences, differences(release.manifest.spec, *usual, sources.environment));
    }
  } else if (usual) {
    sources.environment = *usual;
  } else if (!options.environment.empty()) {
    BERTH_TRY(sources.environment, publish::read_environment(environments.front(), options.environment));
  }
  BERTH_TRY(auto found, configure_locally(release.manifest.spec, sources));
  BERTH_CHECK(check_placeholders(release, sources.environment, found));
  release.manifest.environment = sources.environment.name.empty() ? kUsualEnvironment : sources.environment.name;
  release.manifest.variables = std::move(found.variables);
  for (const auto& [name, value] : found.secrets) release.manifest.secrets.emplace(name, "here");
  release.secrets = std::move(found.secrets);
  release.notes.insert(release.notes.end(), found.notes.begin(), found.notes.end());
  if (!sources.environment.name.empty()) release.config = sources.environment.files();
  return check_labels(release, options);
}

/// What declares nothing has this user's environment, as from foreman, with `.env` over it.
Result<LocalRelease> of_procfile(const fs::path& tree, const LocalOptions& options) {
  if (!options.environment.empty())
    return fail(Errc::usage, fmt::format("--as {}: a Procfile has no environments; 'berth new' makes a berth.toml of it", options.environment));
  if (!options.environments.empty())
    return fail(Errc::usage, fmt::format("--environments {}: a Procfile has no environments; 'berth new' makes a berth.toml of it", options.environments.string()));
  const fs::path file = tree / kProcfile;
  BERTH_TRY(const std::string text, files::read(file, kMostText));
  BERTH_TRY(const auto lines, parse_procfile(text, file.string()));
  LocalRelease release{.manifest = {}, .app = tree, .config = {}, .numbers_ports = true};
  release.manifest.spec = spec_of_procfile(app_name_of(tree.filename().string()), lines);
  release.manifest.app = release.manifest.spec.app;
  release.manifest.environment = kUsualEnvironment;
  release.manifest.release = kLocal;
  for (const ProcfileLine& line : lines) release.order.push_back(line.process);
  // It listens nowhere, and is to take nobody's port: the first one is that of the process which people ask for.
  std::ranges::stable_partition(release.order, [](const std::string& process) { return process != "release"; });
  BERTH_CHECK(form(release, options.formation));
  if (options.formation.empty())
    for (auto& [process, wanted] : release.instances) wanted = 1;

  release.inherited = whole_environment();
  BERTH_TRY(const auto dotenv, read_dotenv(options.dotenv.empty() ? tree / kDotenv : options.dotenv, !options.dotenv.empty()));
  for (const auto* values : {&dotenv, &options.given})
    for (const auto& [name, value] : *values) release.inherited[name] = value;
  release.inherited["PATH"] = path_for(tree);
  if (::geteuid() == 0) release.notes.push_back(kRootsApp);
  return release;
}

}  // namespace

Result<std::string> app_of_tree(const fs::path& tree) {
  BERTH_CHECK(check_readable(tree));
  if (is_file(tree / publish::kSpecFile)) {
    BERTH_TRY(const auto spec, spec_in(tree));
    return spec.app;
  }
  if (is_file(tree / kProcfile)) return app_name_of(tree.filename().string());
  return fail(Errc::usage, fmt::format("{} has neither a {} nor a {}; 'berth new {}' makes a {} of what it finds there", tree.string(), publish::kSpecFile, kProcfile,
                                       tree.string(), publish::kSpecFile));
}

Result<LocalRelease> release_of_tree(const fs::path& tree, const LocalOptions& options) {
  BERTH_CHECK(check_readable(tree));
  if (!is_file(tree / publish::kSpecFile)) {
    BERTH_CHECK(app_of_tree(tree));
    return of_procfile(tree, options);
  }
  LocalRelease release{.manifest = {}, .app = tree, .config = {}};
  BERTH_TRY(release.manifest.spec, spec_in(tree));
  release.manifest.app = release.manifest.spec.app;
  release.manifest.release = kLocal;
  release.order = order_of(release.manifest.spec);
  BERTH_CHECK(form(release, options.formation));
  BERTH_CHECK(configure(release, places_of_environments(tree, options), tree / kDotenv, options));
  BERTH_CHECK(fit_to_user(release, false));
  if (!release.manifest.spec.variables.contains("PATH")) release.inherited["PATH"] = path_for(tree);
  return release;
}

Result<LocalRelease> release_of_build(const publish::BuildStore& store, const publish::Build& build, const Places& places, const LocalOptions& options) {
  LocalRelease release;
  BERTH_TRY(release.app, unpack_layer(build.ref.layer, store.layer_of(build.ref.digest), store.index_of(build.ref.digest), places.paths.state / "build"));
  bundle::Manifest& manifest = release.manifest;
  manifest.spec = build.spec;
  manifest.app = build.spec.app;
  manifest.release = publish::short_digest(build.ref.digest);
  manifest.builds.emplace(build.platform, build.ref);
  release.order = order_of(manifest.spec);
  BERTH_CHECK(form(release, options.formation));
  BERTH_CHECK(configure(release, places_of_environments(fs::current_path(), options), fs::current_path() / kDotenv, options));
  BERTH_CHECK(fit_to_user(release, true));
  if (!manifest.spec.variables.contains("PATH")) release.inherited["PATH"] = path_for(release.app);
  return release;
}

Result<LocalRelease> release_of_repository(const release_file::Source& source, const release_file::Found& found, const Places& places, const LocalOptions& options) {
  LocalRelease release{.manifest = found.manifest, .app = {}, .config = {}};
  bundle::Manifest& manifest = release.manifest;
  BERTH_TRY(const auto build, bundle::build_for(manifest, bundle::this_platform()));
  BERTH_TRY(release.app, fetch_layer(source, build.layer, places.paths.state / "build"));
  BERTH_TRY(release.config, fetch_layer(source, manifest.config, places.paths.state / "configuration"));
  BERTH_CHECK(check_labels(release, options));
  release.order = order_of(manifest.spec);
  BERTH_CHECK(form(release, options.formation));

  LocalSources sources{.given = options.given, .dotenv = {}, .dotenv_file = options.dotenv.empty() ? fs::current_path() / kDotenv : options.dotenv, .environment = {}, .for_secrets = publish::Environment()};
  BERTH_TRY(sources.dotenv, read_dotenv(sources.dotenv_file, !options.dotenv.empty()));
  sources.environment.name = manifest.environment;
  for (const auto& [name, value] : manifest.variables) sources.environment.variables[name] = {.value = value};
  for (const auto& [name, reference] : manifest.secrets) sources.environment.secrets[name] = {.value = reference};
  BERTH_TRY(auto values, configure_locally(manifest.spec, sources));
  manifest.variables = std::move(values.variables);
  release.secrets = std::move(values.secrets);
  release.notes = std::move(values.notes);
  BERTH_CHECK(fit_to_user(release, true));
  if (!manifest.spec.variables.contains("PATH")) release.inherited["PATH"] = path_for(release.app);
  return release;
}

}  // namespace berth::run
