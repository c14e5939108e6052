// Signing with keys of every kind, in every form that `openssl` gives their files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crypto/keys.h"
#include "core/crypto/openssl_fixture.h"
#include "core/crypto/pem.h"

namespace berth::crypto {
namespace {

using testing::HasSubstr;

constexpr const char* kMakeP256 = "umask 077; openssl ecparam -name prime256v1 -genkey -noout -out key.pem";
constexpr const char* kMakeRsa = "umask 077; openssl genrsa -traditional -out key.pem 2048";
constexpr const char* kMakeEd25519 = "umask 077; openssl genpkey -algorithm ed25519 -out key.pem";

AskPassphrase saying(std::string passphrase) {
  return [passphrase](std::string_view) -> Result<std::string> { return passphrase; };
}

constexpr std::size_t kEncryptedBytes = 64;  ///< of an Ed25519 key in PKCS#8: 48, and padding

class Signing : public OpensslFixture {
 protected:
  /// The key in `file`; the test fails where it cannot be read.
  SigningKey load(const char* file, const AskPassphrase& ask = {}) {
    auto key = SigningKey::load(folder / file, ask);
    if (key) return std::move(*key);
    ADD_FAILURE() << key.error().message;
    return SigningKey::generate();
  }

  /// `openssl` finds a signature of `key` right, and one over something else wrong.
  void expect_openssl_verifies(const SigningKey& key, const std::string& options = "") {
    write("key.pub", key.public_key().pem());
    write("message", "message");
    write("signature", key.sign("message"));
    const std::string verify = "openssl dgst -sha256 -verify key.pub " + options + " -signature signature message";
    run(verify);
    write("message", "massage");
    run("! " + verify);
  }

