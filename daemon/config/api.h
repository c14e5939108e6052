#pragma once

#include "daemon/config/config.h"
#include "daemon/config/section.h"

namespace berth::config {

/// Reads `[api]` and each `[[api.client]]`.
void read_api(Document& document, Config& config);

}  // namespace berth::config
