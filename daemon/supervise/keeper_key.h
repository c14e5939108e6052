#pragma once

#include <string>

#include "core/crypto/sha256.h"
#include "core/ids.h"

namespace berth::supervise {

/// The first 16 hex digits of SHA-256 of the id: `sun_path` has room for 108 bytes.
inline std::string keeper_key(const InstanceId& id) { return crypto::sha256_hex(to_string(id)).substr(0, 16); }

}  // namespace berth::supervise
