#include "cli/enrol/request.h"

#include <array>

#include <mbedtls/ecp.h>
#include <mbedtls/rsa.h>

#include "cli/enrol/mbedtls_parts.h"
#include "cli/enrol/signed_der.h"
#include "core/crypto/der.h"
#include "core/io/tls_random.h"

namespace berth::cli::enrol {
namespace {

constexpr std::size_t kFewestRsaBits = 2048;
constexpr int kOid = 0x06, kBoolean = 0x01, kOctets = 0x04, kSet = 0x31, kAttributes = 0xa0;

struct RequestWriting {
  RequestWriting() { mbedtls_x509write_csr_init(&csr); }
  ~RequestWriting() { mbedtls_x509write_csr_free(&csr); }
  RequestWriting(const RequestWriting&) = delete;
  RequestWriting& operator=(const RequestWriting&) = delete;
  mbedtls_x509write_csr csr;
};

struct ParsedRequest {
  ParsedRequest() { mbedtls_x509_csr_init(&csr); }
  ~ParsedRequest() { mbedtls_x509_csr_free(&csr); }
  ParsedRequest(const ParsedRequest&) = delete;
  ParsedRequest& operator=(const ParsedRequest&) = delete;
  mbedtls_x509_csr csr;
};

bool is_believed(mbedtls_pk_context& key) {
  if (mbedtls_pk_get_type(&key) == MBEDTLS_PK_RSA) return mbedtls_pk_get_bitlen(&key) >= kFewestRsaBits;
  if (mbedtls_pk_get_type(&key) != MBEDTLS_PK_ECKEY) return false;
  const auto curve = mbedtls_pk_ec(key)->grp.id;
  return curve == MBEDTLS_ECP_DP_SECP256R1 || curve == MBEDTLS_ECP_DP_SECP384R1;
}

/// Whoever asks has the key.
bool is_signed_by_itself(mbedtls_x509_csr& csr) {
  const auto* kind = mbedtls_md_info_from_type(csr.sig_md);
  std::array<unsigned char, MBEDTLS_MD_MAX_SIZE> hash{};
  if (kind == nullptr || mbedtls_md(kind, csr.cri.p, csr.cri.len, hash.data()) != 0) return false;
  return mbedtls_pk_verify_ext(csr.sig_pk, csr.sig_opts, &csr.pk, csr.sig_md, hash.data(), mbedtls_md_get_size(kind), csr.sig.p, csr.sig.len) == 0;
}

/// The names among the extensions that it asks for (RFC 2986, 4.1; RFC 2985, 5.4.2). mbedTLS 2.28 reads none of them.
std::vector<Name> names_asked_for(std::string_view information) {
  crypto::DerReader outer(information);
  crypto::DerReader parts(outer.take(crypto::kSequence));
  parts.take_integer();              // version
  parts.take(crypto::kSequence);     // subject
  parts.take(crypto::kSequence);     // public key
  crypto::DerReader attributes(parts.take(kAttributes));
  while (parts.right() && attributes.right() && !attributes.at_end()) {
    crypto::DerReader attribute(attributes.take(crypto::kSequence));
    if (attribute.take(kOid) != oid(MBEDTLS_OID_PKCS9_CSR_EXT_REQ)) continue;
    crypto::DerReader values(attribute.take(kSet));
    crypto::DerReader extensions(values.take(crypto::kSequence));
    while (values.right() && extensions.right() && !extensions.at_end()) {
      crypto::DerReader extension(extensions.take(crypto::kSequence));
      const std::string_view which = extension.take(kOid);
      if (extension.next_is(kBoolean)) extension.take(kBoolean);
      const std::string_view value = extension.take(kOctets);
      if (extension.right() && which == oid(MBEDTLS_OID_SUBJECT_ALT_NAME)) return from_der(value);
    }
  }
  return {};
}

}  // namespace

Result<std::string> make_request(const std::string& key_file, const std::vector<Name>& names) {
  io::PrivateKey key;
  BERTH_CHECK(key.load(key_file));
  RequestWriting writing;
  mbedtls_x509write_csr_set_key(&writing.csr, key.get());
  mbedtls_x509write_csr_set_md_alg(&writing.csr, MBEDTLS_MD_SHA256);
  const std::string subject = "CN=" + common_name(names);
  BERTH_CHECK(done(mbedtls_x509write_csr_set_subject_name(&writing.csr, subject.c_str()), "the request's subject"));
  BERTH_CHECK(done(mbedtls_x509write_csr_set_key_usage(&writing.csr, MBEDTLS_X509_KU_DIGITAL_SIGNATURE), "the request's key usage"));
  if (!names.empty()) {
    const std::string der = to_der(names);
    const auto which = oid(MBEDTLS_OID_SUBJECT_ALT_NAME);
    BERTH_CHECK(done(mbedtls_x509write_csr_set_extension(&writing.csr, which.data(), which.size(), bytes_of(der), der.size()), "the request's names"));
  }
  std::string der(kMostDer, '\0');
  const int size = mbedtls_x509write_csr_der(&writing.csr, reinterpret_cast<unsigned char*>(der.data()), der.size(), io::random_for_tls, nullptr);
  BERTH_CHECK(done(size, "sign the request"));
  BERTH_TRY(const std::string anew, sign_request_anew(std::string_view(der).substr(der.size() - static_cast<std::size_t>(size)), key));  // it writes towards the front
  return to_pem("CERTIFICATE REQUEST", anew);
}

Result<Request> read_request(const std::string& pem, const std::string& file) {
  ParsedRequest parsed;
  if (const int failed = mbedtls_x509_csr_parse(&parsed.csr, bytes_of(pem), pem.size() + 1); failed != 0)  // with its NUL, as mbedTLS wants it of PEM
    return fail(Errc::usage, fmt::format("{}: no certificate request can be read from it: {}", file, io::tls_error(failed)));
  if (!is_believed(parsed.csr.pk)) return fail(Errc::usage, fmt::format("{}: its key is none that nodes believe: make one with ECDSA (P-256, P-384) or RSA from {} bits", file, kFewestRsaBits));
  if (!is_signed_by_itself(parsed.csr)) return fail(Errc::usage, fmt::format("{}: it is not signed by the key that it has in it", file));
  return Request{.pem = pem, .names = names_asked_for({reinterpret_cast<const char*>(parsed.csr.cri.p), parsed.csr.cri.len})};
}

}  // namespace berth::cli::enrol
