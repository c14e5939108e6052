#pragma once

#include <string>
#include <string_view>

#include "core/crypto/secret.h"
#include "core/result.h"

namespace berth::crypto {

/// Opens a DER EncryptedPrivateKeyInfo (PKCS#8 with PBES2, RFC 8018: PBKDF2 with HMAC, AES-CBC), as `openssl pkcs8 -topk8` makes it.
/// Fails with `Errc::usage` on a wrong passphrase, on damage and on other ways of encryption.
Result<Secret> decrypt_key(std::string_view der, std::string_view passphrase);

/// The same with HMAC-SHA256 and AES-256.
std::string encrypt_key(std::string_view pkcs8, std::string_view passphrase);

}  // namespace berth::crypto
