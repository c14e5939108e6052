#pragma once

#include <vector>

#include "daemon/api/caller.h"
#include "daemon/config/config.h"

namespace berth {

/// Who of berthd.toml's clients may do what.
std::vector<api::Client> clients_of(const config::Config& config);

}  // namespace berth
