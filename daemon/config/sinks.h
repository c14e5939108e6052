#pragma once

#include <vector>

#include "daemon/config/config.h"
#include "daemon/config/section.h"

namespace berth::config {

/// Reads each `[[sink]]`: the keys that all kinds have, and by its kind the others.
void read_sinks(Document& document, const std::vector<SinkKind>& kinds, std::vector<Sink>& sinks);

}  // namespace berth::config
