#include "core/trust/sign_file.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/trust/key.h"
#include "core/trust/metadata.h"
#include "core/trust/verify.h"

namespace berth::trust {

Result<SignedAgain> sign_again(std::string_view bytes, std::string_view where, const std::vector<std::shared_ptr<const Signer>>& signers,
                               const RoleKeys* role) {
  BERTH_TRY(const Envelope envelope, open_envelope(bytes, where));
  std::map<std::string, std::string> signatures;
  for (const Signature& signature : envelope.signatures) signatures[signature.keyid] = crypto::to_hex(signature.bytes);

  json::ObjectReader reader(envelope.content, std::string(where));
  SignedAgain done{.type = reader.string("_type"), .version = reader.integer("version", 1)};
  const std::string expires = reader.string("expires");
  BERTH_CHECK(reader.done(true));
  BERTH_TRY(done.expires, parse_time(expires));
  std::optional<RoleKeys> own;
  if (done.type == "root") {
    BERTH_TRY(const Root root, parse_root(envelope.content, where));
    own = root.root;
  }
  const RoleKeys* may_sign = own ? &*own : role;
  for (const auto& signer : signers) {
    const auto is_its = [&](const auto& listed) { return listed.second == signer->public_key(); };
    if (may_sign != nullptr && std::ranges::none_of(may_sign->keys, is_its)) done.strange.push_back(keyid(key_object(signer->public_key())));
    BERTH_TRY(const std::string signature, signer->sign(envelope.signed_bytes));
    signatures[keyid(key_object(signer->public_key()))] = crypto::to_hex(signature);
  }
  json::array listed;
  for (const auto& [id, hex] : signatures) listed.emplace_back(json::object{{"keyid", id}, {"sig", hex}});
  done.signatures = signatures.size();
  done.bytes = json::text(json::object{{"signatures", std::move(listed)}, {"signed", envelope.content}});
  return done;
}

}  // namespace berth::trust
