#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::ship {

/// `content` as a gzip file, compressed fast rather than small. Fails where there is no memory.
Result<std::string> gzip(std::string_view content);

}  // namespace berth::ship
