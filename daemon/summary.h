#pragma once

#include <string>
#include <vector>

#include "daemon/deploy/deployer.h"

namespace berth {

/// "3 of 4 apps well: web is down", as systemd shows it.
std::string summary(const std::vector<deploy::AppStatus>& apps);

}  // namespace berth
