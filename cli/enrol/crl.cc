#include "cli/enrol/crl.h"

#include <mbedtls/pk.h>
#include <mbedtls/sha1.h>

#include "cli/enrol/mbedtls_parts.h"
#include "cli/enrol/signed_der.h"
#include "core/crypto/der.h"
#include "core/trust/time.h"

namespace berth::cli::enrol {
namespace {

using crypto::der_item;
using crypto::kSequence;

constexpr std::string_view kReasonCode = "\x55\x1d\x15";      // id-ce-cRLReasons
constexpr std::string_view kReasonEnumerated = "\x0a\x01";    // ENUMERATED, one byte
constexpr int kIntegerTag = 0x02, kOctetStringTag = 0x04, kOidTag = 0x06, kUtcTimeTag = 0x17, kGeneralizedTimeTag = 0x18, kExtensionsTag = 0xa0, kKeyIdentifierTag = 0x80;

std::string_view text_at(const unsigned char* bytes, std::size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

/// UTCTime until 2049, GeneralizedTime after that (RFC 5280, 4.1.2.5).
std::string time_item(Clock::time_point at) {
  std::string digits;
  for (const char c : trust::to_string(at))
    if (c >= '0' && c <= '9') digits += c;
  if (digits < "2050") return der_item(kUtcTimeTag, digits.substr(2) + "Z");
  return der_item(kGeneralizedTimeTag, digits + "Z");
}

/// A number from 0, by its bytes.
std::string integer_item(std::string bytes) {
  bytes.erase(0, std::min(bytes.find_first_not_of('\0'), bytes.size() - 1));
  if ((static_cast<unsigned char>(bytes.front()) & 0x80) != 0) bytes.insert(0, 1, '\0');
  return der_item(kIntegerTag, bytes);
}

std::string number_item(std::uint64_t number) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(number >> (8 * (bytes.size() - 1 - i)));
  return integer_item(bytes);
}

Result<std::string> serial_item(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  if (bytes.empty()) return fail(Errc::internal, fmt::format("'{}' is no serial number", hex));
  return integer_item(bytes);
}

std::string extension(std::string_view which, std::string_view value) { return der_item(kSequence, der_item(kOidTag, which) + der_item(kOctetStringTag, value)); }

Result<std::string> entry_of(const Issued& one) {
  BERTH_TRY(std::string entry, serial_item(one.serial));
  entry += time_item(one.revoked->at);
  if (one.revoked->reason != Reason::unspecified)  // which is to be said by saying nothing
    entry += der_item(kSequence, extension(kReasonCode, std::string(kReasonEnumerated) + static_cast<char>(one.revoked->reason)));
  return der_item(kSequence, entry);
}

/// The key identifier of the authority, as its certificate has it: the SHA-1 of its public key.
Result<std::string> key_identifier(io::PrivateKey& key) {
  unsigned char bytes[2048], hash[20];
  unsigned char* at = bytes + sizeof bytes;  // mbedTLS writes towards the front
  const int size = mbedtls_pk_write_pubkey(&at, bytes, key.get());
  BERTH_CHECK(done(size, "the authority's public key"));
  BERTH_CHECK(done(mbedtls_sha1_ret(at, static_cast<std::size_t>(size), hash), "the authority's key identifier"));
  return std::string(text_at(hash, sizeof hash));
}

}  // namespace

Result<std::string> make_crl(const CrlContent& content, const io::Certificates& authority, io::PrivateKey& key) {
  BERTH_TRY(const std::string algorithm, algorithm_of(key));
  BERTH_TRY(const std::string identifier, key_identifier(key));
  std::string entries;
  for (const Issued& one : content.revoked) {
    BERTH_TRY(const std::string entry, entry_of(one));
    entries += entry;
  }
  const auto& issuer = authority.get()->subject_raw;
  std::string list = crypto::der_integer(1) + algorithm + std::string(text_at(issuer.p, issuer.len)) + time_item(content.at) + time_item(content.next);  // 1 is v2
  if (!entries.empty()) list += der_item(kSequence, entries);  // which has to be absent where nothing is in it
  list += der_item(kExtensionsTag, der_item(kSequence, extension(oid(MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER), der_item(kSequence, der_item(kKeyIdentifierTag, identifier))) +
                                                        extension(oid(MBEDTLS_OID_CRL_NUMBER), number_item(content.number))));
  list = der_item(kSequence, list);
  BERTH_TRY(const std::string signed_list, sign_der(list, key));
  return to_pem("X509 CRL", signed_list);
}

}  // namespace berth::cli::enrol
