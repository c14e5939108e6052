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

std::span<const std::string_view> hook_names() { return kHooks; }

bool is_hook_name(std::string_view name) { return std::ranges::find(kHooks, name) != kHooks.end(); }

Root root_of_hooks(const AppSpec& spec) {
  const auto in_image = [](const auto& process) { return process.second.root == Root::image; };
  return !spec.processes.empty() && std::ranges::all_of(spec.processes, in_image) ? Root::image : Root::node;
}

}  // namespace berth::spec
