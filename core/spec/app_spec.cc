#include "core/spec/app_spec.h"

#include <algorithm>

#include "core/spec/words.h"

namespace berth::spec {

Strategy AppSpec::strategy() const {
  if (deploy.strategy) return *deploy.strategy;
  const bool switchable = std::ranges::all_of(
      processes, [](const auto& process) { return process.second.public_port == 0 || process.second.routing != Routing::none; });
  return switchable ? Strategy::blue_green : Strategy::recreate;
}

bool is_notified(const Process& process) {
  const auto asks = [](const std::optional<Probe>& probe) { return probe && probe->kind == ProbeKind::notify; };
  return asks(process.startup) || asks(process.readiness) || asks(process.liveness);
}

std::optional<milliseconds> watchdog_of(const Process& process) {
  if (!process.liveness || process.liveness->kind != ProbeKind::notify) return std::nullopt;
  return process.liveness->period * process.liveness->failure_threshold;
}

std::span<const std::string_view> hook_names() { return kHooks; }

bool is_hook_name(std::string_view name) { return std::ranges::find(kHooks, name) != kHooks.end(); }

Root root_of_hooks(const AppSpec& spec) {
  const auto in_image = [](const auto& process) { return process.second.root == Root::image; };
  return !spec.processes.empty() && std::ranges::all_of(spec.processes, in_image) ? Root::image : Root::node;
}

}  // namespace berth::spec
