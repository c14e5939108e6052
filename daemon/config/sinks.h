#pragma once

#include <any>
#include <functional>
#include <vector>

#include "daemon/config/config.h"
#include "daemon/config/section.h"

namespace berth::config {

/// Reads each `[[sink]]`: the keys that all kinds have, and by its kind the others. A file that lies where berthd keeps its own, by `config`'s paths and the
/// files of `document`, is complained about.
void read_sinks(Document& document, const std::vector<SinkKind>& kinds, Config& config);

/// The kinds that berthd has, for whoever reads a configuration and ships nothing: `read` reads of a `[[sink]]` what it wants to know.
std::vector<SinkKind> kinds_read_by(const std::function<std::any(Section&)>& read);

}  // namespace berth::config
