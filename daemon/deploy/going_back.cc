#include "daemon/deploy/going_back.h"

#include <algorithm>

#include <fmt/core.h>

namespace berth::deploy {
namespace {

constexpr int kMostLookedThrough = 1000;  ///< deployments of an app

}  // namespace

Result<std::optional<store::Rejected>> rejected_before(store::Store& store, const std::string& app, const std::string& active) {
  BERTH_TRY(const auto rejected, store.rejected(app));
  BERTH_TRY(const auto deployments, store.deployments(app, kMostLookedThrough));
  for (const auto& one : rejected) {
    const auto of_it = [&](const store::DeploymentRow& row) { return row.release == one.release && store::was_active(row); };
    if (one.release == active || std::ranges::none_of(deployments, of_it)) continue;
    BERTH_TRY(const auto slot, store.slot(app, one.release));
    if (slot) return std::optional(one);
  }
  return std::optional<store::Rejected>();
}

Error missing_release(store::Store& store, const std::string& app, const std::string& release) {
  const auto rejected = store.rejected(app);
  if (!rejected) return rejected.error();
  const auto found = std::ranges::find(*rejected, release, &store::Rejected::release);
  if (found == rejected->end())
    return {Errc::not_found, fmt::format("{0}@{1} is not on this node; 'berth releases {0}' lists what is, 'berth deploy {0}@{1}' fetches it", app, release)};
  return {Errc::not_found, fmt::format("{0}@{1} is not on this node, and is rejected here ({2}); 'berth releases {0}' lists what there is, 'berth deploy {0}@{1} --force' fetches it all the same",
                                       app, release, found->reason)};
}

}  // namespace berth::deploy
