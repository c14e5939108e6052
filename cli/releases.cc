#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/publishing.h"
#include "cli/verbs.h"
#include "core/publish/commit.h"
#include "core/publish/contents.h"

namespace berth::cli {
namespace {

/// "active, pinned": what this release is on the node.
std::string role_of(const json::value& release) {
  std::string text;
  const auto add = [&](bool is, std::string_view word) {
    if (is) text += (text.empty() ? "" : ", ") + std::string(word);
  };
  add(truth_of(release, "active"), "active");
  add(truth_of(release, "previous"), "previous");
  add(truth_of(release, "pinned"), "pinned");
  add(truth_of(release, "imported"), text_of(release, "expired").empty() ? "imported" : "imported, although expired");
  const std::string rejected = text_of(release, "rejected");
  add(!rejected.empty(), "rejected: " + rejected);
  return text;
}

Result<Exit> on_node(const Console& console, const std::string& app) {
  BERTH_TRY(const auto answer, ApiClient(console).get(app_target(app, "/releases")));
  if (console.json) {
    console.document(answer);
    return Exit::ok;
  }
  const auto now = std::chrono::system_clock::now();
  const char* absent = text_of(answer, "repository_error").empty() ? "no" : "?";
  Table table({"RELEASE", "REPOSITORY", "NODE", "SIZE", "SINCE", "NOTE"});
  for (const auto& release : list_of(answer, "releases")) {
    const bool here = truth_of(release, "on_node");
    const auto bytes = number_of(release, "bytes");
    table.row({{text_of(release, "release"), truth_of(release, "active") ? Tint::good : Tint::none},
               truth_of(release, "in_repository") ? "yes" : absent,
               here ? "yes" : "no",
               here && bytes > 0 ? bytes_text(static_cast<std::uint64_t>(bytes)) : "",
               since_text(text_of(release, "sealed_at"), now),
               role_of(release)});
  }
  console.print(table.render(console.colour, console.room()));
  if (table.empty()) console.note(fmt::format("{} has no releases; make one: berth release {} --env … --repo …", app, app));
  if (const std::string error = text_of(answer, "repository_error"); !error.empty() && !console.quiet)
    console.warn("the repository could not be read, so that only what is on the node is listed: " + error);
  return Exit::ok;
}

/// What a publisher asks: the repository's folder itself, without a node, and so all environments.
Result<Exit> in_repository(const Console& console, const std::string& app, const std::string& folder) {
  BERTH_TRY(const auto state, trust::read_repository(folder));
  BERTH_TRY(const auto releases, publish::read_releases({folder}, state, app, ""));
  if (releases.empty())
    return fail(Errc::not_found, fmt::format("{} has no releases in {}; make one: berth release {} --env NAME --repo {}", app, folder, app, folder));
  if (console.json) {
    json::array all;
    for (const bundle::Manifest& release : releases) all.push_back(release_json(release));
    console.document(json::object{{"releases", std::move(all)}});
    return Exit::ok;
  }
  const auto now = std::chrono::system_clock::now();
  Table table({"ENVIRONMENT", "RELEASE", "AGE", "PLATFORM", "BUILD", "VERSION", "COMMIT", "PREVIOUS"});
  for (const bundle::Manifest& release : releases)
    for (const auto& [platform, build] : release.builds)
      table.row({release.environment, release.release, since_text(release.created, now), platform, publish::short_digest(build.digest), build.version,
                 publish::short_commit(release.commit), release.previous});
  console.print(table.render(console.colour, console.room()));
  return Exit::ok;
}

struct ReleasesOptions {
  std::string app, repository;
};

}  // namespace

Verb releases_verb() {
  auto o = std::make_shared<ReleasesOptions>();
  return {
      .name = "releases",
      .summary = "List the releases of an app, in the repository and on the node",
      .examples = {"berth releases web", "berth releases web --repo ./repo # without a node, in all environments"},
      .exits = with_daemon_exits({Exit::not_found, Exit::trust}),
      .arguments = {{"APP", "the app", &o->app, Completes::app}},
      .options = {{"--repo", "DIR", "what this repository's folder holds, without asking berthd", &o->repository, Completes::folder}},
      .action = [o](Console& console) -> Result<Exit> {
        BERTH_TRY(const auto app, app_argument(o->app, "releases"));
        return o->repository.empty() ? on_node(console, app) : in_repository(console, app, o->repository);
      },
  };
}

}  // namespace berth::cli
