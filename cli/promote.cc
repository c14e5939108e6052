#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/publishing.h"
#include "cli/verbs.h"
#include "core/publish/contents.h"
#include "core/publish/release.h"

namespace berth::cli {
namespace {

struct PromoteOptions {
  std::string release, to, repository, incoming, environments = "environments";
  std::vector<std::string> attachments;
  IdOptions id;
  PatchingOptions patching;
  SigningOptions signing;
};

Result<Exit> promote(const Console& console, const PromoteOptions& options) {
  BERTH_TRY(const auto ref, release_argument(options.release, "promote"));
  if (ref.environment.empty())
    return fail(Errc::usage, fmt::format("berth promote: say from which environment, as in {}/{}@{}", ref.app, options.to == "qa" ? "dev" : "qa", ref.release));
  if (options.to.empty()) return fail(Errc::usage, "berth promote: say to which environment: --to NAME");
  if (options.to == ref.environment)
    return fail(Errc::usage,
                fmt::format("berth promote: {} is in {} already; 'berth release' makes another release there", options.release, options.to));
  BERTH_TRY(const auto repository, publisher_repository("promote", options.repository, options.signing, options.incoming));
  BERTH_TRY(const auto how, release_options("promote", options.id, options.patching, options.attachments));
  BERTH_TRY(const auto released, publish::find_release(repository.folder, ref));
  BERTH_TRY(const auto environment, publish::read_environment(options.environments, options.to));
  BERTH_TRY(const auto published, publish::publish_release(repository, publish::draft_of(released), environment, how));
  tell_published(console, published, repository.folder);
  return Exit::ok;
}

}  // namespace

Verb promote_verb() {
  auto o = std::make_shared<PromoteOptions>();
  std::vector<Option> options{{"--to", "NAME", "the environment it is for", &o->to, Completes::environment},
                              repository_option(o->repository),
                              environments_option(o->environments),
                              incoming_option(o->incoming),
                              {"--attach", "FILE", "a file to travel with it, beside those that do already; may be repeated", &o->attachments, Completes::file}};
  for (Option& option : id_options(o->id)) options.push_back(std::move(option));
  for (Option& option : patching_options(o->patching)) options.push_back(std::move(option));
  options.push_back(wait_option(o->signing.wait));
  options = with_signing(std::move(options), o->signing);
  return {
      .name = "promote",
      .summary = "Release the very same build in another environment, with that one's configuration",
      .text = "What travels with the release, such as an SBOM, travels with the new one too.",
      .examples = {"berth promote web/qa@v7 --to production --repo ./repo"},
      .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
      .arguments = {{"APP/ENV@RELEASE", "what to promote", &o->release, Completes::release_of_environment}},
      .options = std::move(options),
      .action = [o](Console& console) { return promote(console, *o); },
  };
}

}  // namespace berth::cli
