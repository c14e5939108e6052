#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/io/http.h"
#include "core/io/on_loop.h"
#include "core/io/raw_peer.h"
#include "core/io/tls_authority.h"

namespace berth::io {
namespace {

using namespace std::chrono_literals;

/// `openssl s_server`, at a port of its own, that answers any request with a page of its own, or from its folder.
class TlsServer {
 public:
  TlsServer(const Authority& authority, const std::string& certificate, std::vector<std::string> more = {}, const std::string& host = "127.0.0.1") {
    // A free port may be taken by somebody else before the server has it: then it ends, and gets another one.
    for (int attempt = 0; attempt < 5 && !start(authority, certificate, more, host); ++attempt) {
    }
  }
  ~TlsServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url(const std::string& host = "127.0.0.1") const { return fmt::format("https://{}:{}/page", host, port_); }

 private:
  bool start(const Authority& authority, const std::string& certificate, const std::vector<std::string>& more, const std::string& host) {
    port_ = local_address(listen_at_address(host, 0)->get()).port();
    const std::string bracketed = with_port(host, port_);
    std::vector<std::string> words{"openssl", "s_server", "-accept", bracketed, "-cert", authority.path(certificate + ".pem"), "-key",
                                   authority.path(certificate + ".key"), "-quiet", "-HTTP"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string folder = authority.path("www");
    std::filesystem::create_directories(folder);
    EXPECT_TRUE(files::replace(folder + "/page", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
    EXPECT_TRUE(files::replace(folder + "/away", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"));
    pid_ = ::fork();
    if (pid_ == 0) {
      if (::chdir(folder.c_str()) != 0) ::_exit(1);
      const int null = ::open("/dev/null", O_RDWR);
      for (const int fd : {0, 1, 2}) ::dup2(null, fd);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    return wait_until_it_listens(host);
  }

  bool wait_until_it_listens(const std::string& host) {
    for (int i = 0; i < 2000; ++i) {
      if (connect_raw(port_, host)) return true;
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return false;
      ::poll(nullptr, 0, 10);
    }
    return false;
  }

  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

class HttpsFetchTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { authority = std::make_unique<Authority>(); }
  static void TearDownTestSuite() { authority.reset(); }

  /// What goes wrong, or the body.
  std::string fetch(const std::string& url) {
    body.clear();
    const auto done = http_fetch(url, options, [this](std::string_view piece) -> Result<void> {
      body += piece;
      return {};
    });
    if (done) return body;
    EXPECT_EQ(done.error().code, code);
    EXPECT_TRUE(done.error().message.starts_with(url)) << done.error().message;
    return done.error().message;
  }
  void expect_refused(const std::string& url, const std::string& why) {
    const std::string said = fetch(url);
    EXPECT_NE(said.find(why), std::string::npos) << said;
    EXPECT_EQ(body, "");
  }

  static inline std::unique_ptr<Authority> authority;
  FetchOptions options{.most = 100, .tls = {.ca_file = authority->path("ca.pem")}};
  Errc code = Errc::unreachable;
  std::string body;
};

TEST_F(HttpsFetchTest, GetsAFileByNameAndByAddress) {
  const TlsServer server(*authority, "local");
  EXPECT_EQ(fetch(server.url()), "hello");
  EXPECT_EQ(fetch(server.url("localhost")), "hello");
}

TEST_F(HttpsFetchTest, GetsAFileOverIpv6) {
  const TlsServer server(*authority, "local", {}, "::1");
  EXPECT_EQ(fetch(server.url("[::1]")), "hello");
}

TEST_F(HttpsFetchTest, RefusesAnUnknownAuthority) {
  const TlsServer server(*authority, "local");
  options.tls.ca_file = authority->path("other-ca.pem");
  expect_refused(server.url(), "no authority that is trusted here: ca_file (--ca-file) says which are");
  options.tls.ca_name = "ca_file of nodes.toml";
  expect_refused(server.url(), "no authority that is trusted here: ca_file of nodes.toml says which are");
  options.tls.ca_file.clear();  // those of the system
  if (std::filesystem::exists("/etc/ssl/certs/ca-certificates.crt")) expect_refused(server.url(), "no authority that is trusted here");
}

TEST_F(HttpsFetchTest, RefusesACertificateForSomebodyElse) {
  const TlsServer server(*authority, "elsewhere");
  expect_refused(server.url(), "not for 127.0.0.1");
  expect_refused(server.url("localhost"), "not for localhost");
}

TEST_F(HttpsFetchTest, DoesNotTakeACommonNameForAName) {
  const TlsServer server(*authority, "unnamed");
  expect_refused(server.url("localhost"), "not for localhost");
  expect_refused(server.url(), "not for 127.0.0.1");
}

TEST_F(HttpsFetchTest, RefusesAnExpiredCertificate) {
  const TlsServer server(*authority, "expired");
  expect_refused(server.url(), "expired");
}

TEST_F(HttpsFetchTest, SaysWhenAServerOffersOnlyTls13) {
  const TlsServer server(*authority, "local", {"-tls1_3"});
  expect_refused(server.url(), "only TLS 1.3?");
}

TEST_F(HttpsFetchTest, SaysThatItKnowsNoEd25519Certificates) {
  const TlsServer server(*authority, "ed25519");
  expect_refused(server.url(), "or an Ed25519 certificate?");
}

TEST_F(HttpsFetchTest, RefusesOlderTlsAndWeakCiphers) {
  const TlsServer old(*authority, "local", {"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"});
  expect_refused(old.url(), "no cipher or kind of certificate in common");
  const TlsServer weak(*authority, "local", {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"});
  expect_refused(weak.url(), "no cipher or kind of certificate in common");
}

TEST_F(HttpsFetchTest, ShowsItsOwnCertificateWhereOneIsAskedFor) {
  const TlsServer server(*authority, "local", {"-Verify", "1", "-verify_return_error", "-CAfile", authority->path("ca.pem")});
  expect_refused(server.url(), "client certificate");
  options.tls.certificate_file = authority->path("client.pem");
  options.tls.key_file = authority->path("client.key");
  EXPECT_EQ(fetch(server.url()), "hello");
}

TEST_F(HttpsFetchTest, ShowsItsOwnCertificateToNoPlaceThatItIsSentTo) {
  const std::vector<std::string> asks{"-Verify", "1", "-verify_return_error", "-CAfile", authority->path("ca.pem")};
  const TlsServer elsewhere(*authority, "local", asks);
  const TlsServer first(*authority, "local", asks);
  ASSERT_TRUE(files::replace(authority->path("www/sent"), fmt::format("HTTP/1.1 302 Found\r\nLocation: {}\r\n\r\n", elsewhere.url())));
  options.tls.certificate_file = authority->path("client.pem");
  options.tls.key_file = authority->path("client.key");
  EXPECT_EQ(fetch(elsewhere.url()), "hello");
  std::string url = first.url();
  url.replace(url.size() - 4, 4, "sent");
  const auto sent = http_fetch(url, options, [](std::string_view) { return Result<void>(); });
  ASSERT_FALSE(sent) << "another port is another place";
  EXPECT_NE(sent.error().message.find(elsewhere.url()), std::string::npos) << sent.error().message;
  EXPECT_NE(sent.error().message.find("client certificate"), std::string::npos) << sent.error().message;
}

TEST_F(HttpsFetchTest, SaysWhichOfItsFilesIsWrong) {
  const TlsServer server(*authority, "local");
  code = Errc::usage;
  options.tls.ca_file = authority->path("none.pem");
  expect_refused(server.url(), "none.pem: no certificate can be read from it: No such file or directory");
  options.tls.ca_file = authority->path("ca.key");
  expect_refused(server.url(), "ca.key: no certificate");
  options.tls.ca_file = authority->path("ca.pem");
  options.tls.certificate_file = authority->path("client.pem");
  expect_refused(server.url(), "needs both");
  options.tls.key_file = authority->path("local.key");
  expect_refused(server.url(), "does not belong to");
  options.tls.certificate_file = authority->path("ed25519.pem");
  expect_refused(server.url(), "ed25519.pem: no certificate can be read from it: it is of a kind that is not understood here, such as Ed25519: make it with ECDSA");
  options.tls.certificate_file = authority->path("client.pem");
  options.tls.key_file = authority->path("ed25519.key");
  expect_refused(server.url(), "ed25519.key: no private key can be read from it: it is of a kind that is not understood here, such as Ed25519: make it with ECDSA");
}

TEST_F(HttpsFetchTest, IsNotSentFromHttpsToHttp) {
  const TlsServer server(*authority, "local");
  code = Errc::protocol;
  std::string url = server.url();
  url.replace(url.size() - 4, 4, "away");
  expect_refused(url, "from https to plain http");
}

/// Passes on what comes from either to the other, until one closes.
void relay(int one, int other) {
  pollfd ends[] = {{.fd = one, .events = POLLIN, .revents = 0}, {.fd = other, .events = POLLIN, .revents = 0}};
  while (::poll(ends, 2, 10'000) > 0) {
    for (int i = 0; i < 2; ++i) {
      if (ends[i].revents == 0) continue;
      char piece[4096];
      const ssize_t got = ::recv(ends[i].fd, piece, sizeof piece, 0);
      if (got <= 0) return;
      send_raw(ends[1 - i].fd, {piece, static_cast<std::size_t>(got)});
    }
  }
}

TEST_F(HttpsFetchTest, GoesThroughAProxyThatSeesNeitherTheRequestNorTheToken) {
  const TlsServer server(*authority, "elsewhere");
  std::string asked;
  const RawPeer proxy([&](int connection) {
    asked = read_head(connection);
    const Fd there = connect_raw(server.port());
    send_raw(connection, "HTTP/1.1 200 Connection established\r\nProxy-Agent: test\r\n\r\n");
    relay(connection, there.get());
  });
  options.authorization = "Bearer t0ken";
  options.proxy.for_https = fmt::format("http://127.0.0.1:{}", proxy.port());
  EXPECT_EQ(fetch(server.url("elsewhere.example")), "hello");
  EXPECT_EQ(asked, fmt::format("CONNECT elsewhere.example:{0} HTTP/1.1\r\nhost: elsewhere.example:{0}\r\n\r\n", server.port()));
  // The certificate is the host's still.
  expect_refused(server.url("another.example"), "not for another.example");
}

TEST_F(HttpsFetchTest, SaysWhenAServerSpeaksNoTls) {
  const RawPeer plain([](int connection) { send_raw(connection, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"); });
  expect_refused(fmt::format("https://127.0.0.1:{}/", plain.port()), "does not speak TLS");
}

TEST_F(HttpsFetchTest, GivesAServerUpThatDoesNotFinishTheHandshake) {
  const RawPeer silent([](int connection) { read_raw(connection); });
  options.connect_timeout = 1s;
  expect_refused(fmt::format("https://127.0.0.1:{}/", silent.port()), "no connection within 1s");
}

/// What a probe asks by TLS: 200, or why not.
std::string probe_by_tls(std::uint16_t port) {
  Loop loop;
  HttpRequest request{.to = {.address = "127.0.0.1", .port = port}, .target = "/page", .deadline = 20s, .unverified_tls = true, .most_body = 100};
  const auto answer = on_loop(loop, http_ask(std::move(request)));
  if (!answer) return answer.error().message;
  return fmt::format("{} {}", answer->status, answer->body);
}

TEST_F(HttpsFetchTest, OfAProbeTakesAnyCertificate) {
  for (const char* certificate : {"local", "elsewhere", "expired"}) {
    const TlsServer server(*authority, certificate);
    EXPECT_EQ(probe_by_tls(server.port()), "200 hello") << certificate;
  }
}

TEST_F(HttpsFetchTest, OfAProbeSaysWhyThereIsNoTls) {
  const TlsServer newer(*authority, "local", {"-tls1_3"});
  EXPECT_NE(probe_by_tls(newer.port()).find("it offers no TLS 1.2, which probes speak"), std::string::npos) << probe_by_tls(newer.port());
  const RawPeer plain([](int connection) { send_raw(connection, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"); });
  EXPECT_NE(probe_by_tls(plain.port()).find("does not speak TLS at that port"), std::string::npos);
}

}  // namespace
}  // namespace berth::io
