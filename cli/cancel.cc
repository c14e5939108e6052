#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/deployment.h"
#include "cli/verbs.h"

namespace berth::cli {

Verb cancel_verb() {
  auto id = std::make_shared<std::optional<std::int64_t>>();
  return {
      .name = "cancel",
      .summary = "Cancel a deployment before its decision",
      .text = "After the decision there is nothing to cancel: 'berth revert' goes back.",
      .examples = {"berth cancel 7"},
      .exits = with_daemon_exits({Exit::not_found, Exit::conflict}),
      .arguments = {{"ID", "the deployment's number; 'berth status' and 'berth history' show it", id.get()}},
      .action = [id](Console& console) -> Result<Exit> {
        if (!*id) return fail(Errc::usage, "berth cancel: ID is missing; 'berth history' lists deployments");
        BERTH_TRY(const auto answer, ApiClient(console.socket).post(fmt::format("/v1/deployments/{}/cancel", **id), {}, kLongCall));
        if (console.json) console.document(answer);
        console.note(fmt::format("Deployment {} is cancelled.", **id));
        return Exit::ok;
      },
  };
}

}  // namespace berth::cli