  static constexpr const char* kPss = "-sigopt rsa_padding_mode:pss -sigopt rsa_mgf1_md:sha256 -sigopt rsa_pss_saltlen:32";
};

TEST_F(Signing, OfP256IsVerifiedByOpenssl) {
  run(kMakeP256);
  const SigningKey key = load("key.pem");
  EXPECT_EQ(key.type(), KeyType::ecdsa_p256);
  for (int turn = 0; turn < 8; ++turn) EXPECT_TRUE(key.public_key().verifies("message", key.sign("message")));
  EXPECT_FALSE(key.public_key().verifies("massage", key.sign("message")));
  expect_openssl_verifies(key);
}

TEST_F(Signing, OfRsaIsVerifiedByOpensslWithASaltOf32Bytes) {
  run(kMakeRsa);
  const SigningKey key = load("key.pem");
  EXPECT_EQ(key.type(), KeyType::rsa);
  EXPECT_EQ(key.sign("message").size(), 256u);
  EXPECT_TRUE(key.public_key().verifies("message", key.sign("message")));
  expect_openssl_verifies(key, kPss);
}

TEST_F(Signing, TakesTheSameKeyFromEachOfItsForms) {
  for (const char* make : {kMakeP256, kMakeRsa}) {
    run(make);
    run("umask 077; openssl pkcs8 -topk8 -nocrypt -in key.pem -out pkcs8.pem; openssl pkey -in key.pem -pubout -out key.pub");
    EXPECT_EQ(load("key.pem").public_key(), load("pkcs8.pem").public_key());
    EXPECT_EQ(load("key.pem").public_key(), PublicKey::from_pem(content("key.pub")).value());
  }
}

TEST_F(Signing, PassesOverTheParametersInFrontOfAnEllipticCurveKey) {
  run("umask 077; openssl ecparam -name prime256v1 -genkey -out key.pem");
  EXPECT_EQ(load("key.pem").type(), KeyType::ecdsa_p256);
}

TEST_F(Signing, WithNewKeysOfEachKindThatComeBackFromTheirFiles) {
  for (const KeyType type : {KeyType::ed25519, KeyType::ecdsa_p256, KeyType::rsa}) {
    std::filesystem::remove(folder / "new.pem");
    const SigningKey key = SigningKey::generate(type);
    EXPECT_EQ(key.type(), type);
    ASSERT_TRUE(key.save(folder / "new.pem"));
    EXPECT_EQ(load("new.pem").public_key(), key.public_key());
    run("openssl pkey -in new.pem -pubout -out new.pub");
    EXPECT_EQ(content("new.pub"), key.public_key().pem());
    EXPECT_TRUE(key.public_key().verifies("message", load("new.pem").sign("message")));
  }
}

// ---------------------------------------------------------------- passphrases

TEST_F(Signing, OpensEncryptedFilesAsOpensslMakesThem) {
  for (const char* make : {kMakeEd25519, kMakeP256, kMakeRsa}) {
    run(make);
    const PublicKey expected = load("key.pem").public_key();
    for (const std::string how : {"", "-v2 aes-128-cbc", "-v2 aes-256-cbc -v2prf hmacWithSHA1", "-v2 aes256 -v2prf hmacWithSHA512", "-iter 10"}) {
      run("umask 077; openssl pkcs8 -topk8 -in key.pem -out locked.pem -passout pass:open " + how);
      EXPECT_EQ(load("locked.pem", saying("open")).public_key(), expected) << make << how;
    }
  }
}

TEST_F(Signing, OpensOlderEncryptedFiles) {
  run(kMakeP256);
  run("umask 077; openssl ec -in key.pem -aes256 -passout pass:open -out locked.pem");
  EXPECT_EQ(load("locked.pem", saying("open")).public_key(), load("key.pem").public_key());
  EXPECT_THAT(SigningKey::load(folder / "locked.pem", saying("shut")).error().message, HasSubstr("with another passphrase"));
  EXPECT_THAT(SigningKey::load(folder / "locked.pem").error().message, HasSubstr("there is no passphrase"));
}

TEST_F(Signing, SavesEncryptedFilesThatOpensslOpens) {
  for (const KeyType type : {KeyType::ed25519, KeyType::ecdsa_p256}) {
    std::filesystem::remove(folder / "locked.pem");
    const SigningKey key = SigningKey::generate(type);
    ASSERT_TRUE(key.save(folder / "locked.pem", "open"));
    EXPECT_THAT(content("locked.pem"), HasSubstr("BEGIN ENCRYPTED PRIVATE KEY"));
    run("openssl pkey -in locked.pem -passin pass:open -pubout -out key.pub");
    EXPECT_EQ(content("key.pub"), key.public_key().pem());
    EXPECT_EQ(load("locked.pem", saying("open")).public_key(), key.public_key());
  }
}

TEST_F(Signing, AsksForAPassphraseOnlyWhereThereIsOneAndPassesOnThatThereIsNone) {
  const SigningKey key = SigningKey::generate();
  ASSERT_TRUE(key.save(folder / "open.pem"));
  ASSERT_TRUE(key.save(folder / "locked.pem", "open"));
  int asked = 0;
  const AskPassphrase ask = [&](std::string_view name) -> Result<std::string> {
    ++asked;
    EXPECT_EQ(name, (folder / "locked.pem").string());
    return fail(Errc::cancelled, "nobody is there");
  };
  EXPECT_TRUE(SigningKey::load(folder / "open.pem", ask));
  EXPECT_EQ(asked, 0);
  const auto locked = SigningKey::load(folder / "locked.pem", ask);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(locked.error().code, Errc::cancelled);
  EXPECT_THAT(locked.error().message, HasSubstr("locked.pem: nobody is there"));
}

TEST_F(Signing, RefusesAWrongPassphraseAndEveryDamage) {
  run("umask 077; openssl genpkey -algorithm ed25519 -out key.pem; openssl pkcs8 -topk8 -in key.pem -iter 2 -passout pass:open -outform DER -out locked.der");
  const std::string der = content("locked.der");
  const auto opened = [](const std::string& bytes, const std::string& passphrase) {
    return SigningKey::from_pem(to_pem("ENCRYPTED PRIVATE KEY", bytes), "locked.pem", saying(passphrase));
  };
  const auto whole = opened(der, "open");
  ASSERT_TRUE(whole) << whole.error().message;
  for (int turn = 0; turn < 300; ++turn) EXPECT_EQ(opened(der, "shut" + std::to_string(turn)).error().code, Errc::usage);
  for (std::size_t at = 0; at < der.size(); ++at) EXPECT_FALSE(opened(der.substr(0, at), "open")) << at;
  // Nothing authenticates the encrypted bytes: a damaged one may leave a key, but never this one.
  for (std::size_t at = der.size() - kEncryptedBytes; at < der.size(); ++at) {
    std::string damaged = der;
    damaged[at] ^= 0x11;
    const auto key = opened(damaged, "open");
    EXPECT_FALSE(key && key->public_key() == whole->public_key()) << at;
  }
}

TEST_F(Signing, RefusesAFileWhosePublicHalfIsNotItsPrivateOnes) {
  run("umask 077; openssl ecparam -name prime256v1 -genkey -noout -outform DER -out a.der");
  run("umask 077; openssl ecparam -name prime256v1 -genkey -noout -outform DER -out b.der");
  // SEC1: the private number is at the front, the public point in the last 65 bytes.
  const std::string a = content("a.der");
  const std::string b = content("b.der");
  const auto key = SigningKey::from_pem(to_pem("EC PRIVATE KEY", a.substr(0, a.size() - 65) + b.substr(b.size() - 65)), "key.pem");
  ASSERT_FALSE(key);
  EXPECT_THAT(key.error().message, HasSubstr("two halves do not belong together"));
}

}  // namespace
}  // namespace berth::crypto
