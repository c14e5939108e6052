#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {

Verb gc_verb() {
  auto name = std::make_shared<std::string>();
  return {
      .name = "gc",
      .summary = "Remove releases and set-aside data from the node that nothing needs",
      .text = "What is active, previous, pinned or in use stays, and so do the newest few ([store] keep_releases). Data that a revert set aside go, and so do "
              "releases that were loaded from a file and are in no slot ('berth import' loads them again). Without APP, what came of downloads that broke off goes, "
              "too.",
      .examples = {"berth gc", "berth gc web"},
      .exits = with_daemon_exits({Exit::not_found}),
      .arguments = {{"APP", "of this app only", name.get(), Completes::app, false}},
      .action = [name](Console& console) -> Result<Exit> {
        json::object body;
        if (!name->empty()) {
          BERTH_TRY(const auto app, app_argument(*name, "gc"));
          body["app"] = app;
        }
        BERTH_TRY(const auto answer, ApiClient(console).post("/v1/gc", std::move(body), kLongCall));
        if (console.json) {
          console.document(answer);
          return Exit::ok;
        }
        Table table({"REMOVED", "SIZE"});
        std::uint64_t bytes = 0;
        for (const auto& one : list_of(answer, "removed")) {
          const auto size = static_cast<std::uint64_t>(number_of(one, "bytes"));
          bytes += size;
          table.row({text_of(one, "app") + "@" + text_of(one, "release"), bytes_text(size)});
        }
        for (const auto& one : list_of(answer, "data")) {
          const auto size = static_cast<std::uint64_t>(number_of(one, "bytes"));
          bytes += size;
          table.row({fmt::format("{}/{}, data of {}", text_of(one, "app"), text_of(one, "folder"), text_of(one, "release")), bytes_text(size)});
        }
        for (const auto& one : list_of(answer, "imports")) {
          const auto size = static_cast<std::uint64_t>(number_of(one, "bytes"));
          bytes += size;
          table.row({fmt::format("{}@{}, loaded from a file", text_of(one, "app"), text_of(one, "release")), bytes_text(size)});
        }
        const auto* partial = member(answer, "partial");
        if (const auto blobs = partial == nullptr ? 0 : number_of(*partial, "blobs"); blobs > 0) {
          const auto size = static_cast<std::uint64_t>(number_of(*partial, "bytes"));
          bytes += size;
          table.row({fmt::format("{} download{} that broke off", blobs, blobs == 1 ? "" : "s"), bytes_text(size)});
        }
        if (!console.quiet) console.print(table.render(console.colour, 0));
        console.note(table.empty() ? "Nothing to remove." : fmt::format("{} freed.", bytes_text(bytes)));
        return Exit::ok;
      },
  };
}

}  // namespace berth::cli
