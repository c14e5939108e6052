#include <map>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/status_text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

Result<Exit> on_node(const Console& console) {
  const ApiClient api(console);
  BERTH_TRY(const auto status, api.get("/v1/status"));
  const auto repository = api.get("/v1/repository/apps");  // what is on the node is listed without it
  struct App {
    std::string active, health;
    std::vector<std::string> releases, left;
  };
  std::map<std::string, App> apps;
  for (const auto& app : list_of(status, "apps")) apps[text_of(app, "app")] = {text_of(app, "active"), text_of(app, "health"), {}, {}};
  for (const auto& one : list_of(status, "left")) {
    App& app = apps[text_of(one, "app")];
    for (const char* what : {"data", "logs"})
      if (truth_of(one, what)) app.left.emplace_back(what);
    app.health = "removed";
  }
  if (repository) {
    for (const auto& app : list_of(*repository, "apps"))
      for (const auto& release : list_of(app, "releases"))
        if (release.is_string()) apps[text_of(app, "app")].releases.emplace_back(release.get_string());
  }
  if (console.json) {
    json::array list;
    for (const auto& [name, app] : apps) {
      json::array releases(app.releases.begin(), app.releases.end());
      json::array left(app.left.begin(), app.left.end());
      list.push_back(json::object{{"app", name}, {"active", app.active}, {"health", app.health}, {"releases", std::move(releases)}, {"left", std::move(left)}});
    }
    console.document(json::object{{"apps", std::move(list)}});
  } else {
    Table table({"APP", "ACTIVE", "HEALTH", "IN THE REPOSITORY"});
    for (const auto& [name, app] : apps) {
      const std::string health = app.left.empty() ? app.health : fmt::format("{}; its {} are here", app.health, fmt::join(app.left, " and "));
      table.row({{name, Tint::bold}, app.active, health, fmt::format("{}", fmt::join(app.releases, " "))});
    }
    console.print(table.render(console.colour, console.room()));
    const std::string limits = limits_text(status);
    if (table.empty() && limits.empty()) console.note("No apps, neither on the node nor in its repository.");
    else if (table.empty()) console.note(fmt::format("None of the apps that you may see is on the node or in its repository: {}.", limits));
  }
  const bool has_none = !repository && repository.error().code == Errc::not_found;  // releases come to this node as files
  if (!repository && !has_none && !console.quiet) console.warn("the repository could not be read: " + repository.error().message);
  return Exit::ok;
}

}  // namespace

Verb apps_verb() {
  return {
      .name = "apps",
      .summary = "List the apps on the node and in its repository",
      .text = "Also those that were removed and whose data or logs are on the node still: 'berth remove APP --purge' takes them away.",
      .examples = {"berth apps", "berth apps --json"},
      .exits = with_daemon_exits({}),
      .action = [](Console& console) { return on_node(console); },
  };
}

}  // namespace berth::cli
