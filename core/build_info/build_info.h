#pragma once

#include <string>

namespace berth {

/// The source that this was built from, as packaging/version.sh calls it: "0.1.0~541.g1a2b3c4".
const char* source_version();

/// What `--version` tells: "berthd 0.1.0", and on a second line what it was built from, by which compiler and for what.
std::string version_text(const std::string& program);

}  // namespace berth
