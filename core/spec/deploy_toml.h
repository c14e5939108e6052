#pragma once

#include "core/spec/deploy.h"
#include "core/spec/toml_table.h"

namespace berth::spec {

/// Reads `[deploy]`; what is wrong with it is complained of in its place.
Deploy read_deploy(TomlTable table);

}  // namespace berth::spec
