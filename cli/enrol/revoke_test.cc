#include <algorithm>
#include <cctype>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/enrol/authority.h"
#include "cli/enrol/crl.h"
#include "core/crypto/keys.h"
#include "core/files/files.h"
#include "core/io/revocations.h"
#include "core/io/tls_authority.h"

namespace berth::cli::enrol {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Revoking : public testing::Test {
 protected:
  Revoking() {
    auto made = Authority::make(folder.path() / "ca", "Example nodes", std::chrono::days(100), now);
    EXPECT_TRUE(made) << made.error().message;
    if (made) authority = std::make_unique<Authority>(std::move(*made));
  }

  std::string path(const std::string& name) const { return folder.path() / name; }

  /// A certificate for that name alone, in `file`.pem.
  Issued sign(const std::string& file, const std::string& name, std::chrono::days days = std::chrono::days(30), Clock::time_point at = Clock::now()) {
    const std::string key = path(file + ".key");
    EXPECT_TRUE(crypto::SigningKey::generate(crypto::KeyType::ecdsa_p256).save(key));
    const auto names = *parse_names({name});
    const auto asked = read_request(*make_request(key, names), key);
    auto issued = authority->sign(*asked, names, Use::client, days, at);
    EXPECT_TRUE(issued) << issued.error().message;
    EXPECT_TRUE(files::replace(path(file + ".pem"), issued->pem));
    return issued.value_or(Issued());
  }

  Revocation revoke(const std::vector<std::string>& whom, Reason reason = Reason::unspecified) {
    auto done = authority->revoke(whom, reason, std::chrono::days(30), now);
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or(Revocation());
  }

  static io::ChildResult openssl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    return io::run_program(std::move(arguments));
  }
  std::string crl_text() { return openssl({"crl", "-in", path("ca/crl.pem"), "-noout", "-text", "-CAfile", path("ca/ca.pem"), "-verify"}).output; }
  /// Whether openssl believes the certificate with what is revoked looked at.
  std::string verify(const std::string& file) {
    return openssl({"verify", "-x509_strict", "-crl_check", "-CAfile", path("ca/ca.pem"), "-CRLfile", path("ca/crl.pem"), "-purpose", "sslclient", path(file + ".pem")}).output;
  }
  static std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(), ::toupper);
    return text;
  }
  static std::vector<std::string> serials(const std::vector<Issued>& all) {
    std::vector<std::string> found;
    for (const Issued& one : all) found.push_back(one.serial);
    return found;
  }

  files::TemporaryDirectory folder;
  Clock::time_point now = Clock::now();
  std::unique_ptr<Authority> authority;
};

TEST_F(Revoking, OpensslReadsTheListAndGoesByIt) {
  const Issued alice = sign("alice", "alice@example.org"), ci = sign("ci", "ci.example.org");
  const Revocation done = revoke({"alice@example.org"}, Reason::key_compromise);
  EXPECT_THAT(serials(done.revoked), ElementsAre(alice.serial));
  EXPECT_EQ(done.crl.number, 1u);
  EXPECT_EQ(done.crl.revoked, 1u);
  const std::string text = crl_text();
  EXPECT_THAT(text, AllOf(HasSubstr("verify OK"), HasSubstr("Version 2 (0x1)"), HasSubstr("ecdsa-with-SHA256"), HasSubstr("Issuer: CN = Example nodes"), HasSubstr("Serial Number: " + upper(alice.serial)),
                          HasSubstr("Key Compromise"), HasSubstr("X509v3 CRL Number: \n                1"), HasSubstr("X509v3 Authority Key Identifier")));
  EXPECT_THAT(text, Not(HasSubstr(upper(ci.serial))));
  EXPECT_THAT(verify("alice"), HasSubstr("certificate revoked"));
  EXPECT_THAT(verify("ci"), HasSubstr("ci.pem: OK"));
  const std::string of_authority = openssl({"x509", "-in", path("ca/ca.pem"), "-noout", "-ext", "subjectKeyIdentifier"}).output;
  const auto at = of_authority.rfind("    ");
  ASSERT_NE(at, std::string::npos);
  EXPECT_THAT(text, HasSubstr(of_authority.substr(at + 4, 59))) << "the key identifier of the authority";
}

