#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/publishing.h"
#include "cli/verbs.h"
#include "core/publish/build_store.h"
#include "core/publish/commit.h"

namespace berth::cli {
namespace {

Result<Exit> list(const Console& console, const std::string& app) {
  BERTH_TRY(const auto store, publish::BuildStore::of_user());
  std::vector<Error> passed_over;
  BERTH_TRY(auto builds, store.list(&passed_over));
  if (!app.empty()) std::erase_if(builds, [&](const publish::Build& build) { return build.spec.app != app; });
  if (!app.empty() && builds.empty())
    return fail(Errc::not_found, fmt::format("no builds of {} in {}; make one: berth build SOURCE", app, store.folder().string()));
  const auto is_latest = [&](const publish::Build& build) {
    const auto latest = store.latest(build.spec.app);
    return latest && latest->ref.digest == build.ref.digest;
  };
  for (const Error& error : passed_over) console.warn(error.message);

  if (console.json) {
    boost::json::array all;
    for (const publish::Build& build : builds) {
      auto told = build_json(build);
      told["latest"] = is_latest(build);
      all.push_back(std::move(told));
    }
    console.document(boost::json::object{{"builds", std::move(all)}, {"store", store.folder().string()}});
    return Exit::ok;
  }
  const auto now = std::chrono::system_clock::now();
  Table table({"BUILD", "APP", "VERSION", "PLATFORM", "COMMIT", "SIZE", "AGE", "NOTE"});
  for (const publish::Build& build : builds)
    table.row({publish::short_digest(build.ref.digest), build.spec.app, build.ref.version, build.platform, publish::short_commit(build.commit),
               bytes_text(build.ref.layer.blob.size), since_text(build.created, now), is_latest(build) ? "latest" : ""});
  if (table.empty()) {
    console.note(fmt::format("no builds in {}; make one: berth build SOURCE", store.folder().string()));
  } else {
    console.print(table.render(console.colour, console.room()));
    console.note(fmt::format("in {}", store.folder().string()));
  }
  return Exit::ok;
}

}  // namespace

Verb builds_verb() {
  auto name = std::make_shared<std::string>();
  return {
      .name = "builds",
      .summary = "List the builds in the local store",
      .text = "Old builds are kept; each is a folder of its own below builds/ in the store, and may be removed by hand.",
      .examples = {"berth builds", "berth builds web --json"},
      .exits = {Exit::failed, Exit::not_found},
      .arguments = {{"APP", "of this app only", name.get(), Completes::built_app, false}},
      .action = [name](Console& console) -> Result<Exit> {
        if (name->empty()) return list(console, "");
        BERTH_TRY(const auto app, app_argument(*name, "builds"));
        return list(console, app);
      },
  };
}

}  // namespace berth::cli
