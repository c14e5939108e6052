#include "core/trust/verify.h"

#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/trust/limits.h"

namespace berth::trust {
namespace {

/// A signature that is no hex stays as an empty one: it does not count, but its file may still be right.
Result<Signature> read_signature(const json::value& listed, std::string_view where) {
  json::ObjectReader reader(listed, fmt::format("{}: signature", where));
  Signature signature{.keyid = reader.string("keyid"), .bytes = crypto::from_hex(reader.string("sig")).value_or("")};
  BERTH_CHECK(reader.done(true));
  return signature;
}

constexpr std::size_t kMostNamed = 4;

/// "key 1f2e3d4c5b6a, key 0a1b2c3d4e5f and 3 more"
std::string some_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMostNamed); ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kMostNamed) text += fmt::format(" and {} more", names.size() - kMostNamed);
  return text;
}

/// Why signatures are too few: keys whose signature is missing, or is there and wrong, and signatures of keys that are not the role's.
std::string shortcomings(const Envelope& envelope, const RoleKeys& role) {
  std::vector<std::string> missing, wrong, strange;
  for (const auto& [id, key] : role.keys) {
    const auto signature = std::ranges::find(envelope.signatures, id, &Signature::keyid);
    if (signature == envelope.signatures.end()) missing.push_back(short_keyid(id));
    else if (!key.verifies(envelope.signed_bytes, signature->bytes)) wrong.push_back(short_keyid(id));
  }
  for (const Signature& signature : envelope.signatures)
    if (!role.keys.contains(signature.keyid)) strange.push_back(short_keyid(signature.keyid));
  std::string text;
  if (!wrong.empty()) text += fmt::format("; forged or damaged: the signature by {} is wrong", some_of(wrong));
  if (!missing.empty()) text += fmt::format("; not signed by {}", some_of(missing));
  if (!strange.empty()) text += fmt::format("; signed by {}, not of this role, or no more", some_of(strange));
  return text;
}

}  // namespace

std::string short_keyid(std::string_view keyid) {
  std::string text(keyid.substr(0, 12));
  std::ranges::replace_if(text, [](unsigned char c) { return std::isalnum(c) == 0; }, '?');  // it may be anybody's
  return "key " + text;
}

Result<Envelope> open_envelope(std::string_view bytes, std::string_view where) {
  auto file = json::parse(bytes, {.most_bytes = kMostMetadata});
  if (!file) return fail(Errc::trust, fmt::format("{}: {}", where, file.error().message));

  json::ObjectReader reader(*file, std::string(where));
  Envelope envelope;
  for (const json::value& listed : reader.list("signatures")) {
    BERTH_TRY(Signature signature, read_signature(listed, where));
    if (std::ranges::find(envelope.signatures, signature.keyid, &Signature::keyid) != envelope.signatures.end())
      return fail(Errc::trust, fmt::format("{}: two signatures of one key, {}", where, signature.keyid));
    envelope.signatures.push_back(std::move(signature));
  }
  reader.members("signed");
  BERTH_CHECK(reader.done(true));

  envelope.content = std::move(file->get_object()["signed"]);
  BERTH_TRY(envelope.signed_bytes, json::canonical(envelope.content));
  return envelope;
}

std::vector<std::string> signers_of(const Envelope& envelope, const RoleKeys& role) {
  std::vector<std::string> signers;
  // Keys are told apart by themselves, not by keyid: one key under two names must not reach a threshold of two.
  std::set<std::string_view> seen;
  for (const Signature& signature : envelope.signatures) {
    const auto key = role.keys.find(signature.keyid);
    if (key == role.keys.end() || !key->second.verifies(envelope.signed_bytes, signature.bytes)) continue;
    if (seen.insert(key->second.bytes()).second) signers.push_back(signature.keyid);
  }
  return signers;
}

Result<void> verify(const Envelope& envelope, const RoleKeys& role, std::string_view where) {
  const auto signers = signers_of(envelope, role);
  if (static_cast<std::int64_t>(signers.size()) >= role.threshold) return {};
  return fail(Errc::trust, fmt::format("{}: {} of its role's {} keys signed it rightly, {} must{}", where, signers.size(), role.keys.size(), role.threshold,
                                       shortcomings(envelope, role)));
}

}  // namespace berth::trust