TEST_F(Revoking, AListWithoutEntriesIsOneToo) {
  sign("ci", "ci.example.org");
  const auto crl = authority->write_crl(std::chrono::days(7), now);
  ASSERT_TRUE(crl) << crl.error().message;
  EXPECT_EQ(crl->revoked, 0u);
  EXPECT_EQ(crl->next, now + std::chrono::days(7));
  EXPECT_THAT(crl_text(), AllOf(HasSubstr("verify OK"), HasSubstr("No Revoked Certificates.")));
  EXPECT_THAT(verify("ci"), HasSubstr("ci.pem: OK"));
}

TEST_F(Revoking, ANewOneOfTheSameNameIsGood) {
  sign("alice", "alice@example.org");
  revoke({"alice@example.org"});
  sign("again", "alice@example.org");
  EXPECT_THAT(verify("again"), HasSubstr("again.pem: OK"));
  ASSERT_TRUE(authority->write_crl(std::chrono::days(30), now));
  EXPECT_THAT(verify("again"), HasSubstr("again.pem: OK"));
  EXPECT_THAT(verify("alice"), HasSubstr("certificate revoked"));
}

TEST_F(Revoking, TheListOfWhatWasMadeKnowsIt) {
  const Issued alice = sign("alice", "alice@example.org");
  sign("ci", "ci.example.org");
  revoke({"alice@example.org"}, Reason::superseded);
  const auto all = Authority::open(folder.path() / "ca")->issued();
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->size(), 2u) << "what is revoked is no certificate that was made";
  ASSERT_TRUE(all->at(0).revoked);
  EXPECT_EQ(all->at(0).revoked->reason, Reason::superseded);
  EXPECT_EQ(all->at(0).revoked->at, std::chrono::floor<std::chrono::seconds>(now));
  EXPECT_FALSE(all->at(1).revoked);
  const Revocation again = revoke({alice.serial}, Reason::key_compromise);
  EXPECT_THAT(again.revoked, IsEmpty());
  EXPECT_THAT(serials(again.already), ElementsAre(alice.serial));
  EXPECT_EQ(again.crl.number, 2u) << "and the list is written anew";
  EXPECT_EQ(authority->issued()->at(0).revoked->reason, Reason::superseded);
}

TEST_F(Revoking, ASerialNumberMeansOneANameAllThatHaveNotEnded) {
  const Issued first = sign("first", "ci.example.org"), second = sign("second", "ci.example.org"), ended = sign("ended", "ci.example.org", std::chrono::days(1), now - std::chrono::days(3));
  std::string with_colons;
  for (std::size_t i = 0; i < first.serial.size(); i += 2) with_colons += (i == 0 ? "" : ":") + upper(first.serial.substr(i, 2));
  EXPECT_THAT(serials(revoke({with_colons}).revoked), ElementsAre(first.serial)) << "as openssl prints it";
  const Revocation rest = revoke({"ci.example.org"});
  EXPECT_THAT(serials(rest.revoked), ElementsAre(second.serial));
  EXPECT_THAT(serials(rest.already), ElementsAre(first.serial));
  EXPECT_THAT(serials(revoke({ended.serial}).revoked), ElementsAre(ended.serial));
}

TEST_F(Revoking, NothingIsRevokedWhereOneIsUnknown) {
  sign("alice", "alice@example.org");
  const auto done = authority->revoke({"alice@example.org", "bob@example.org"}, Reason::unspecified, std::chrono::days(30), now);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::not_found);
  EXPECT_THAT(done.error().message, HasSubstr("'bob@example.org'"));
  EXPECT_FALSE(authority->issued()->at(0).revoked);
  EXPECT_FALSE(fs::exists(path("ca/crl.pem")));
}

