#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto/keys.h"
#include "core/json/json.h"
#include "core/result.h"

namespace berth::trust {

struct Signature {
  std::string keyid;
  std::string bytes;  ///< empty where the text was no hex
};

/// A metadata file as received, opened but not yet believed.
struct Envelope {
  json::value content;                ///< the member `signed`, whole
  std::string signed_bytes;           ///< its canonical form, which the signatures cover
  std::vector<Signature> signatures;  ///< keyids are distinct
};

/// Opens a file. `where` stands in front of complaints. Fails with `Errc::trust` where it is not JSON in the strict sense, has no
/// signatures member, or names a key twice among its signatures.
Result<Envelope> open_envelope(std::string_view bytes, std::string_view where);

/// The keys of a role: any `threshold` of them must have signed.
struct RoleKeys {
  std::map<std::string, crypto::PublicKey> keys;  ///< by keyid; only those the role may use and that berth can use
  std::int64_t threshold = 1;
};

/// Ids of the role's keys that made a right signature. A key that has two ids is there once.
std::vector<std::string> signers_of(const Envelope& envelope, const RoleKeys& role);

/// "key 1f2e3d4c5b6a": the first digits of its id, for messages.
std::string short_keyid(std::string_view keyid);

/// Fails with `Errc::trust` unless at least `role.threshold` different keys of the role made a right signature. Signatures of others,
/// wrong ones and garbage do not count, and do no harm. The message names the keys that did not sign it, or not rightly.
Result<void> verify(const Envelope& envelope, const RoleKeys& role, std::string_view where);

}  // namespace berth::trust
