#pragma once

#include <mbedtls/ssl.h>

#include "core/result.h"

namespace berth::io {

/// Makes `config` one for an end of kind `endpoint` (MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_IS_SERVER) that speaks TLS 1.2 alone, with forward secrecy and
/// authenticated encryption, and does not negotiate again. The defaults of mbedTLS 2.28 would negotiate TLS 1.0, CBC and SHA-1.
Result<void> set_tls_rules(mbedtls_ssl_config& config, int endpoint);

/// Curves whose handshake does not hold an event loop up.
inline constexpr mbedtls_ecp_group_id kQuickCurves[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};

}  // namespace berth::io
