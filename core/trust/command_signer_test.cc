#include "core/trust/command_signer.h"

#include <gmock/gmock.h>

#include "core/crypto/openssl_fixture.h"

namespace berth::trust {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class CommandSignerTest : public crypto::OpensslFixture {
 protected:
  CommandSignerTest() {
    run("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub");
  }

  crypto::PublicKey key() const { return *crypto::PublicKey::from_pem(content("key.pub")); }

  Result<std::string> sign(const std::string& command, std::string_view bytes = "hello", std::chrono::milliseconds deadline = 20s) const {
    return signer_of(SigningCommand{.command = "cd " + folder.string() + "; " + command, .key = key(), .deadline = deadline})->sign(bytes);
  }

  void expect_fails(const std::string& command, Errc code, const std::string& says, std::chrono::milliseconds deadline = 20s) const {
    const auto signature = sign(command, "hello", deadline);
    ASSERT_FALSE(signature) << command;
    EXPECT_EQ(signature.error().code, code) << signature.error().message;
    EXPECT_THAT(signature.error().message, HasSubstr(says));
  }
};

TEST_F(CommandSignerTest, TakesASignatureInBase64OrHex) {
  const std::string large(3u << 20, 'x');  // more than a socket holds at once
  for (const char* form : {"openssl base64", "openssl base64 -A", "od -An -v -tx1"}) {
    const auto signature = sign(std::string("openssl dgst -sha256 -sign key.pem | ") + form, large);
    ASSERT_TRUE(signature) << form << ": " << signature.error().message;
    EXPECT_TRUE(key().verifies(large, *signature)) << form;
  }
}

TEST_F(CommandSignerTest, UsesNothingThatTheKeyDidNotSign) {
  expect_fails("echo 00ff", Errc::trust, "no signature of its key");
  expect_fails("echo bye | openssl dgst -sha256 -sign key.pem | openssl base64", Errc::trust, "no signature of its key");
  expect_fails("true", Errc::trust, "no signature of its key");
}

TEST_F(CommandSignerTest, TellsHowTheCommandFailed) {
  expect_fails("exit 3", Errc::io, "ended with 3");
  expect_fails("kill -9 $$", Errc::io, "was killed by signal 9");
  expect_fails("no-such-program", Errc::io, "ended with 127");
  expect_fails("cat /dev/zero", Errc::io, "prints more than");
}

TEST_F(CommandSignerTest, EndsWithItsDeadlineAndLeavesNothingRunning) {
  expect_fails("sleep 1000 & echo $! > child; wait", Errc::timeout, "did not sign within 0.5 s", 500ms);
  const std::string child = content("child");
  EXPECT_FALSE(child.empty());
  // A killed orphan may stay a zombie until init buries it.
  run("for i in 1 2 3 4 5 6 7 8 9 10; do s=$(sed 's/.*) //' /proc/" + child.substr(0, child.size() - 1) +
      "/stat 2>/dev/null | cut -c1); [ -z \"$s\" ] || [ \"$s\" = Z ] && exit 0; sleep 0.1; done; exit 1");
}

}  // namespace
}  // namespace berth::trust
