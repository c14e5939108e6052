#include "daemon/secrets/known_secrets.h"

#include <string>

#include <gtest/gtest.h>

namespace berth::secrets {
namespace {

std::string redacted(const KnownSecrets& secrets, std::string text) {
  secrets.redact(text);
  return text;
}

TEST(KnownSecrets, AreTakenOutWhereverTheyStand) {
  KnownSecrets secrets;
  EXPECT_TRUE(secrets.empty());
  EXPECT_TRUE(secrets.add("hunter2!"));
  EXPECT_TRUE(secrets.add("hunter2!longer"));
  EXPECT_TRUE(secrets.add("Hunter2?"));
  EXPECT_FALSE(secrets.add("short"));
  EXPECT_EQ(redacted(secrets, "a hunter2! b hunter2!longer c hunter2!hunter2! short"), "a [redacted] b [redacted] c [redacted][redacted] short");
  EXPECT_EQ(redacted(secrets, "hunter2!"), "[redacted]");
  EXPECT_EQ(redacted(secrets, "hunterHunter2?"), "hunter[redacted]");
  for (const char* const kept : {"", "h", "hunter2", "hunter2?", "HUNTER2!"}) EXPECT_EQ(redacted(secrets, kept), kept);
}

TEST(KnownSecrets, AreFoundAsJsonWritesThemAndLineByLine) {
  KnownSecrets secrets;
  secrets.add("pass\"word\\x");
  secrets.add("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nAb\n-----END KEY-----\n");
  EXPECT_EQ(redacted(secrets, R"({"p":"pass\"word\\x"} and MIIEvQIBADANBgkqhkiG Ab)"), R"({"p":"[redacted]"} and [redacted] Ab)");
  EXPECT_EQ(redacted(secrets, "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nAb\n-----END KEY-----"), "[redacted]");
  KnownSecrets bytes;
  bytes.add("se\xff\xfe" "cret");
  EXPECT_EQ(redacted(bytes, "\xff" "se\xff\xfe" "cret\xff"), "\xff[redacted]\xff");
}

TEST(KnownSecrets, TheOldestOfTooManyAreForgotten) {
  KnownSecrets secrets;
  for (std::size_t i = 0; i <= KnownSecrets::kMost; ++i) secrets.add("secret " + std::to_string(1000 + i));
  EXPECT_FALSE(secrets.knows("secret 1000"));
  EXPECT_TRUE(secrets.knows("secret 1001\n"));
  EXPECT_EQ(redacted(secrets, "secret 1000 secret 1512"), "secret 1000 [redacted]");
}

TEST(GivenSecrets, AreThoseOfTheApp) {
  GivenSecrets given;
  EXPECT_EQ(given.of("web"), nullptr);
  given.note("web", "hunter2!");
  given.note("shop", "short");
  EXPECT_EQ(given.of("shop"), nullptr);
  const auto before = given.of("web");
  ASSERT_NE(before, nullptr);
  given.note("web", "hunter2!");
  EXPECT_EQ(given.of("web"), before) << "nothing new";
  given.note("web", "correct horse");
  EXPECT_EQ(redacted(*given.of("web"), "hunter2! correct horse"), "[redacted] [redacted]");
  EXPECT_EQ(redacted(*before, "correct horse"), "correct horse") << "whoever has it reads on undisturbed";
}

}  // namespace
}  // namespace berth::secrets
