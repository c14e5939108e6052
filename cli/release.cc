#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/publishing.h"
#include "cli/verbs.h"
#include "core/publish/release.h"

namespace berth::cli {
namespace {

struct ReleaseOptions {
  std::string app, environment, repository, incoming, commit, environments = "environments";
  std::vector<std::string> builds, attachments;
  IdOptions id;
  PatchingOptions patching;
  SigningOptions signing;
};

/// The builds that were named, or the latest one.
Result<std::vector<publish::Build>> chosen_builds(const publish::BuildStore& store, const std::string& app, const std::vector<std::string>& digests) {
  std::vector<publish::Build> builds;
  for (const std::string& digest : digests) {
    BERTH_TRY(auto build, store.find(digest));
    if (build.spec.app != app)
      return fail(Errc::usage, fmt::format("build {} is of {}, not of {}", publish::short_digest(build.ref.digest), build.spec.app, app));
    builds.push_back(std::move(build));
  }
  if (builds.empty()) {
    BERTH_TRY(auto latest, store.latest(app));
    builds.push_back(std::move(latest));
  }
  return builds;
}

Result<Exit> release(const Console& console, const ReleaseOptions& options) {
  BERTH_TRY(const auto app, app_argument(options.app, "release"));
  if (options.environment.empty())
    return fail(Errc::usage,
                fmt::format("berth release: say for which environment: --env NAME, whose configuration is in {}/NAME", options.environments));
  BERTH_TRY(const auto repository, publisher_repository("release", options.repository, options.signing, options.incoming));
  BERTH_TRY(const auto how, release_options("release", options.id, options.patching, options.attachments));
  BERTH_TRY(const auto store, publish::BuildStore::of_user());
  BERTH_TRY(const auto builds, chosen_builds(store, app, options.builds));
  BERTH_TRY(const auto draft, publish::draft_of(store, builds, options.commit));
  BERTH_TRY(const auto environment, publish::read_environment(options.environments, options.environment));
  BERTH_TRY(const auto published, publish::publish_release(repository, draft, environment, how));
  tell_published(console, published, repository.folder);
  return Exit::ok;
}

}  // namespace

Verb release_verb() {
  auto o = std::make_shared<ReleaseOptions>();
  std::vector<Option> options{{"-e,--env", "NAME", "the environment it is for", &o->environment, Completes::environment},
                              repository_option(o->repository),
                              environments_option(o->environments),
                              incoming_option(o->incoming),
                              {"--build", "DIGEST", "of this build instead of the latest; repeat it for one of each platform", &o->builds},
                              {"--commit", "ID", "where it comes from (default: what its builds say, which must be one)", &o->commit},
                              {"--attach", "FILE", "a file to travel with it, such as an SBOM; may be repeated", &o->attachments, Completes::file}};
  for (Option& option : id_options(o->id)) options.push_back(std::move(option));
  for (Option& option : patching_options(o->patching)) options.push_back(std::move(option));
  options.push_back(wait_option(o->signing.wait));
  options = with_signing(std::move(options), o->signing);
  return {
      .name = "release",
      .summary = "Join a build with an environment's configuration, sign it, and put it into a repository",
      .text = "The configuration is environments/NAME/env.toml (NAME = \"value\", and [secrets] NAME = \"file:/path\") and the files below "
              "environments/NAME/files. Variables must be those that berth.toml declares. Where the app is delegated ('berth repo delegate') its "
              "role's key signs, and the release is handed in for 'berth repo accept'.",
      .examples = {"berth release web --env production --repo ./repo", "berth release web --env qa --repo ./repo --id 1.4.2 # an id of your own",
                   "berth release web --env production --repo ./repo --key ci-web.pem # signed by the role that web is delegated to"},
      .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
      .arguments = {{"APP", "the app; its latest build is taken", &o->app, Completes::built_app}},
      .options = std::move(options),
      .action = [o](Console& console) { return release(console, *o); },
  };
}

}  // namespace berth::cli
