#pragma once

#include <vector>

#include "daemon/api/caller.h"
#include "daemon/config/config.h"

namespace berth {

/// Who of berthd.toml's clients may do what.
std::vector<api::Client> clients_of(const config::Config& config);

/// What members of which groups may do at the control socket, that of `[api] group` first. Groups that there are not are left out, and told. Blocking.
std::vector<api::Group> groups_of(const config::Config& config);

}  // namespace berth
