#include "cli/enrol/authority.h"

#include <mbedtls/bignum.h>

#include "cli/enrol/mbedtls_parts.h"
#include "cli/enrol/signed_der.h"
#include "cli/enrol/signer.h"
#include "core/crypto/der.h"
#include "core/crypto/keys.h"
#include "core/files/files.h"
#include "core/io/tls_random.h"
#include "core/trust/time.h"

namespace berth::cli::enrol {
namespace {

constexpr std::size_t kSerialBytes = 16;
constexpr unsigned char kFinal[] = {0x30, 0x00};                                                   // no authority
constexpr unsigned char kAuthority[] = {0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00};           // one, with none below it

/// "20261124090000", as mbedTLS wants it.
std::string moment(Clock::time_point at) {
  std::string text = trust::to_string(at);
  std::erase_if(text, [](char c) { return c < '0' || c > '9'; });
  return text;
}

/// A certificate that is being written, with what it needs until then.
class CertificateWriting {
 public:
  CertificateWriting() {
    mbedtls_x509write_crt_init(&crt);
    mbedtls_mpi_init(&serial_);
    mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
  }
  ~CertificateWriting() {
    mbedtls_x509write_crt_free(&crt);
    mbedtls_mpi_free(&serial_);
  }
  CertificateWriting(const CertificateWriting&) = delete;
  CertificateWriting& operator=(const CertificateWriting&) = delete;

  /// A random number, and the time for which it counts. Gives the number in hex.
  Result<std::string> identify(Clock::time_point begins, Clock::time_point ends) {
    unsigned char bytes[kSerialBytes];
    BERTH_CHECK(done(io::random_for_tls(nullptr, bytes, sizeof bytes), "random bytes"));
    bytes[0] = static_cast<unsigned char>((bytes[0] & 0x3f) | 0x40);  // positive, and as long as the others
    BERTH_CHECK(done(mbedtls_mpi_read_binary(&serial_, bytes, sizeof bytes), "a serial number"));
    BERTH_CHECK(done(mbedtls_x509write_crt_set_serial(&crt, &serial_), "a serial number"));
    BERTH_CHECK(done(mbedtls_x509write_crt_set_validity(&crt, moment(begins).c_str(), moment(ends).c_str()), "the validity"));
    std::string hex;
    for (const unsigned char byte : bytes) hex += fmt::format("{:02x}", byte);
    return hex;
  }

  Result<void> extend(std::string_view which, std::string_view value, bool critical) {
    return done(mbedtls_x509write_crt_set_extension(&crt, which.data(), which.size(), critical ? 1 : 0, bytes_of(value), value.size()), "an extension");
  }

  Result<std::string> pem(io::PrivateKey& issuer) {
    std::string der(kMostDer, '\0');
    const int size = mbedtls_x509write_crt_der(&crt, reinterpret_cast<unsigned char*>(der.data()), der.size(), io::random_for_tls, nullptr);
    BERTH_CHECK(done(size, "sign a certificate"));
    BERTH_TRY(const std::string anew, sign_certificate_anew(std::string_view(der).substr(der.size() - static_cast<std::size_t>(size)), issuer));  // it writes towards the front
    return to_pem("CERTIFICATE", anew);
  }

  mbedtls_x509write_cert crt;

