#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/crypto/secret.h"
#include "core/result.h"

namespace berth::ship {

/// The key that a webhook's secret stands for: what is behind `whsec_` as base64, as Standard Webhooks writes secrets, or any other text as it is. Fails with
/// `Errc::usage` for one that is empty or no base64, without showing it.
Result<crypto::Secret> signing_key(std::string_view secret);

/// What goes into the header `webhook-signature` (Standard Webhooks 1.0.0, "Signature scheme"): `v1,` and the HMAC-SHA256 of `id.timestamp.body`.
/// `timestamp`: in seconds since 1970.
std::string webhook_signature(const crypto::Secret& key, std::string_view id, std::int64_t timestamp, std::string_view body);

}  // namespace berth::ship
