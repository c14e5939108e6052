#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "core/io/tls_authority.h"
#include "core/io/tls_credentials.h"

namespace berth::io {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(TlsCredentials, WantFilesThatFitEachOther) {
  const Authority authority;
  const auto load = [&](const std::string& certificate, const std::string& key, const std::string& ca) {
    const auto loaded = TlsCredentials::load({authority.path(certificate), authority.path(key), authority.path(ca)}, [](TlsNews, const std::string&) {});
    return loaded ? std::string() : loaded.error().message;
  };
  EXPECT_EQ(load("local.pem", "local.key", "ca.pem"), "");
  EXPECT_THAT(load("none.pem", "local.key", "ca.pem"), HasSubstr("none.pem: no certificate"));
  EXPECT_THAT(load("local.pem", "local.pem", "ca.pem"), HasSubstr("local.pem: no private key"));
  EXPECT_THAT(load("local.pem", "local.key", "ca.key"), HasSubstr("ca.key: no certificate"));
  EXPECT_THAT(load("local.pem", "client.key", "ca.pem"), HasSubstr("does not belong to"));
}

TEST(TlsCredentials, WantEveryAuthorityThatIsNamedAndKeepWhatWasWhereOneCannotBeRead) {
  const Authority authority;
  const std::string both = authority.path("both.pem");
  const auto put = [&](std::initializer_list<const char*> names) {
    std::ofstream all(both);
    for (const char* name : names) all << std::ifstream(authority.path(name)).rdbuf();
  };
  std::vector<std::string> told;
  const auto tell = [&](TlsNews news, const std::string& what) { told.push_back((news == TlsNews::kept ? "kept: " : "") + what); };
  const TlsServerFiles files{authority.path("local.pem"), authority.path("local.key"), both};
  put({"ca.pem", "ed25519.pem"});
  const auto refused = TlsCredentials::load(files, tell);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("both.pem: 1 of the certificates in it cannot be read"), HasSubstr("Ed25519")));
  put({"ca.pem"});
  const auto loaded = TlsCredentials::load(files, tell);
  ASSERT_TRUE(loaded);
  put({"ca.pem", "ed25519.pem"});
  (*loaded)->refresh();
  EXPECT_THAT(told, ElementsAre(AllOf(HasSubstr("kept: "), HasSubstr("both.pem"))));
}

}  // namespace
}  // namespace berth::io
