#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::crypto {

/// `der` as PEM (RFC 7468) under `label`, such as "PUBLIC KEY".
std::string to_pem(std::string_view label, std::string_view der);

/// The bytes of the first block called `label` in `text`. Fails with `Errc::protocol`.
Result<std::string> from_pem(std::string_view label, std::string_view text);

}  // namespace berth::crypto
