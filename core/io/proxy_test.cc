#include "core/io/proxy.h"

#include <cstdlib>
#include <future>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/raw_peer.h"

namespace berth::io {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Answers one request after the other and remembers what was asked.
struct Peer {
  explicit Peer(std::vector<std::string> its_answers)
      : answers(std::move(its_answers)), raw([this](int connection) {
          heads.push_back(read_head(connection));
          send_raw(connection, answers[std::min(heads.size(), answers.size()) - 1]);
        }) {}
  std::string url(const std::string& path = "/") const { return fmt::format("http://127.0.0.1:{}{}", raw.port(), path); }

  std::vector<std::string> answers, heads;
  RawPeer raw;
};

Result<std::string> fetch(const std::string& url, FetchOptions options) {
  std::string body;
  options.most = 10'000'000;
  auto done = http_fetch(url, options, [&](std::string_view piece) -> Result<void> {
    body += piece;
    return {};
  });
  if (!done) return std::unexpected(std::move(done.error()));
  return body;
}

bool goes_through(const std::string& url, const std::string& except) {
  const auto proxy = proxy_for(*parse_url(url), {.for_http = "http://proxy:3128", .for_https = "http://proxy:3129", .except = except});
  EXPECT_TRUE(proxy) << proxy.error().message;
  return proxy->has_value();
}

TEST(Proxy, IsReadFromAnAddressWithOrWithoutAUser) {
  const auto plain = parse_proxy("http://proxy.example:3128/");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->at.host, "proxy.example");
  EXPECT_EQ(plain->at.port, 3128);
  EXPECT_EQ(plain->authorization, "");
  EXPECT_EQ(parse_proxy("10.0.0.1:8080")->at.host, "10.0.0.1");
  EXPECT_EQ(parse_proxy("http://us%40er:pa:ss@proxy:1")->authorization, basic_authorization("us@er", "pa:ss"));
  EXPECT_EQ(basic_authorization("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") << "RFC 7617, 2";
}

TEST(Proxy, ComplaintsDoNotShowAPassword) {
  for (const std::string text : {"https://u:hunter2@proxy:1", "http://u:hunter2@", "http://hunter2@proxy:1", "http://u:hunter2@proxy:1/path", "socks5://u:hunter2@p:1"}) {
    const auto wrong = parse_proxy(text);
    ASSERT_FALSE(wrong) << text;
    EXPECT_EQ(wrong.error().code, Errc::usage);
    EXPECT_THAT(wrong.error().message, Not(HasSubstr("hunter2")));
  }
}

TEST(Proxy, IsPassedOverForWhatNoProxyNames) {
  EXPECT_TRUE(goes_through("https://releases.example.org/", ""));
  EXPECT_TRUE(goes_through("http://releases.example.org/", "example.com, other.org"));
  EXPECT_FALSE(goes_through("https://releases.example.org/", "*"));
  EXPECT_FALSE(goes_through("https://releases.example.org/", "one.org,Example.org"));
  EXPECT_FALSE(goes_through("https://releases.example.org/", ".example.org"));
  EXPECT_FALSE(goes_through("https://releases.example.org/", "*.example.org"));
  EXPECT_TRUE(goes_through("https://badexample.org/", "example.org"));
  EXPECT_FALSE(goes_through("http://host:8080/", "host:8080"));
  EXPECT_TRUE(goes_through("http://host:8081/", "host:8080"));
  EXPECT_FALSE(goes_through("http://10.1.2.3/", "10.0.0.0/8"));
  EXPECT_TRUE(goes_through("http://11.1.2.3/", "10.0.0.0/8"));
  EXPECT_FALSE(goes_through("http://10.1.2.3/", "10.1.2.3"));
  EXPECT_FALSE(goes_through("http://[fd00::1]/", "fd00::/8"));
  EXPECT_TRUE(goes_through("http://[fe00::1]/", "fd00::/8,10.0.0.0/999,/,x/8"));
}

TEST(Proxy, NeverStandsBeforeThisMachineItself) {
  for (const char* host : {"localhost", "127.0.0.1", "127.8.9.1", "[::1]", "[::ffff:127.0.0.1]"}) EXPECT_FALSE(goes_through(fmt::format("http://{}/", host), ""));
  EXPECT_TRUE(goes_through("http://localhost.example/", ""));
}

TEST(Proxy, ComesFromTheEnvironment) {
  ::setenv("http_proxy", "http://a:1", 1);
  ::setenv("HTTPS_PROXY", "http://b:2", 1);
  ::setenv("no_proxy", "c", 1);
  const auto options = proxies_of_environment();
  for (const char* name : {"http_proxy", "HTTPS_PROXY", "no_proxy"}) ::unsetenv(name);
  EXPECT_EQ(options.for_http, "http://a:1");
  EXPECT_EQ(options.for_https, "http://b:2");
  EXPECT_EQ(options.except, "c");
  ::setenv("HTTP_PROXY", "http://who-asks-a-cgi-program:1", 1);
  EXPECT_EQ(proxies_of_environment().for_http, "");
  ::unsetenv("HTTP_PROXY");
}

TEST(Proxy, IsAskedForTheWholeAddressOverPlainHttp) {
  Peer proxy({kHello});
  FetchOptions options;
  options.proxy.for_http = fmt::format("http://user:pass@127.0.0.1:{}", proxy.raw.port());
  const auto body = fetch("http://releases.example:81/a?b", options);
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(*body, "hello");
  EXPECT_THAT(proxy.heads[0], HasSubstr("GET http://releases.example:81/a?b HTTP/1.1\r\n"));
  EXPECT_THAT(proxy.heads[0], HasSubstr("\r\nhost: releases.example:81\r\n"));
  EXPECT_THAT(proxy.heads[0], HasSubstr("\r\nproxy-authorization: " + basic_authorization("user", "pass") + "\r\n"));
}

TEST(Proxy, ThatWillNotConnectIsNamedWithItsReason) {
  Peer proxy({"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
              "HTTP/1.1 200 OK\r\n\r\nmore than asked", "", "SSH-2.0\r\n"});
  FetchOptions options;
  options.proxy.for_https = fmt::format("http://127.0.0.1:{}", proxy.raw.port());
  const auto refused = [&] {
    const auto body = fetch("https://releases.example/a", options);
    EXPECT_FALSE(body);
    EXPECT_THAT(body.error().message, HasSubstr(fmt::format("proxy 127.0.0.1:{}", proxy.raw.port())));
    return body.error();
  };
  EXPECT_THAT(refused().message, HasSubstr("does not connect to releases.example:443: 407"));
  EXPECT_THAT(proxy.heads[0], HasSubstr("CONNECT releases.example:443 HTTP/1.1\r\nhost: releases.example:443\r\n"));
  EXPECT_EQ(refused().code, Errc::unreachable);
  EXPECT_EQ(refused().code, Errc::protocol);
  EXPECT_EQ(refused().code, Errc::unreachable);
  EXPECT_EQ(refused().code, Errc::protocol);
}

// ---------------------------------------------------------------- who we are

TEST(Authorization, IsToldToTheRepositoryAndToNoOtherPlace) {
  Peer other({kHello});
  Peer asked({"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n",
              "HTTP/1.1 302 Found\r\nLocation: " + other.url("/file") + "\r\nContent-Length: 0\r\n\r\n"});
  const auto body = fetch(asked.url(), {.authorization = "Bearer t0ken"});
  ASSERT_TRUE(body) << body.error().message;
  ASSERT_EQ(asked.heads.size(), 2u);
  for (const std::string& head : asked.heads) EXPECT_THAT(head, HasSubstr("\r\nauthorization: Bearer t0ken\r\n"));
  ASSERT_EQ(other.heads.size(), 1u);
  EXPECT_THAT(other.heads[0], Not(HasSubstr("t0ken"))) << "another port is another place";
}

TEST(Authorization, IsNotToldBackHomeEither) {
  // A place on the way decides where the path leads; what it asks for with our name on it is the repository's own.
  Peer asked({"", kHello});
  Peer other({"HTTP/1.1 302 Found\r\nLocation: " + asked.url("/file") + "\r\nContent-Length: 0\r\n\r\n"});
  asked.answers[0] = "HTTP/1.1 302 Found\r\nLocation: " + other.url("/") + "\r\nContent-Length: 0\r\n\r\n";
  const auto body = fetch(asked.url(), {.authorization = "Bearer t0ken"});
  ASSERT_TRUE(body) << body.error().message;
  ASSERT_EQ(asked.heads.size(), 2u);
  EXPECT_THAT(asked.heads[0], HasSubstr("t0ken"));
  EXPECT_THAT(asked.heads[1], Not(HasSubstr("t0ken")));
}

TEST(Authorization, IsNotToldOverPlainHttp) {
  Peer proxy({kHello});
  FetchOptions options{.authorization = "Bearer t0ken"};
  options.proxy.for_http = fmt::format("http://127.0.0.1:{}", proxy.raw.port());
  const auto body = fetch("http://releases.example/a", options);
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, Errc::usage);
  EXPECT_THAT(body.error().message, HasSubstr("use https"));
  EXPECT_TRUE(proxy.heads.empty());
}

