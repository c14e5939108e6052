#include "cli/enrol/authority.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/crypto/keys.h"
#include "core/files/files.h"
#include "core/io/tls_authority.h"

namespace berth::cli::enrol {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class OwnAuthority : public testing::Test {
 protected:
  OwnAuthority() {
    auto made = Authority::make(folder.path() / "ca", "Example nodes", std::chrono::days(100), now);
    EXPECT_TRUE(made) << made.error().message;
    if (made) authority = std::make_unique<Authority>(std::move(*made));
  }

  std::string path(const std::string& name) const { return folder.path() / name; }

  Request request(const std::vector<std::string>& names, const std::string& key = "node.key") {
    if (!fs::exists(path(key))) {
      EXPECT_TRUE(crypto::SigningKey::generate(crypto::KeyType::ecdsa_p256).save(path(key)));
    }
    const auto pem = make_request(path(key), *parse_names(names));
    EXPECT_TRUE(pem) << pem.error().message;
    EXPECT_TRUE(files::replace(path("node.csr"), *pem));
    auto read = read_request(*pem, "node.csr");
    EXPECT_TRUE(read) << read.error().message;
    return read.value_or(Request());
  }

  Issued sign(const Request& asked, Use use = Use::server_and_client, std::chrono::days days = std::chrono::days(30)) {
    auto issued = authority->sign(asked, asked.names, use, days, now);
    EXPECT_TRUE(issued) << issued.error().message;
    EXPECT_TRUE(files::replace(path("node.pem"), issued->pem));
    return issued.value_or(Issued());
  }

  static io::ChildResult openssl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    return io::run_program(std::move(arguments));
  }
  std::string verify(const std::string& purpose) { return openssl({"verify", "-x509_strict", "-CAfile", path("ca/ca.pem"), "-purpose", purpose, path("node.pem")}).output; }

  files::TemporaryDirectory folder;
  Clock::time_point now = Clock::now();
  std::unique_ptr<Authority> authority;
};

