#include "core/trust/key.h"

#include "core/crypto/sha256.h"

namespace berth::trust {
namespace {

/// A PEM key, if it is of the expected type: an RSA key listed as ECDSA is neither.
std::optional<crypto::PublicKey> pem_key(const std::string& pem, crypto::KeyType type) {
  auto key = crypto::PublicKey::from_pem(pem);
  if (!key || key->type() != type) return std::nullopt;
  return std::move(*key);
}

json::object listed_key(const char* type, const char* scheme, std::string text) {
  return {{"keytype", type}, {"scheme", scheme}, {"keyval", {{"public", std::move(text)}}}};
}

std::optional<crypto::PublicKey> ed25519_key(const std::string& hex) {
  const auto bytes = crypto::from_hex(hex);
  if (!bytes) return std::nullopt;
  auto key = crypto::PublicKey::ed25519(*bytes);
  if (!key) return std::nullopt;
  return std::move(*key);
}

}  // namespace

std::optional<crypto::PublicKey> read_key(const json::value& key) {
  json::ObjectReader reader(key, "key");
  const std::string type = reader.string("keytype");
  const std::string scheme = reader.string("scheme");
  json::value keyval = reader.members("keyval");
  json::ObjectReader inside(keyval, "keyval");
  const std::string text = inside.string("public");
  if (!reader.done(true) || !inside.done(true)) return std::nullopt;

  if (type == "ed25519" && scheme == "ed25519") return ed25519_key(text);
  // Older repositories give the scheme as the type.
  if ((type == "ecdsa" || type == "ecdsa-sha2-nistp256") && scheme == "ecdsa-sha2-nistp256") return pem_key(text, crypto::KeyType::ecdsa_p256);
  if (type == "rsa" && scheme == "rsassa-pss-sha256") return pem_key(text, crypto::KeyType::rsa);
  return std::nullopt;
}

json::object key_object(const crypto::PublicKey& key) {
  switch (key.type()) {
    case crypto::KeyType::ecdsa_p256: return listed_key("ecdsa", "ecdsa-sha2-nistp256", key.pem());
    case crypto::KeyType::rsa: return listed_key("rsa", "rsassa-pss-sha256", key.pem());
    case crypto::KeyType::ed25519: break;
  }
  return listed_key("ed25519", "ed25519", crypto::to_hex(key.bytes()));
}

std::string keyid(const json::object& key) {
  return crypto::sha256_hex(*json::canonical(key));  // a key object holds no number, so it has a canonical form
}

}  // namespace berth::trust
