#include "core/io/http_text.h"

#include <gtest/gtest.h>

#include "core/io/ip_address.h"

namespace berth::io {
namespace {

TEST(PercentEncoding, EncodesAllButPlainCharacters) {
  EXPECT_EQ(percent_encode("AZaz09_.-~"), "AZaz09_.-~");
  EXPECT_EQ(percent_encode("a b/c+ä"), "a%20b%2Fc%2B%C3%A4");
  EXPECT_EQ(percent_decode("a%20b%2Fc%2B%C3%A4"), "a b/c+ä");
  EXPECT_EQ(percent_decode("%00%ff"), std::string("\0\xff", 2));
}

TEST(PercentEncoding, RefusesMalformedEscapes) {
  for (const char* text : {"%", "%4", "a%", "%zz", "%+1", "%1g"}) EXPECT_FALSE(percent_decode(text)) << text;
}

TEST(Target, IsTakenApartAndDecoded) {
  const auto target = parse_target("/v1/apps/my%20app?since=2024-01-01T00:00:00+02:00&empty&x=%26%3D");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/v1/apps/my app");
  EXPECT_EQ(target->query, (std::map<std::string, std::string>{{"since", "2024-01-01T00:00:00+02:00"}, {"empty", ""}, {"x", "&="}}));
  EXPECT_EQ(parse_target("/v1?")->path, "/v1");
}

TEST(Target, OfTheAbsoluteFormHasAHost) {
  const auto target = parse_target("http://example.org:8080/x?y=1");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->host, "example.org:8080");
  EXPECT_EQ(target->path, "/x");
  EXPECT_EQ(parse_target("http://example.org")->path, "/");
  EXPECT_EQ(parse_target("https://example.org/x")->host, "example.org");
}

TEST(Host, IsANameOrAnAddressAndAPort) {
  for (const char* host : {"localhost", "edge-1.example.org:9464", "10.0.0.1", "[::1]", "[::ffff:10.0.0.1]:80", "a_b", "", "localhost:", "1"}) EXPECT_TRUE(is_host(host)) << host;
  for (const char* host : {"a, b", "a,b", "a b", "a/b", "me@a", "a:b", "a:80:80", "::1", "[::1", "[::1]80", "[a/b]", "http://a", "a?b", "a#b", "a\\b", "\xff", "<a>", "\"a\""})
    EXPECT_FALSE(is_host(host)) << host;
}

TEST(Target, RefusesWhatLeavesItsPlace) {
  for (const char* target : {"/..", "/a/../b", "/a/%2e%2e/b", "/a/%2E./b", "/a/.", "/./a", "/a%2f..%2fb", "/a%2Fb", "/a%00b", "/a%0ab", "/%zz", "", "*", "a/b",
                             "example.org:443", "http:///x", "/a?x=%z", "/a?x=1&x=2"})
    EXPECT_EQ(parse_target(target).error().code, Errc::protocol) << target;
}

TEST(RequestHead, SaysWhatIsAsked) {
  HttpRequest request{.to = {.address = "::1", .port = 8080}, .method = "POST", .target = "/x?y", .headers = {{"Accept", "text/plain"}}};
  request.body = "hello";
  EXPECT_EQ(request_head(request).value(), "POST /x?y HTTP/1.1\r\naccept: text/plain\r\nconnection: close\r\ncontent-length: 5\r\n"
                                           "host: [::1]:8080\r\nuser-agent: berth/" BERTH_VERSION "\r\n\r\n");
  request.headers["host"] = "web.example";
  EXPECT_NE(request_head(request)->find("\r\nhost: web.example\r\n"), std::string::npos);
}

TEST(RequestHead, RefusesWhatWouldBreakOutOfItsLine) {
  EXPECT_EQ(request_head({.method = "GET /"}).error().code, Errc::usage);
  EXPECT_EQ(request_head({.target = "/a b"}).error().code, Errc::usage);
  EXPECT_EQ(request_head({.target = "/\r\nx: y"}).error().code, Errc::usage);
  EXPECT_EQ(request_head({.headers = {{"a b", "c"}}}).error().code, Errc::usage);
  EXPECT_EQ(request_head({.headers = {{"a", "b\r\nc: d"}}}).error().code, Errc::usage);
}

TEST(ReplyHead, KeepsAValueInItsLine) {
  ServerReply reply;
  reply.headers["etag"] = "a\r\nb: c";
  reply.headers["content-length"] = "99";
  reply.body = "{}";
  const std::string head = reply_head(reply, Framing::length, true);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\ndate: ")) << head;
  EXPECT_NE(head.find("\r\netag: a  b: c\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("\r\ncontent-length: 2\r\n"), std::string::npos) << head;
  EXPECT_EQ(head.find("99"), std::string::npos) << head;
}

TEST(IpAddress, IsNumeric) {
  EXPECT_EQ(ip_address("127.0.0.1", 80)->text(), "127.0.0.1");
  EXPECT_EQ(ip_address("0:0::1", 80)->text(), "::1");
  EXPECT_EQ(ip_address("::1", 80)->port(), 80);
  EXPECT_EQ(ip_address("localhost", 80).error().code, Errc::usage);
  EXPECT_EQ(ip_address("", 80).error().code, Errc::usage);
  EXPECT_EQ(with_port("::1", 80), "[::1]:80");
}

}  // namespace
}  // namespace berth::io
