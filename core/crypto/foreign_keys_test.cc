// Keys and signatures that `openssl` made: berth must verify what others signed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crypto/keys.h"
#include "core/crypto/openssl_fixture.h"
#include "core/crypto/pem.h"
#include "core/crypto/sha256.h"

namespace berth::crypto {
namespace {

class ForeignKey : public OpensslFixture {
 protected:
  /// The public half of `key.pem`.
  Result<PublicKey> public_half() {
    run("openssl pkey -in key.pem -pubout -out key.pub");
    return PublicKey::from_pem(content("key.pub"));
  }

  std::string sign(const std::string& message, const std::string& options = "") {
    write("message", message);
    run("openssl dgst -sha256 -sign key.pem " + options + " -out signature message");
    return content("signature");
  }
};

TEST_F(ForeignKey, EcdsaVerifiesWhateverTheLengthOfItsSignature) {
  run("openssl ecparam -name prime256v1 -genkey -noout -out key.pem");
  const auto key = public_half();
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->type(), KeyType::ecdsa_p256);
  for (int turn = 0; turn < 16; ++turn) {
    const std::string signature = sign("message");
    EXPECT_TRUE(key->verifies("message", signature)) << to_hex(signature);
    EXPECT_FALSE(key->verifies("massage", signature));
    EXPECT_FALSE(key->verifies("message", signature + "x"));
    EXPECT_FALSE(key->verifies("message", signature.substr(1)));
  }
  EXPECT_FALSE(key->verifies("message", std::string(72, 'x')));
  EXPECT_FALSE(key->verifies("message", ""));
}

TEST(ForeignKeyVectors, EcdsaVerifiesWhicheverOfTheTwoValuesOfSWasWritten) {
  const auto key = PublicKey::from_pem("-----BEGIN PUBLIC KEY-----\n"
                                       "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExEK0k8nUCyDOupQkZmecFVoiMmFO\n"
                                       "DWUXQcBWJcAIdyp3vOHluQXOlDkdqhC1yv148qpSu9+WSjpRa5viiA3HZA==\n"
                                       "-----END PUBLIC KEY-----\n");
  ASSERT_TRUE(key) << key.error().message;
  const std::string r = "0220478dee50dfc412766548d79966a4ba5b2465e7153dcb3f28835e48851407545b";
  const std::string low = "02202bb2aa29fc9b87a4fd3d501e4c1458ebb35596af4c6f05fb8cb846b9f7a86d75";
  const std::string high = "022100d44d55d50364785c02c2afe1b3eba714099163fe5aa898896701840904bab7dc";
  EXPECT_TRUE(key->verifies("message", *from_hex("3044" + r + low)));
  EXPECT_TRUE(key->verifies("message", *from_hex("3045" + r + high)));
  EXPECT_FALSE(key->verifies("message", *from_hex("3044" + low + r)));
}

TEST_F(ForeignKey, RsaPssVerifiesWithSaltsOfAnyLength) {
  run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
  const auto key = public_half();
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->type(), KeyType::rsa);
  for (const std::string salt : {"0", "20", "32", "max"}) {
    const std::string signature = sign("message", "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:" + salt);
    EXPECT_TRUE(key->verifies("message", signature)) << salt;
    EXPECT_FALSE(key->verifies("massage", signature)) << salt;
  }
}

TEST_F(ForeignKey, RsaRefusesTheOlderPaddingAndGarbage) {
  run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
  const auto key = public_half();
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_FALSE(key->verifies("message", sign("message")));
  for (const std::size_t size : {0u, 64u, 255u, 256u, 257u, 384u}) EXPECT_FALSE(key->verifies("message", std::string(size, 'x')));
}

TEST_F(ForeignKey, Ed25519VerifiesWhatOpensslSigned) {
  run("openssl genpkey -algorithm ed25519 -out key.pem");
  const auto key = public_half();
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->type(), KeyType::ed25519);
  write("message", "message");
  run("openssl pkeyutl -sign -rawin -inkey key.pem -in message -out signature");
  EXPECT_TRUE(key->verifies("message", content("signature")));
}

TEST_F(ForeignKey, KeepsItsPem) {
  run("openssl ecparam -name prime256v1 -genkey -noout -out key.pem");
  const auto key = public_half();
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->pem(), content("key.pub"));
}

TEST_F(ForeignKey, IsRefusedWhereSomethingFollowsIt) {
  for (const char* make : {"openssl ecparam -name prime256v1 -genkey -noout -out key.pem", "openssl genpkey -algorithm ed25519 -out key.pem",
                           "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem"}) {
    run(make);
    const auto key = public_half();
    ASSERT_TRUE(key) << key.error().message;
    const std::string der = from_pem("PUBLIC KEY", key->pem()).value();
    EXPECT_EQ(PublicKey::from_der(der).value(), *key);
    EXPECT_FALSE(PublicKey::from_der(der + "more"));
  }
}

TEST_F(ForeignKey, IsRefusedWhereWeakOrUnknown) {
  run("openssl ecparam -name secp384r1 -genkey -noout -out key.pem");
  EXPECT_THAT(public_half().error().message, testing::HasSubstr("another curve than P-256"));
  run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out key.pem");
  EXPECT_THAT(public_half().error().message, testing::HasSubstr("1024 bits"));
  run("openssl genpkey -algorithm x25519 -out key.pem");
  EXPECT_EQ(public_half().error().code, Errc::protocol);
}

TEST_F(ForeignKey, IsRefusedWhereBroken) {
  for (const char* pem : {"", "-----BEGIN PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
                          "-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----",
                          "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0C\n-----END PUBLIC KEY-----"})
    EXPECT_EQ(PublicKey::from_pem(pem).error().code, Errc::protocol) << pem;
}

}  // namespace
}  // namespace berth::crypto
