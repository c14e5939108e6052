#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto/keys.h"
#include "core/json/json.h"
#include "core/trust/time.h"

namespace berth::trust {

/// What a publisher writes: the members every role has, of a new role in version 0 (`renew` makes it 1).
json::object role_document(std::string_view type);

/// Raises the version and sets when it expires.
void renew(json::object& document, WallTime expires);

/// A root document that lists one key a role, with threshold 1, and asks for consistent snapshots.
json::object root_document(const std::map<std::string, crypto::PublicKey>& keys);

/// The metadata file: `document` with a signature of each key over its canonical form.
std::string signed_file(const json::object& document, const std::vector<const crypto::SigningKey*>& keys);

/// What snapshot and timestamp list of a metadata file: version, length and SHA-256.
json::object listing_of(std::string_view bytes, const json::object& document);

}  // namespace berth::trust
