#include "core/io/url.h"

#include <gtest/gtest.h>

namespace berth::io {
namespace {

std::string again(std::string_view text) {
  const auto url = parse_url(text);
  return url ? url->text() : url.error().message;
}

TEST(Url, IsTakenApart) {
  const auto url = parse_url("https://Repo.Example:8443/a/b?c=d#e");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_TRUE(url->https);
  EXPECT_EQ(url->host, "repo.example");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b?c=d");
  EXPECT_EQ(url->authority(), "repo.example:8443");
}

TEST(Url, IsWrittenAsItIsAsked) {
  EXPECT_EQ(again("http://a"), "http://a/");
  EXPECT_EQ(again("HTTP://a:80/x"), "http://a/x");
  EXPECT_EQ(again("https://a:443/x"), "https://a/x");
  EXPECT_EQ(again("http://a:443?x"), "http://a:443/?x");
  EXPECT_EQ(again("http://[::1]/x"), "http://[::1]/x");
  EXPECT_EQ(again("http://[::1]:8080/x"), "http://[::1]:8080/x");
  EXPECT_EQ(again("http://a/b c\xc3\xa4\r\n%41"), "http://a/b%20c%C3%A4%0D%0A%41");
}

TEST(Url, RefusesWhatItCannotAsk) {
  for (const char* text : {"", "ftp://a/", "a/b", "http:/a", "http://", "http:///x", "http://a:0/", "http://a:65536/", "http://a:x/", "http://[::1/",
                           "http://[a]/", "http://[::1]x/", "http://user:secret@a/", "http://a b/", "http://127.0.0.1 /"})
    EXPECT_EQ(parse_url(text).error().code, Errc::usage) << text;
  EXPECT_EQ(parse_url("http://user:secret@a/").error().message.find("secret"), std::string::npos);
}

std::string redirected(std::string_view reference) {
  const auto url = resolve(*parse_url("https://a:8443/b/c/d?q"), reference);
  return url ? url->text() : url.error().message;
}

TEST(Url, ResolvesALocation) {
  EXPECT_EQ(redirected("http://x/y"), "http://x/y");
  EXPECT_EQ(redirected("//x/y"), "https://x/y");
  EXPECT_EQ(redirected("/y?z#f"), "https://a:8443/y?z");
  EXPECT_EQ(redirected("y"), "https://a:8443/b/c/y");
  EXPECT_EQ(redirected("./y/"), "https://a:8443/b/c/y/");
  EXPECT_EQ(redirected("../y"), "https://a:8443/b/y");
  EXPECT_EQ(redirected("../../../../y"), "https://a:8443/y");
  EXPECT_EQ(redirected(".."), "https://a:8443/b/");
  EXPECT_EQ(redirected("?z"), "https://a:8443/b/c/d?z");
  EXPECT_EQ(redirected("y:8"), "'y:8' is neither http nor https");
  EXPECT_EQ(redirected("file:///etc/passwd"), "'file:///etc/passwd' is neither http nor https");
}

}  // namespace
}  // namespace berth::io
