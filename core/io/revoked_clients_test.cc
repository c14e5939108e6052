#include "core/io/https_server_fixture.h"

#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "core/files/files.h"

namespace berth::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

/// A server that looks at a list of revoked certificates.
class RevokedClients : public HttpsServerTest {
 protected:
  /// Puts another list in the place of the one that is looked at.
  void list(const std::vector<std::string>& revoked, int seconds = 86400, const std::string& ca = "ca") {
    authority->list_revoked("new.crl", revoked, seconds, ca);
    fs::rename(authority->path("new.crl"), file("crl.pem"));
  }
  /// What a refused client is told, and what the log says; without where it came from.
  std::pair<std::string, std::string> refused(const std::string& client) {
    refusals.clear();
    std::string told = ask(client);
    wait_for([&] { return !locked(refusals).empty(); });
    return {told, locked(refusals).back()};
  }
};

TEST_F(RevokedClients, AreRefusedFromTheNextConnectionOnAndNobodyElseIs) {
  list({});
  start_tls({}, "127.0.0.1", true, file("crl.pem"));
  EXPECT_EQ(ask("client"), "/page ");
  EXPECT_EQ(ask("rsa-client"), "/page ");
  list({"client"});
  const auto [told, logged] = refused("client");
  EXPECT_THAT(told, HasSubstr("by alert 44 (certificate revoked): its authority has revoked it"));
  EXPECT_THAT(logged, AllOf(HasSubstr("127.0.0.1: its certificate is refused; its authority has revoked it: client, "), HasSubstr("spiffe://example.org/ci"), HasSubstr("serial number ")));
  EXPECT_EQ(locked(other_revocations), 1);
  EXPECT_THAT(locked(exchanged), IsEmpty()) << "of certificates";
  EXPECT_EQ(ask("rsa-client"), "/page ");
  EXPECT_THAT(ask("strange-client"), HasSubstr("alert 48 (unknown CA)"));
  list({});
  EXPECT_EQ(ask("client"), "/page ") << "as the list says";
}

TEST_F(RevokedClients, NobodyIsBelievedByAListThatIsMissingWrongOrOver) {
  start_tls({}, "127.0.0.1", true, file("crl.pem"));
  const std::string told = "alert 46 (certificate unknown): nobody can tell there whether it was revoked";
  EXPECT_THAT(refused("client").first, HasSubstr(told)) << "there is none";
  list({}, 86400, "other-ca");
  EXPECT_THAT(refused("client").second, HasSubstr("there is no list that tells whether its authority revoked it"));
  list({"client"});
  EXPECT_THAT(refused("client").first, HasSubstr("alert 44"));
  ASSERT_TRUE(files::replace(file("crl.pem"), "no list"));
  EXPECT_THAT(refused("client").first, HasSubstr(told)) << "and the list before does not count";
  EXPECT_THAT(refused("rsa-client").first, HasSubstr(told));
  list({}, 3);
  EXPECT_EQ(ask("client"), "/page ");
  std::this_thread::sleep_for(3200ms);
  const auto [over, logged] = refused("client");
  EXPECT_THAT(over, HasSubstr(told));
  EXPECT_THAT(logged, HasSubstr("the list of what its authority revoked has ended"));
  list({});
  EXPECT_EQ(ask("client"), "/page ");
}

TEST_F(RevokedClients, AreRefusedAlsoWhereTheOtherFilesAreWrong) {
  list({});
  start_tls({}, "127.0.0.1", true, file("crl.pem"));
  ASSERT_TRUE(files::replace(file("server.pem"), "no certificate"));
  list({"client"});
  EXPECT_THAT(refused("client").first, HasSubstr("alert 44"));
  EXPECT_EQ(locked(kept).size(), 1u);
  EXPECT_EQ(ask("rsa-client"), "/page ");
}

}  // namespace
}  // namespace berth::io
