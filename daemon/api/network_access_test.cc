#include "daemon/api/network_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/on_loop.h"
#include "core/io/proxy.h"
#include "daemon/api/fake_operations.h"

namespace berth::api {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kToken = "0123456789abcdef0123456789abcdef";

class NetworkAccessTest : public testing::Test {
 protected:
  NetworkAccessTest() { node.wanted_token = std::make_shared<const crypto::Secret>(std::string(kToken)); }

  io::ServerReply ask(const std::string& path, const std::string& authorization = "", const std::string& method = "GET") {
    io::ServerRequest request{.method = method, .path = path, .query = {}, .headers = {{"host", "127.0.0.1:9464"}}, .body = {}, .peer = {}};
    if (!authorization.empty()) request.headers["authorization"] = authorization;
    return io::on_loop(loop, api.on_network(std::move(request)));
  }

  io::Loop loop;
  FakeOperations operations;
  FakeNode node;
  Api api{operations, node};
};

TEST_F(NetworkAccessTest, EverythingButHealthWantsTheToken) {
  for (const char* path : {"/metrics", "/metrics/apps", "/sd", "/status", "/page", "/page/files/page.js", "/page/status", "/page/events", "/nothing", "/v1/status", "/healthz/", "/healthz/x", "/"})
    for (const char* method : {"GET", "HEAD", "POST", "OPTIONS"}) EXPECT_EQ(ask(path, "", method).status, 401) << method << " " << path;
  EXPECT_THAT(operations.calls, IsEmpty());
  EXPECT_EQ(ask("/healthz").status, 200);
  EXPECT_EQ(ask("/readyz").status, 200);
  const std::string shown = std::string("Bearer ") + kToken;
  for (const char* path : {"/metrics", "/metrics/apps", "/sd", "/status", "/page", "/page/status"}) EXPECT_EQ(ask(path, shown).status, 200) << path;
  EXPECT_EQ(ask("/", shown).status, 302);
  EXPECT_EQ(ask("/v1/status", shown).status, 404) << "it opens nothing that is not there without a token";
}

TEST_F(NetworkAccessTest, ARefusalSaysWhatIsWantedAndNothingOfTheToken) {
  for (const std::string said : {"", "Bearer 0123"}) {
    const auto refused = ask("/metrics", said);
    EXPECT_EQ(refused.content_type, "application/problem+json");
    EXPECT_EQ(refused.headers.at("www-authenticate"), "Bearer realm=\"berth\"");
    EXPECT_THAT(refused.body, HasSubstr("[metrics] token"));
    EXPECT_THAT(refused.body, testing::Not(HasSubstr("0123")));
  }
  for (const char* path : {"/page", "/"}) EXPECT_EQ(ask(path).headers.at("www-authenticate"), "Basic realm=\"berth\", charset=\"UTF-8\"") << "what browsers ask their users for, at " << path;
}

TEST_F(NetworkAccessTest, TheTokenIsABearersOrThePasswordOfTheUserBerth) {
  const std::string token = kToken;
  for (const std::string& right : {"Bearer " + token, "bearer " + token, "BEARER   " + token, io::basic_authorization("berth", token), "basic" + io::basic_authorization("berth", token).substr(5)})
    EXPECT_EQ(ask("/metrics", right).status, 200) << right;
  for (const std::string& wrong :
       {token, "Bearer" + token, std::string("Bearer "), std::string("Bearer"), "Bearer " + token.substr(1), "Bearer " + token + "0", "Bearer " + token + ", Bearer " + token, "Bearer " + token + " ", "Bearer \"" + token + "\"",
        "Token " + token, "Basic " + token, io::basic_authorization("admin", token), io::basic_authorization("berth", token + "0"), io::basic_authorization("", token), std::string("Basic "),
        "Bearer " + io::basic_authorization("berth", token)})
    EXPECT_EQ(ask("/metrics", wrong).status, 401) << wrong;
}

TEST_F(NetworkAccessTest, NobodyIsLetInWhereTheTokenCannotBeTold) {
  node.wanted_token = fail(Errc::unreachable, "it is away");
  EXPECT_EQ(ask("/metrics").status, 503);
  EXPECT_EQ(ask("/metrics", std::string("Bearer ") + kToken).status, 503);
  EXPECT_EQ(ask("/healthz").status, 200);
  node.wanted_token = std::make_shared<const crypto::Secret>();
  for (const char* nothing : {"", "Bearer ", "Bearer", "Basic YmVydGg6"}) EXPECT_EQ(ask("/metrics", nothing).status, 401) << "an empty one is none: " << nothing;
}

TEST_F(NetworkAccessTest, UnderAnothersNameABrowserIsNotAskedForIt) {
  io::ServerRequest request{.method = "GET", .path = "/page", .query = {}, .headers = {{"host", "evil.example"}}, .body = {}, .peer = {}};
  const auto refused = io::on_loop(loop, api.on_network(std::move(request)));
  EXPECT_EQ(refused.status, 403);
  EXPECT_FALSE(refused.headers.contains("www-authenticate"));
}

TEST_F(NetworkAccessTest, WithoutATokenEverybodyIsAnswered) {
  node.wanted_token = Token();
  EXPECT_EQ(ask("/metrics").status, 200);
  EXPECT_EQ(ask("/metrics", "Bearer whatever").status, 200);
}

}  // namespace
}  // namespace berth::api
