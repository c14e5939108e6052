#pragma once

#include <string>
#include <string_view>

#include "core/crypto/keys.h"
#include "core/crypto/secret.h"
#include "core/result.h"

namespace berth::crypto {

/// A new P-256 or RSA key (3072 bits), as DER PKCS#8.
Secret generate_private_key(KeyType type);

/// Reads a key in PEM form "EC PRIVATE KEY" (SEC1) or "RSA PRIVATE KEY" (PKCS#1), with the passphrase it was encrypted with, if any,
/// and gives it as DER PKCS#8. Fails with `Errc::usage`.
Result<Secret> read_older_pem(std::string_view pem, std::string_view passphrase);

/// The public half of a P-256 or RSA key in DER PKCS#8. Fails with `Errc::usage` on damaged ones, other curves, kinds and sizes.
Result<PublicKey> public_half(std::string_view pkcs8);

/// Signs with a key that `public_half` accepted: ECDSA in DER, or RSA-PSS with MGF1 and a salt of 32 bytes, over SHA-256.
std::string sign_with(std::string_view pkcs8, std::string_view message);

}  // namespace berth::crypto
