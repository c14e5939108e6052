#include "core/crypto/keys.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/crypto/openssl_fixture.h"
#include "core/crypto/sha256.h"

namespace berth::crypto {
namespace {

class SigningKeyFile : public OpensslFixture {};

TEST(SigningKeyTest, SignsAsRfc8032Does) {
  // RFC 8032, 7.1, test 2.
  const std::string seed = *from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  const std::string der = *from_hex("302e020100300506032b657004220420") + seed;
  std::string base64 = "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7";
  const auto key = SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\n" + base64 + "\n-----END PRIVATE KEY-----\n", "test 2");
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(to_hex(key->public_key().bytes()), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  EXPECT_EQ(to_hex(key->sign("\x72")),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

TEST(SigningKeyTest, VerifiesItsOwnSignatureAndNoOther) {
  const auto key = SigningKey::generate();
  const auto other = SigningKey::generate();
  const std::string signature = key.sign("message");
  EXPECT_TRUE(key.public_key().verifies("message", signature));
  EXPECT_FALSE(key.public_key().verifies("Message", signature));
  EXPECT_FALSE(other.public_key().verifies("message", signature));
  for (std::size_t at = 0; at < signature.size(); ++at) {
    std::string flipped = signature;
    flipped[at] ^= 1;
    EXPECT_FALSE(key.public_key().verifies("message", flipped)) << at;
  }
  for (const std::string& garbage : {std::string(), std::string(63, 'x'), std::string(64, '\0'), signature + "x"})
    EXPECT_FALSE(key.public_key().verifies("message", garbage));
}

TEST_F(SigningKeyFile, ComesBackFromItsFileThatOnlyTheOwnerReads) {
  const auto key = SigningKey::generate();
  ASSERT_TRUE(key.save(folder / "key.pem"));
  struct stat about {};
  ASSERT_EQ(::stat((folder / "key.pem").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600u);
  const auto back = SigningKey::load(folder / "key.pem");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->public_key(), key.public_key());
}

TEST_F(SigningKeyFile, IsNeverReplaced) {
  ASSERT_TRUE(SigningKey::generate().save(folder / "key.pem"));
  const std::string before = content("key.pem");
  const auto again = SigningKey::generate().save(folder / "key.pem");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::exists);
  EXPECT_EQ(content("key.pem"), before);
}

TEST_F(SigningKeyFile, IsRefusedWhereOthersCanReadIt) {
  ASSERT_TRUE(SigningKey::generate().save(folder / "key.pem"));
  ASSERT_EQ(::chmod((folder / "key.pem").c_str(), 0640), 0);
  const auto loaded = SigningKey::load(folder / "key.pem");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::permission);
  EXPECT_THAT(loaded.error().message, testing::HasSubstr("chmod 600"));
}

TEST_F(SigningKeyFile, IsReadByOpenssl) {
  const auto key = SigningKey::generate();
  ASSERT_TRUE(key.save(folder / "key.pem"));
  run("openssl pkey -in key.pem -pubout -out key.pub");
  EXPECT_EQ(content("key.pub"), key.public_key().pem());
}

TEST_F(SigningKeyFile, IsTakenFromOpenssl) {
  run("openssl genpkey -algorithm ed25519 -out key.pem && chmod 600 key.pem && openssl pkey -in key.pem -pubout -out key.pub");
  const auto key = SigningKey::load(folder / "key.pem");
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(*PublicKey::from_pem(content("key.pub")), key->public_key());
}

TEST_F(SigningKeyFile, SaysWhichFileIsMissingOrOfAnotherKind) {
  EXPECT_EQ(SigningKey::load(folder / "none.pem").error().code, Errc::not_found);
  for (const auto& [make, complaint] : {std::pair("ecparam -name secp384r1 -genkey -noout", "another curve than P-256"),
                                        std::pair("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024", "1024 bits, not 2048 to 8192"),
                                        std::pair("genpkey -algorithm x25519", "of a kind that berth does not know"),
                                        std::pair("rand -base64 64", "is not a private key in PEM")}) {
    run(std::string("umask 077; openssl ") + make + " >key.pem");
    const auto key = SigningKey::load(folder / "key.pem");
    ASSERT_FALSE(key) << make;
    EXPECT_EQ(key.error().code, Errc::usage);
    EXPECT_THAT(key.error().message, testing::HasSubstr("key.pem: "));
    EXPECT_THAT(key.error().message, testing::HasSubstr(complaint));
  }
}

}  // namespace
}  // namespace berth::crypto