 private:
  mbedtls_mpi serial_;
};

template <std::size_t Size>
std::string_view view(const unsigned char (&bytes)[Size]) {
  return {reinterpret_cast<const char*>(bytes), Size};
}

std::string usage_der(Use use) {
  std::string all;
  if (use == Use::server_and_client) all += crypto::der_item(0x06, oid(MBEDTLS_OID_SERVER_AUTH));
  all += crypto::der_item(0x06, oid(MBEDTLS_OID_CLIENT_AUTH));
  return crypto::der_item(crypto::kSequence, all);
}

std::string text_of_use(Use use) { return use == Use::client ? "client" : "server and client"; }

std::string subject_of(const mbedtls_x509_crt& certificate) {
  char text[512] = {};
  return mbedtls_x509_dn_gets(text, sizeof text, &certificate.subject) > 0 ? text : "";
}

/// The key of a request, as mbedTLS has it.
struct RequestKey {
  explicit RequestKey(const Request& request) {
    mbedtls_x509_csr_init(&csr);
    right = mbedtls_x509_csr_parse(&csr, bytes_of(request.pem), request.pem.size() + 1) == 0;
  }
  ~RequestKey() { mbedtls_x509_csr_free(&csr); }
  RequestKey(const RequestKey&) = delete;
  RequestKey& operator=(const RequestKey&) = delete;
  mbedtls_x509_csr csr;
  bool right = false;
};

}  // namespace

Result<Authority> Authority::make(const fs::path& folder, const std::string& name, std::chrono::days lasts, Clock::time_point now) {
  if (name.empty() || name.size() > 64 || name.find_first_of(",=+\"\\<>;#\n") != std::string::npos)
    return fail(Errc::usage, fmt::format("'{}' is no name for an authority: 64 bytes at most, none of them ',', '=', '+', '\"', '\\', '<', '>', ';', '#'", name));
  const Authority made(folder);
  for (const fs::path& file : {made.key_file(), made.certificate_file(), made.list_file()})
    if (std::error_code missing; fs::exists(fs::symlink_status(file, missing))) return fail(Errc::exists, fmt::format("{} is there already: give another folder for a new authority", file.string()));
  BERTH_CHECK(files::make_directories(folder, 0700));
  BERTH_CHECK(crypto::SigningKey::generate(crypto::KeyType::ecdsa_p256).save(made.key_file()));
  io::PrivateKey key;
  BERTH_CHECK(key.load(made.key_file()));
  CertificateWriting writing;
  const std::string subject = "CN=" + name;
  mbedtls_x509write_crt_set_subject_key(&writing.crt, key.get());
  mbedtls_x509write_crt_set_issuer_key(&writing.crt, key.get());
  BERTH_CHECK(writing.identify(now - kSkew, now + lasts));
  BERTH_CHECK(done(mbedtls_x509write_crt_set_subject_name(&writing.crt, subject.c_str()), "the subject"));
  BERTH_CHECK(done(mbedtls_x509write_crt_set_issuer_name(&writing.crt, subject.c_str()), "the issuer"));
  BERTH_CHECK(writing.extend(oid(MBEDTLS_OID_BASIC_CONSTRAINTS), view(kAuthority), true));
  BERTH_CHECK(done(mbedtls_x509write_crt_set_key_usage(&writing.crt, MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN), "the key usage"));
  BERTH_CHECK(done(mbedtls_x509write_crt_set_subject_key_identifier(&writing.crt), "the key identifier"));
  BERTH_TRY(const std::string pem, writing.pem(key));
  BERTH_CHECK(files::replace(made.certificate_file(), pem, 0644));
  return made;
}

Result<Authority> Authority::open(const fs::path& folder) {
  Authority found(folder);
  for (const fs::path& file : {found.certificate_file(), found.key_file()})
    if (std::error_code missing; !fs::exists(file, missing)) return fail(Errc::not_found, fmt::format("{} is not there: 'berth ca init {}' makes an authority", file.string(), folder.string()));
  return found;
}

Result<std::unique_ptr<Authority::Signer>> Authority::signer() const {
  BERTH_CHECK(crypto::SigningKey::load(key_file()));  // refuses one that others may read
  auto signer = std::make_unique<Signer>();
  BERTH_CHECK(signer->key.load(key_file()));
  BERTH_CHECK(signer->own.load(certificate_file()));
  if (mbedtls_pk_check_pair(&signer->own.get()->pk, signer->key.get()) != 0) return fail(Errc::usage, fmt::format("{} does not belong to {}", key_file().string(), certificate_file().string()));
  return signer;
}

Result<Issued> Authority::sign(const Request& request, const std::vector<Name>& names, Use use, std::chrono::days lasts, Clock::time_point now) const {
  if (names.empty()) return fail(Errc::usage, "the request has no name in it: say with --name what the certificate is for");
  BERTH_TRY(const auto signs, signer());
  io::PrivateKey& key = signs->key;
  io::Certificates& own = signs->own;
  Issued issued{.serial = {}, .names = {}, .use = text_of_use(use), .begins = now - kSkew, .ends = now + lasts};
  if (const auto end = io::time_of(own.get()->valid_to); issued.ends > end)
    return fail(Errc::usage, fmt::format("the certificate would outlive its authority, which ends at {}: give fewer --days, or make a new authority", trust::to_string(end)));
  RequestKey asks(request);
  if (!asks.right) return fail(Errc::internal, "the request was read before, and cannot be now");

  CertificateWriting writing;
  mbedtls_x509write_crt_set_subject_key(&writing.crt, &asks.csr.pk);
  mbedtls_x509write_crt_set_issuer_key(&writing.crt, key.get());
  BERTH_TRY(issued.serial, writing.identify(issued.begins, issued.ends));
  BERTH_CHECK(done(mbedtls_x509write_crt_set_subject_name(&writing.crt, ("CN=" + common_name(names)).c_str()), "the subject"));
  BERTH_CHECK(done(mbedtls_x509write_crt_set_issuer_name(&writing.crt, subject_of(*own.get()).c_str()), "the issuer"));
  BERTH_CHECK(writing.extend(oid(MBEDTLS_OID_BASIC_CONSTRAINTS), view(kFinal), true));
  BERTH_CHECK(done(mbedtls_x509write_crt_set_key_usage(&writing.crt, MBEDTLS_X509_KU_DIGITAL_SIGNATURE), "the key usage"));
  BERTH_CHECK(writing.extend(oid(MBEDTLS_OID_EXTENDED_KEY_USAGE), usage_der(use), false));
  BERTH_CHECK(writing.extend(oid(MBEDTLS_OID_SUBJECT_ALT_NAME), to_der(names), false));
  BERTH_CHECK(done(mbedtls_x509write_crt_set_subject_key_identifier(&writing.crt), "the key identifier"));
  BERTH_CHECK(done(mbedtls_x509write_crt_set_authority_key_identifier(&writing.crt), "the authority's key identifier"));
  BERTH_TRY(issued.pem, writing.pem(key));
  for (const Name& name : names) issued.names.push_back(name.text);
  BERTH_TRY(IssuedList list, IssuedList::lock(list_file()));
  BERTH_CHECK(list.add(issued));
  return issued;
}

Result<std::vector<Issued>> Authority::issued() const {
  BERTH_TRY(ListContent content, IssuedList::read(list_file()));
  return std::move(content.issued);
}

}  // namespace berth::cli::enrol
