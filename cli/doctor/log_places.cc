#include <fmt/core.h>

#include "cli/doctor/checks.h"
#include "cli/json_view.h"
#include "cli/keeper_logs.h"

namespace berth::cli::doctor {

Findings check_log_places(const Subject& subject) {
  if (!subject.status) return {{Level::ok, "logs", fmt::format("below {}; where instances write, berthd would tell", subject.paths.logs.string())}};
  Findings found;
  for (const auto& app : list_of(*subject.status, "apps"))
    for (const LogElsewhere& one : logs_elsewhere(app, subject.paths.logs, subject.root / "proc"))
      found.push_back({Level::warning, "logs", fmt::format("{} writes its log below {}, and [paths] logs is {}", one.instance, one.folder.string(), subject.paths.logs.string()),
                       "it was changed while that ran: 'berth logs' and sinks do not see what it prints", fmt::format("berth stop {0}; berth start {0}, or deploy its next release; berth logs {0} --logs {1} shows what is there", one.app, one.folder.string())});
  if (found.empty()) found.push_back({Level::ok, "logs", fmt::format("all instances write below {}", subject.paths.logs.string())});
  return found;
}

}  // namespace berth::cli::doctor
