#pragma once

#include <optional>
#include <string>

#include "core/crypto/keys.h"
#include "core/json/json.h"

namespace berth::trust {

/// The key that a TUF key object describes; nothing where its type, scheme or bytes are not ones berth verifies with: such a key
/// may be listed, its signatures just do not count.
std::optional<crypto::PublicKey> read_key(const json::value& key);

/// How metadata lists a key.
json::object key_object(const crypto::PublicKey& key);

/// SHA-256 over the canonical form of the whole object.
std::string keyid(const json::object& key);

}  // namespace berth::trust
