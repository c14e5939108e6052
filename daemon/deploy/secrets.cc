#include <fmt/core.h>

#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {

Result<Values> resolve_secrets(const NodeFacts& node, const bundle::Manifest& manifest, bool run_commands) {
  Values values;
  if (!manifest.secrets.empty() && !node.run_in_memory)
    return fail(Errc::usage, fmt::format("{}@{}: has secrets, and {} is on a disk, where they would stay: mount a tmpfs there, or let [paths] run of "
                                         "berthd.toml be below /run, and restart berthd",
                                         manifest.app, manifest.release, node.paths.run.string()));
  for (const auto& [variable, reference] : manifest.secrets) {
    if (!run_commands && reference.starts_with("command:")) {
      values.emplace(variable, "");
      continue;
    }
    const auto value = secrets::resolve(reference, node.secret_sources);
    if (!value) return pass(value.error(), fmt::format("{}@{}: secret {} ({})", manifest.app, manifest.release, variable, reference));
    values.emplace(variable, value->view());
  }
  return values;
}

}  // namespace berth::deploy
