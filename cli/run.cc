#include <cstring>
#include <filesystem>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/repository_source.h"
#include "cli/run_output.h"
#include "cli/verbs.h"
#include "core/publish/build_store.h"
#include "run/run_app.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;

struct RunVerbOptions {
  std::string source = ".";
  std::string as, environments, dotenv, formation;
  std::vector<std::string> given, labels;
  std::optional<std::int64_t> port;
  bool watch = false, timestamps = false;
  RepositoryLocation repository;
};

constexpr const char* kUsualRepository = "./repo";  ///< as 'berth repo init ./repo' makes it

/// Whether `folder` is a repository's.
bool is_repository(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / "metadata/1.root.json", ignored);
}

/// `NAME=value`, repeated.
Result<std::map<std::string, std::string>> pairs_of(const std::string& option, const std::vector<std::string>& texts, bool (*is_key)(std::string_view)) {
  std::map<std::string, std::string> pairs;
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || !is_key(std::string_view(text).substr(0, equals)))
      return fail(Errc::usage, fmt::format("{}: '{}' is not NAME=VALUE", option, text));
    pairs[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return pairs;
}

Result<std::map<std::string, std::string>> labels_of(const RunVerbOptions& options) {
  return pairs_of("--label", options.labels, [](std::string_view key) { return !key.empty(); });
}

Result<run::LocalOptions> local_options(const RunVerbOptions& options) {
  run::LocalOptions local{.environment = options.as, .environments = {}, .dotenv = {}, .given = {}, .formation = options.formation};
  // What is loaded again after a change is looked for where it was found first.
  if (!options.environments.empty()) local.environments = fs::absolute(options.environments);
  if (!options.dotenv.empty()) local.dotenv = fs::absolute(options.dotenv);
  BERTH_TRY(local.given, pairs_of("--set", options.given, is_variable_name));
  BERTH_TRY(local.labels, labels_of(options));
  return local;
}

