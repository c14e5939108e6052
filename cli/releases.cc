#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

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
  const std::string rejected = text_of(release, "rejected");
  add(!rejected.empty(), "rejected: " + rejected);
  return text;
}

Result<Exit> on_node(const Console& console, const std::string& app) {
  BERTH_TRY(const auto answer, ApiClient(console.socket).get(app_target(app, "/releases")));
  if (console.json) {
    console.document(answer);
    return Exit::ok;
  }
  const auto now = std::chrono::system_clock::now();
  Table table({"RELEASE", "REPOSITORY", "NODE", "SIZE", "SINCE", "NOTE"});
  for (const auto& release : list_of(answer, "releases")) {
    const bool here = truth_of(release, "on_node");
    const auto bytes = number_of(release, "bytes");
    table.row({{text_of(release, "release"), truth_of(release, "active") ? Tint::good : Tint::none}, truth_of(release, "in_repository") ? "yes" : "no",
               here ? "yes" : "no", here && bytes > 0 ? bytes_text(static_cast<std::uint64_t>(bytes)) : "",
               since_text(text_of(release, "sealed_at"), now), role_of(release)});
  }
  console.print(table.render(console.colour, console.terminal ? console.width : 0));
  if (table.empty()) console.note(fmt::format("{} has no releases; make one: berth release {} --env … --repo …", app, app));
  if (const std::string error = text_of(answer, "repository_error"); !error.empty() && !console.quiet)
    console.warn("the repository could not be read, so that only what is on the node is listed: " + error);
  return Exit::ok;
}

}  // namespace

Verb releases_verb() {
  auto name = std::make_shared<std::string>();
  return {
      .name = "releases",
      .summary = "List the releases of an app, in the repository and on the node",
      .examples = {"berth releases web", "berth releases web --json"},
      .exits = with_daemon_exits({Exit::not_found}),
      .arguments = {{"APP", "the app", name.get(), Completes::app}},
      .action = [name](Console& console) -> Result<Exit> {
        BERTH_TRY(const auto app, app_argument(*name, "releases"));
        return on_node(console, app);
      },
  };
}

}  // namespace berth::cli
