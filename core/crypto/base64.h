#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::crypto {

/// RFC 4648, with padding, in one line.
std::string to_base64(std::string_view bytes);
/// Fails with `Errc::protocol` on anything else, without showing it.
Result<std::string> from_base64(std::string_view text);

}  // namespace berth::crypto