TEST_F(OwnAuthority, ItsCertificateIsOneOfAnAuthority) {
  const auto text = openssl({"x509", "-in", path("ca/ca.pem"), "-noout", "-text"}).output;
  EXPECT_THAT(text, AllOf(HasSubstr("Subject: CN = Example nodes"), HasSubstr("X509v3 Basic Constraints: critical"), HasSubstr("CA:TRUE, pathlen:0"), HasSubstr("X509v3 Key Usage: critical"),
                          HasSubstr("Certificate Sign, CRL Sign"), HasSubstr("ASN1 OID: prime256v1"), HasSubstr("ecdsa-with-SHA256"), HasSubstr("Subject Key Identifier")));
  struct stat about{};
  ASSERT_EQ(::stat(path("ca/ca.key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600u);
}

TEST_F(OwnAuthority, OpensslReadsTheRequestAndItsNames) {
  request({"edge-1.example.org", "10.0.0.7", "::1"});
  const auto text = openssl({"req", "-in", path("node.csr"), "-noout", "-text", "-verify"}).output;
  EXPECT_THAT(text, AllOf(HasSubstr("self-signature verify OK"), HasSubstr("DNS:edge-1.example.org"), HasSubstr("IP Address:10.0.0.7"), HasSubstr("IP Address:0:0:0:0:0:0:0:1")));
}

TEST_F(OwnAuthority, OpensslVerifiesTheCertificateOfANode) {
  const Issued issued = sign(request({"edge-1.example.org", "10.0.0.7"}));
  EXPECT_THAT(verify("sslserver"), HasSubstr("node.pem: OK"));
  EXPECT_THAT(verify("sslclient"), HasSubstr("node.pem: OK"));
  const auto text = openssl({"x509", "-in", path("node.pem"), "-noout", "-text"}).output;
  EXPECT_THAT(text, AllOf(HasSubstr("Issuer: CN = Example nodes"), HasSubstr("CA:FALSE"), HasSubstr("Digital Signature"), HasSubstr("TLS Web Server Authentication, TLS Web Client Authentication"),
                          HasSubstr("DNS:edge-1.example.org, IP Address:10.0.0.7"), HasSubstr("Authority Key Identifier"), Not(HasSubstr("Certificate Sign"))));
  EXPECT_THAT(issued.names, testing::ElementsAre("edge-1.example.org", "10.0.0.7"));
  EXPECT_EQ(issued.ends - now, std::chrono::days(30));
}

TEST_F(OwnAuthority, WritesTheAlgorithmOfItsSignaturesWithoutParametersAsEcdsaWantsIt) {
  sign(request({"node1"}));
  for (const auto& [file, times] : {std::pair("ca/ca.pem", 2), std::pair("node.pem", 2), std::pair("node.csr", 1)}) {
    const std::string items = openssl({"asn1parse", "-in", path(file)}).output;
    std::istringstream lines(items);
    int found = 0;
    for (std::string line, before; std::getline(lines, line); before = line) {
      if (!before.ends_with(":ecdsa-with-SHA256")) continue;
      ++found;
      EXPECT_THAT(line, Not(HasSubstr("NULL"))) << file;
    }
    EXPECT_EQ(found, times) << file << ": " << items;
  }
}

TEST_F(OwnAuthority, ACertificateOfAClientIsForNoServer) {
  sign(request({"alice@example.org", "spiffe://example.org/ci"}), Use::client);
  EXPECT_THAT(verify("sslclient"), HasSubstr("node.pem: OK"));
  EXPECT_THAT(verify("sslserver"), Not(HasSubstr("node.pem: OK")));
  EXPECT_THAT(openssl({"x509", "-in", path("node.pem"), "-noout", "-text"}).output, HasSubstr("email:alice@example.org, URI:spiffe://example.org/ci"));
}

TEST_F(OwnAuthority, SignsRequestsOfOpensslsToo) {
  const std::vector<std::vector<std::string>> keys{{"ec", "-pkeyopt", "ec_paramgen_curve:P-384"}, {"rsa:2048"}};
  for (const auto& kind : keys) {
    std::vector<std::string> command{"req", "-nodes", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:ci.example.org", "-keyout", path("other.key"), "-out", path("other.csr"), "-newkey"};
    command.insert(command.end(), kind.begin(), kind.end());
    openssl(command);
    const auto asked = read_request(*files::read(path("other.csr"), 1 << 16), "other.csr");
    ASSERT_TRUE(asked) << asked.error().message;
    EXPECT_EQ(to_string(asked->names), "ci.example.org");
    sign(*asked);
    EXPECT_THAT(verify("sslserver"), HasSubstr("node.pem: OK"));
  }
}

TEST_F(OwnAuthority, RefusesRequestsThatNoNodeWouldBelieveAndOnesThatWereChanged) {
  openssl({"req", "-nodes", "-subj", "/CN=x", "-keyout", path("short.key"), "-out", path("short.csr"), "-newkey", "rsa:1024"});
  EXPECT_THAT(read_request(*files::read(path("short.csr"), 1 << 16), "short.csr").error().message, HasSubstr("its key is none that nodes believe"));
  openssl({"req", "-nodes", "-subj", "/CN=x", "-keyout", path("ed.key"), "-out", path("ed.csr"), "-newkey", "ed25519"});
  EXPECT_FALSE(read_request(*files::read(path("ed.csr"), 1 << 16), "ed.csr"));
  EXPECT_THAT(read_request("nothing", "x.csr").error().message, HasSubstr("x.csr: no certificate request"));
  request({"edge-1.example.org"});
  openssl({"req", "-in", path("node.csr"), "-outform", "DER", "-out", path("node.der")});
  std::string der = *files::read(path("node.der"), 1 << 16);
  der[der.find("edge-1")] = 'f';  // of another name
  EXPECT_TRUE(files::replace(path("changed.der"), der));
  openssl({"req", "-inform", "DER", "-in", path("changed.der"), "-out", path("changed.csr")});
  EXPECT_THAT(read_request(*files::read(path("changed.csr"), 1 << 16), "changed.csr").error().message, HasSubstr("not signed by the key"));
}

TEST_F(OwnAuthority, NoCertificateOutlivesIt) {
  const Request asked = request({"edge-1"});
  EXPECT_EQ(authority->sign(asked, asked.names, Use::client, std::chrono::days(101), now).error().code, Errc::usage);
  EXPECT_EQ(authority->sign(asked, {}, Use::client, std::chrono::days(1), now).error().code, Errc::usage) << "for nobody";
  EXPECT_TRUE(authority->issued()->empty());
}

TEST_F(OwnAuthority, KnowsWhatItMade) {
  const Issued first = sign(request({"edge-1"})), second = sign(request({"alice@example.org"}), Use::client);
  const auto all = Authority::open(folder.path() / "ca")->issued();
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(all->at(0).serial, first.serial);
  EXPECT_EQ(all->at(1).serial, second.serial);
  EXPECT_NE(first.serial, second.serial);
  EXPECT_EQ(all->at(1).use, "client");
  std::string shown = openssl({"x509", "-in", path("node.pem"), "-noout", "-serial"}).output;
  std::ranges::transform(shown, shown.begin(), ::tolower);
  EXPECT_THAT(shown, HasSubstr("serial=" + second.serial));
}

TEST_F(OwnAuthority, ForgetsASigningThatWasCutOffAndNothingElse) {
  const Issued first = sign(request({"edge-1"}));
  std::ofstream(path("ca/issued.jsonl"), std::ios::app) << R"({"serial":"77","na)";
  ASSERT_EQ(authority->issued()->size(), 1u);
  const Issued second = sign(request({"edge-2"}));
  const auto all = authority->issued();
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(all->at(1).serial, second.serial);
}

TEST_F(OwnAuthority, IsNeverReplacedAndItsKeyIsForNobodyElse) {
  EXPECT_EQ(Authority::make(folder.path() / "ca", "Another", std::chrono::days(1), now).error().code, Errc::exists);
  EXPECT_EQ(Authority::make(folder.path() / "new", "O=x,CN=y", std::chrono::days(1), now).error().code, Errc::usage);
  EXPECT_EQ(Authority::open(folder.path() / "none").error().code, Errc::not_found);
  const Request asked = request({"edge-1"});
  ::chmod(path("ca/ca.key").c_str(), 0640);
  EXPECT_EQ(authority->sign(asked, asked.names, Use::client, std::chrono::days(1), now).error().code, Errc::permission);
}

}  // namespace
}  // namespace berth::cli::enrol