Result<run::RunOptions> run_options(const RunVerbOptions& options) {
  run::RunOptions how{.keeper = {}, .base_port = {}, .labels = {}, .restarts = options.watch};
  BERTH_TRY(how.keeper, run::find_keeper());
  BERTH_TRY(how.labels, labels_of(options));
  if (options.port && (*options.port < 1 || *options.port > 65'535)) return fail(Errc::usage, fmt::format("--port {}: 1 to 65535", *options.port));
  if (options.port) how.base_port = static_cast<int>(*options.port);
  return how;
}

/// A folder, or a file in it that says how its app is run.
Result<std::optional<fs::path>> tree_at(const std::string& source) {
  std::error_code failed, ignored;
  const fs::path path = fs::canonical(source, failed);
  if (failed == std::errc::permission_denied) return fail_errno("berth run: look at " + source, failed.value());
  if (path.empty()) return std::optional<fs::path>();
  const bool is_its_file = !fs::is_directory(path, ignored) && (path.filename() == "berth.toml" || path.filename() == run::kProcfile);
  if (is_its_file) return std::optional(path.parent_path());
  return fs::is_directory(path, ignored) ? std::optional(path) : std::nullopt;
}

/// What says where a release is, and how it is believed, says nothing of what lies here.
Result<void> refuse_repository(const RunVerbOptions& options, const std::string& what) {
  const RepositoryLocation& said = options.repository;
  const std::string mirror = said.mirrors.empty() ? "" : said.mirrors.front();
  const std::pair<const char*, const std::string&> given[] = {
      {"--repo", said.at}, {"--root", said.root}, {"--config", said.config}, {"--mirror", mirror}, {"--ca-file", said.tls.ca_file},
      {"--certificate-file", said.tls.certificate_file}, {"--key-file", said.tls.key_file}, {"--token-file", said.token_file}, {"--user", said.user},
      {"--password-file", said.password_file}, {"--proxy", said.proxy}, {"--rate-limit", said.rate_limit}};
  for (const auto& [option, value] : given)
    if (!value.empty()) return fail(Errc::usage, fmt::format("berth run: {} {}: {} is {}; a repository has releases, such as APP/ENV@RELEASE", option, value, options.source, what));
  return {};
}

Result<run::RunRequest> of_tree(const fs::path& tree, const RunVerbOptions& options) {
  BERTH_CHECK(refuse_repository(options, "a folder"));
  BERTH_TRY(const auto local, local_options(options));
  BERTH_TRY(auto how, run_options(options));
  run::Load load = [tree, local] { return run::release_of_tree(tree, local); };
  BERTH_TRY(auto release, load());  // what is missing is told before anything is made
  BERTH_TRY(auto places, run::open_places(release.manifest.app, tree.string()));
  if (release.numbers_ports && !how.base_port) how.base_port = run::kFirstPort;
  return run::RunRequest{.places = std::move(places), .release = std::move(release), .load = std::move(load), .watched = options.watch ? tree : fs::path(), .options = std::move(how)};
}

Result<void> refuse_watch(const RunVerbOptions& options) {
  if (options.watch) return fail(Errc::usage, fmt::format("berth run: {} does not change: --watch is for an app's folder", options.source));
  return {};
}

/// The build whose digest begins so, or the newest of an app.
Result<run::RunRequest> of_build(const RunVerbOptions& options) {
  BERTH_CHECK(refuse_watch(options));
  BERTH_TRY(const auto store, publish::BuildStore::of_user());
  auto build = store.find(options.source);
  if (!build && is_name(options.source)) build = store.latest(options.source);
  if (!build) {
    // What is neither a digest nor a name is none of what this verb runs: that is not found, however it is written.
    const bool is_digest_or_name = is_name(options.source) || (!options.source.empty() && options.source.find_first_not_of("0123456789abcdef") == std::string::npos);
    return fail(is_digest_or_name ? build.error().code : Errc::not_found,
                fmt::format("berth run: {} is no folder, no release (APP/ENV@RELEASE), and no build: {}", options.source, build.error().message));
  }
  BERTH_CHECK(refuse_repository(options, "a build"));
  BERTH_TRY(const auto local, local_options(options));
  BERTH_TRY(auto how, run_options(options));
  BERTH_TRY(auto places, run::open_places(build->spec.app, "build"));
  run::Load load = [] { return Result<run::LocalRelease>(fail(Errc::internal, "a build does not change")); };
  BERTH_TRY(auto release, run::release_of_build(store, *build, places, local));
  return run::RunRequest{.places = std::move(places), .release = std::move(release), .load = std::move(load), .watched = {}, .options = std::move(how)};
}

Result<run::RunRequest> of_release(const RunVerbOptions& options) {
  BERTH_CHECK(refuse_watch(options));
  if (!options.environments.empty())
    return fail(Errc::usage, fmt::format("berth run: --environments {}: {} is a release, which has the variables and files of its environment in it", options.environments, options.source));
  BERTH_TRY(auto ref, release_argument(options.source, "run"));
  if (ref.environment.empty()) ref.environment = options.as;
  if (!options.as.empty() && ref.environment != options.as) return fail(Errc::usage, fmt::format("berth run: {} and --as {} name two environments", options.source, options.as));
  const bool is_usual = ref.environment.empty();  // nobody said which one
  if (is_usual) ref.environment = run::kUsualEnvironment;
  RepositoryLocation repository = options.repository;
  BERTH_CHECK(take_configuration(repository));
  if (repository.at.empty() && is_repository(kUsualRepository)) repository.at = kUsualRepository;
  if (repository.at.empty())
    return fail(Errc::usage, fmt::format("berth run: say which repository {} is in: --repo DIR|URL, or --config with a berthd.toml that does; there is none in {} here", options.source, kUsualRepository));
  BERTH_TRY(const auto local, local_options(options));
  BERTH_TRY(auto how, run_options(options));
  BERTH_TRY(const auto opened, open_repository(repository));
  const auto source = opened.source();
  const auto found = release_file::find_release(source, ref);
  if (!found) {
    Error error = of_repository(found.error(), repository.at);
    if (is_usual && error.code == Errc::not_found)
      error.message += fmt::format("; {} is the environment where none is said: {}/production@{}, or --as production, is of another", ref.environment, ref.app, ref.release);
    return std::unexpected(std::move(error));
  }
  BERTH_TRY(auto places, run::open_places(ref.app, "release"));
  run::Load load = [] { return Result<run::LocalRelease>(fail(Errc::internal, "a release does not change")); };
  BERTH_TRY(auto release, run::release_of_repository(source, *found, places, local));
  return run::RunRequest{.places = std::move(places), .release = std::move(release), .load = std::move(load), .watched = {}, .options = std::move(how)};
}

/// "./shop", "../shop", "/srv/shop": what can be a folder alone.
bool is_path(const std::string& source) {
  return source == "." || source == ".." || source.starts_with('/') || source.starts_with("./") || source.starts_with("../");
}

Result<run::RunRequest> request_of(const RunVerbOptions& options) {
  BERTH_TRY(const auto tree, tree_at(options.source));
  if (tree) return of_tree(*tree, options);
  std::error_code ignored;
  if (is_path(options.source) && !fs::exists(options.source, ignored))
    return fail(Errc::not_found, fmt::format("berth run: {}: there is no such folder; 'berth run' alone runs the app of this one", options.source));
  if (options.source.find('@') != std::string::npos) return of_release(options);
  if (fs::exists(options.source, ignored))
    return fail(Errc::usage, fmt::format("berth run: {} is no folder; 'berth build {}' makes a build of an archive, an image or an executable, which 'berth run APP' runs", options.source, options.source));
  return of_build(options);
}

std::size_t longest_name(const run::LocalRelease& release) {
  std::size_t longest = 0;
  for (const auto& [name, wanted] : release.instances)
    if (wanted > 0) longest = std::max(longest, fmt::format("{}.{}", name, wanted).size());
  for (const auto& [hook, rules] : release.manifest.spec.hooks) longest = std::max(longest, hook.size());
  return longest;
}

/// The exit code is the app's own, where one of its processes failed.
Result<Exit> run_verb_action(Console& console, RunVerbOptions options) {
  options.repository.tell = console.teller();
  BERTH_TRY(auto request, request_of(options));
  RunOutput output(console, {.timestamps = options.timestamps, .name_width = longest_name(request.release)});
  BERTH_TRY(const int exit, run::run_app(std::move(request), output));
  if (output.failure() != 0) {
    const std::string trouble = fmt::format("berth run: write the output: {}; so the app was stopped", std::strerror(output.failure()));
    if (exit == 0) return fail(Errc::io, trouble);
    console.warn(trouble);
  }
  return static_cast<Exit>(exit);
}

}  // namespace

Verb run_verb() {
  auto o = std::make_shared<RunVerbOptions>();
  std::vector<Option> options = {
      {"-w,--watch", "", "restart when a file changes; what .berthignore names does not count", &o->watch},
      {"--as", "ENV", "the shape of that environment (default: dev), with secrets of this machine; tells what differs", &o->as},
      {"-m,--formation", "LIST", "how many of each process: web=2,worker=1; others do not run, but for all=N", &o->formation},
      {"-p,--port", "N", "the first port, 100 for each process (default: berth.toml's; 5000 for a Procfile)", &o->port},
      {"-s,--set", "NAME=VALUE", "a variable's value (repeatable)", &o->given},
      {"-e,--env-file", "FILE", "variables of this machine (default: .env of the folder, or of this one)", &o->dotenv, Completes::file},
      {"--environments", "DIR", "the folder of environments (default: environments/ of the app's folder, then of this one)", &o->environments, Completes::folder, {}, true},
      {"--label", "NAME=VALUE", "what ${node.labels.NAME} of a template is (repeatable)", &o->labels, Completes::nothing, {}, true},
      {"-t,--timestamps", "", "show when each line was written", &o->timestamps},
  };
  for (Option& option : location_options(o->repository, "the repository's folder or URL, for a release (default: ./repo)")) options.push_back(std::move(option));
  return {
      .name = "run",
      .summary = "Run an app on this machine, as a node would, without root and berthd",
      .text = "SOURCE is a folder with a berth.toml or a Procfile, a release in a repository (APP@RELEASE is of the environment dev), or a build: the digits of one, or the app whose newest one is meant. "
              "Probes, order, hooks, environment, ports, templates, restarts and stops are those of a node. Variables have their values from --set, .env, "
              "environments/dev and the defaults of berth.toml, in this order; what is required and has none is named. The first instance of a process has its public "
              "port itself. Ctrl-C stops all in order, and kills at once when pressed again. No process is left behind, also when this program is killed; what only SIGKILL leaves, "
              "rendered configuration and secrets in memory that this user alone may read, the next 'berth run' of any app removes. "
              "The exit code is 0 after Ctrl-C, else that of the process that failed: one that is not started again, or ended five times within a minute.",
      .examples = {"berth run # the app in this folder", "berth run --watch --set LEVEL=debug", "berth run --as production", "berth run ./shop -m web=2,worker=1 -p 3000",
                   "berth run web/production@v42 --repo ./repo", "berth run web # its newest build"},
      .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
      .arguments = {{.name = "SOURCE", .help = "what to run (default: this folder)", .into = &o->source, .completes = Completes::folder, .required = false}},
      .options = std::move(options),
      .action = [o](Console& console) { return run_verb_action(console, *o); },
      .exit_texts = {{"0", "stopped (Ctrl-C, SIGTERM, a reader that went away), or every process has ended well"},
                     {"1", "a hook failed, something was not ready in time, or the output cannot be written"},
                     {"2", "a wrong call, an invalid file, or a variable without a value"},
                     {"3", "no such folder, build, release, or program of a command"},
                     {"7", "a folder, file or port that this user may not have"},
                     {"8", "it runs already, or a port is taken"},
                     {"N", "the app's own, 128 and the number where a signal ended it: of the process that failed"}},
  };
}

}  // namespace berth::cli