TEST_F(Revoking, NoTwoListsHaveOneNumberAlsoWhereOneWasLost) {
  ASSERT_EQ(authority->write_crl(std::chrono::days(30), now)->number, 1u);
  fs::remove(path("ca/crl.pem"));
  std::ofstream(path("ca/issued.jsonl"), std::ios::app) << R"({"crl":2,"a)";  // one that was cut off
  EXPECT_EQ(authority->write_crl(std::chrono::days(30), now)->number, 2u);
  EXPECT_EQ(authority->write_crl(std::chrono::days(30), now)->number, 3u);
}

TEST_F(Revoking, WhatHasEndedLeavesTheListAfterOneThatStillHadIt) {
  const Issued brief = sign("brief", "ci.example.org", std::chrono::days(1));
  ASSERT_TRUE(authority->revoke({brief.serial}, Reason::unspecified, std::chrono::days(30), now));
  const auto later = now + std::chrono::days(2);
  EXPECT_EQ(authority->write_crl(std::chrono::days(30), later)->revoked, 1u) << "the first one after it ended";
  EXPECT_EQ(authority->write_crl(std::chrono::days(30), later + 1h)->revoked, 0u);
}

TEST_F(Revoking, ItCountsNoLongerThanItsAuthority) {
  EXPECT_LE(authority->write_crl(std::chrono::days(365), now)->next, now + std::chrono::days(100));
  EXPECT_EQ(authority->write_crl(std::chrono::days(30), now + std::chrono::days(101)).error().code, Errc::usage);
}

