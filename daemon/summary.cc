#include "daemon/summary.h"

#include <algorithm>

#include <fmt/core.h>

namespace berth {

std::string summary(const std::vector<deploy::AppStatus>& apps) {
  const auto well = std::ranges::count_if(apps, [](const deploy::AppStatus& app) { return app.health == "healthy" || app.health == "stopped"; });
  std::string troubled;
  for (const auto& app : apps)
    if (app.health == "degraded" || app.health == "down") troubled += fmt::format("{}{} is {}", troubled.empty() ? ": " : ", ", app.row.app, app.health);
  return fmt::format("{} of {} apps well{}", well, apps.size(), troubled);
}

}  // namespace berth
