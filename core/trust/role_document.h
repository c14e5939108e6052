#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto/keys.h"
#include "core/json/json.h"
#include "core/trust/keyring.h"
#include "core/trust/time.h"

namespace berth::trust {

/// What a publisher writes: the members every role has, of a new role in version 0 (`renew` makes it 1).
json::object role_document(std::string_view type);

/// Raises the version and sets when it expires.
void renew(json::object& document, WallTime expires);

/// The version of a document.
std::int64_t version_of(const json::object& document);

/// The keys of a role as a root or a delegation is going to list them.
struct ListedKeys {
  std::vector<crypto::PublicKey> keys;
  std::int64_t threshold = 1;
};

/// A root document that lists each role's keys, and asks for consistent snapshots.
json::object root_document(const std::map<std::string, ListedKeys>& roles);

/// Puts a key among `keys`, an object by keyid, and gives its keyid.
std::string list_key(json::object& keys, const crypto::PublicKey& key);

/// Takes the keys away that no role of a root, or of a targets role's delegations, uses any more.
void drop_unused_keys(json::object& keys_and_roles);

/// The metadata file: `document` with a signature of each signer over its canonical form. Fails as a signer does, and with
/// `Errc::usage` where it would be longer than clients take (limits.h).
Result<std::string> signed_file(const json::object& document, const std::vector<RoleSigner>& signers);

/// What snapshot and timestamp list of a metadata file: version, length and SHA-256.
json::object listing_of(std::string_view bytes, const json::object& document);

}  // namespace berth::trust
