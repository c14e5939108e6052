#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::spec {

/// "1MB" (a million bytes), "64KiB" (65,536), "512B", and the same with G → bytes. Fails with `Errc::usage` on anything else, and over 1 TB.
Result<std::uint64_t> parse_size(std::string_view text);

}  // namespace berth::spec
