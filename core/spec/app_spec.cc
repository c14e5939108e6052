#include "core/spec/app_spec.h"

#include <algorithm>

namespace berth::spec {

Strategy AppSpec::strategy() const {
  if (deploy.strategy) return *deploy.strategy;
  const bool switchable = std::ranges::all_of(
      processes, [](const auto& process) { return process.second.public_port == 0 || process.second.routing != Routing::none; });
  return switchable ? Strategy::blue_green : Strategy::recreate;
}

}  // namespace berth::spec