// ---------------------------------------------------------------- the rate

TEST(Pace, LimitsWhatComesInASecond) {
  Peer peer({"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + std::string(300'000, 'x')});
  const auto before = Steady::now();
  const auto body = fetch(peer.url(), {.bytes_per_second = 1'000'000});
  const auto took = Steady::now() - before;
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(body->size(), 300'000u);
  EXPECT_GE(took, 300ms);
}

TEST(Pace, IsOneForAllFetchesThatShareIt) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x');
  Peer peers[] = {Peer({answer}), Peer({answer}), Peer({answer})};
  const FetchOptions options{.bytes_per_second = 1'000'000, .pace = shared_pace(1'000'000)};
  const auto before = Steady::now();
  std::vector<std::future<Result<std::string>>> fetches;
  for (const Peer& peer : peers) fetches.push_back(std::async(std::launch::async, fetch, peer.url(), options));
  for (auto& one : fetches) EXPECT_EQ(one.get().value_or("").size(), 200'000u);
  EXPECT_GE(Steady::now() - before, 600ms) << "a rate of its own would have let each end after 200 ms";
}

TEST(Pace, EndsWhenItIsToldToStop) {
  Peer peer({"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + std::string(300'000, 'x')});
  std::stop_source stop;
  const auto done = http_fetch(peer.url(), {.most = 300'000, .bytes_per_second = 1}, [&](std::string_view) -> Result<void> {
    stop.request_stop();
    return {};
  }, stop.get_token());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::cancelled);
}

}  // namespace
}  // namespace berth::io