TEST_F(Revoking, TimesAfter2049AreWrittenAsTheyHaveToBe) {
  io::PrivateKey key;
  io::Certificates own;
  ASSERT_TRUE(key.load(path("ca/ca.key")));
  ASSERT_TRUE(own.load(path("ca/ca.pem")));
  const auto far = Clock::from_time_t(2'556'144'000);  // 2051
  Issued one{.serial = "80ff", .names = {}, .use = {}, .begins = {}, .ends = {}};
  one.revoked = Revoked{.at = far, .reason = Reason::privilege_withdrawn};
  const auto pem = make_crl({.number = 0xffff'ffff'ffffu, .at = now, .next = far, .revoked = {one}}, own, key);
  ASSERT_TRUE(pem) << pem.error().message;
  ASSERT_TRUE(files::replace(path("ca/crl.pem"), *pem));
  EXPECT_THAT(crl_text(), AllOf(HasSubstr("verify OK"), HasSubstr("2051 GMT"), HasSubstr("Serial Number: 80FF"), HasSubstr("Privilege Withdrawn"), HasSubstr("281474976710655")));
}

TEST(Reasons, AreTheWordsOfTheStandard) {
  for (const char* one : {"unspecified", "key-compromise", "affiliation-changed", "superseded", "cessation-of-operation", "privilege-withdrawn"}) EXPECT_EQ(to_string(parse_reason(one).value()), one);
  EXPECT_THAT(parse_reason("hold").error().message, AllOf(HasSubstr("'hold'"), HasSubstr("key-compromise")));
}

/// The lists as berthd reads them.
class ReadLists : public Revoking {
 protected:
  std::string problem(const std::string& file, Clock::time_point at) const {
    io::Certificates authorities;
    EXPECT_TRUE(authorities.load(path("ca/ca.pem")));
    return io::Revocations(path(file), *authorities.get()).problem(at);
  }
  std::uint32_t flaws(const std::string& file, Clock::time_point at) const {
    io::Certificates authorities, one;
    EXPECT_TRUE(authorities.load(path("ca/ca.pem")));
    EXPECT_TRUE(one.load(path(file + ".pem")));
    return io::Revocations(path("ca/crl.pem"), *authorities.get()).flaws_of(*one.get(), at);
  }
};

TEST_F(ReadLists, AreGoneBy) {
  sign("alice", "alice@example.org");
  sign("ci", "ci.example.org");
  revoke({"alice@example.org"});
  EXPECT_EQ(problem("ca/crl.pem", now), "");
  EXPECT_EQ(flaws("alice", now), unsigned{MBEDTLS_X509_BADCERT_REVOKED});
  EXPECT_EQ(flaws("ci", now), 0u);
  const auto later = now + std::chrono::days(31);
  EXPECT_THAT(problem("ca/crl.pem", later), AllOf(HasSubstr("crl.pem ended at 20"), HasSubstr("berth ca crl")));
  EXPECT_EQ(flaws("ci", later), unsigned{MBEDTLS_X509_BADCRL_EXPIRED});
  EXPECT_THAT(problem("ca/crl.pem", now - 1h), HasSubstr("counts from"));
  EXPECT_EQ(flaws("ci", now - 1h), unsigned{MBEDTLS_X509_BADCRL_FUTURE});
}

TEST_F(ReadLists, ThatCannotBeGoneByRefuseEverybody) {
  sign("ci", "ci.example.org");
  EXPECT_THAT(problem("ca/crl.pem", now), AllOf(HasSubstr("every client is refused"), HasSubstr("No such file"), HasSubstr("berth ca crl")));
  EXPECT_EQ(flaws("ci", now), unsigned{MBEDTLS_X509_BADCRL_NOT_TRUSTED});
  ASSERT_TRUE(files::replace(path("ca/crl.pem"), "nothing"));
  EXPECT_THAT(problem("ca/crl.pem", now), HasSubstr("no list of revoked certificates (CRL) can be read"));
  const auto other = Authority::make(folder.path() / "other", "Example nodes", std::chrono::days(100), now);  // of the same name
  ASSERT_TRUE(other->write_crl(std::chrono::days(30), now));
  EXPECT_THAT(problem("other/crl.pem", now), HasSubstr("is not signed by the key of that authority"));
  const auto stranger = Authority::make(folder.path() / "stranger", "Others", std::chrono::days(100), now);
  ASSERT_TRUE(stranger->write_crl(std::chrono::days(30), now));
  EXPECT_THAT(problem("stranger/crl.pem", now), HasSubstr("it has no list of 'CN=Example nodes'"));
  fs::copy_file(path("stranger/crl.pem"), path("ca/crl.pem"), fs::copy_options::overwrite_existing);
  EXPECT_EQ(flaws("ci", now), unsigned{MBEDTLS_X509_BADCRL_NOT_TRUSTED});
}

TEST_F(ReadLists, AreFoundAmongThoseOfOthersAndAsDer) {
  sign("alice", "alice@example.org");
  revoke({"alice@example.org"});
  const auto stranger = Authority::make(folder.path() / "stranger", "Others", std::chrono::days(100), now);
  ASSERT_TRUE(stranger->write_crl(std::chrono::days(30), now));
  const std::string own = *files::read(path("ca/crl.pem"), 1 << 20);
  ASSERT_TRUE(files::replace(path("all.pem"), "of others:\n" + *files::read(path("stranger/crl.pem"), 1 << 20) + "\n" + own + "\n\n"));
  EXPECT_EQ(problem("all.pem", now), "");
  openssl({"crl", "-in", path("ca/crl.pem"), "-outform", "DER", "-out", path("crl.der")});
  EXPECT_EQ(problem("crl.der", now), "");
  std::string changed = *files::read(path("crl.der"), 1 << 20);
  changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 1);
  ASSERT_TRUE(files::replace(path("changed.der"), changed));
  EXPECT_NE(problem("changed.der", now), "");
}

}  // namespace
}  // namespace berth::cli::enrol
