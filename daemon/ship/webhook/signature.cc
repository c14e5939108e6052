#include "daemon/ship/webhook/signature.h"

#include <fmt/core.h>

#include "core/crypto/base64.h"
#include "core/crypto/hmac.h"

namespace berth::ship {

Result<crypto::Secret> signing_key(std::string_view secret) {
  constexpr std::string_view kPrefix = "whsec_";
  if (!secret.starts_with(kPrefix)) {
    if (secret.empty()) return fail(Errc::usage, "it is empty");
    return crypto::Secret(std::string(secret));
  }
  auto key = crypto::from_base64(secret.substr(kPrefix.size()));
  if (!key || key->empty()) return fail(Errc::usage, "behind its 'whsec_' is no base64");
  return crypto::Secret(std::move(*key));
}

std::string webhook_signature(const crypto::Secret& key, std::string_view id, std::int64_t timestamp, std::string_view body) {
  return "v1," + crypto::to_base64(crypto::hmac_sha256(key.view(), fmt::format("{}.{}.{}", id, timestamp, body)));
}

}  // namespace berth::ship
