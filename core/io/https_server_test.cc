#include <filesystem>
#include <fstream>
#include <future>

#include <gmock/gmock.h>

#include "core/io/http_connection.h"
#include "core/io/http_server_fixture.h"
#include "core/io/tls_authority.h"
#include "core/io/tls_credentials.h"
#include "core/io/tls_hello.h"

namespace berth::io {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A server that speaks TLS, and the certificates of its clients.
class HttpsServerTest : public HttpServerTest {
 protected:
  static void SetUpTestSuite() { authority = std::make_unique<Authority>(); }
  static void TearDownTestSuite() { authority.reset(); }

  void show(const std::string& certificate) {
    // Another file each time, as who renews certificates does it.
    for (const std::string kind : {".pem", ".key"}) {
      fs::copy_file(authority->path(certificate + kind), file("new" + kind), fs::copy_options::overwrite_existing);
      fs::rename(file("new" + kind), file("server" + kind));
    }
  }
  void start_tls(ServerLimits limits = {}, const std::string& address = "127.0.0.1", bool want_clients = true, const std::string& lists = "") {
    show("local");
    auto loaded = TlsCredentials::load({.certificate_file = file("server.pem"), .key_file = file("server.key"), .client_ca_file = want_clients ? authority->path("ca.pem") : "", .client_crl_file = lists},
                                       [this](TlsNews kind, const std::string& what) { hear(kind, what); });
    ASSERT_TRUE(loaded) << loaded.error().message;
    start(limits);
    std::atomic<bool> listening{false};
    loop.post([&] {
      EXPECT_TRUE(server->listen_tls(address, 0, *loaded, *pool));
      port = server->tcp_port();
      listening = true;
    });
    wait_for([&] { return listening.load(); });
  }
  std::string file(const std::string& name) const { return folder.path() / name; }

  void hear(TlsNews kind, const std::string& what) {
    const std::lock_guard lock(scene.mutex);
    if (kind == TlsNews::refused_certificate) ++refused_certificates;
    if (kind == TlsNews::other_revocations) return void(++other_revocations);
    (kind == TlsNews::refused || kind == TlsNews::refused_certificate ? refusals : kind == TlsNews::kept ? kept : exchanged).push_back(what);
  }
  template <class Value>
  Value locked(const Value& value) {
    const std::lock_guard lock(scene.mutex);
    return value;
  }

  /// What a client with that certificate gets, or why it does not.
  std::string ask(const std::string& certificate, const std::string& target = "/page") {
    FetchOptions options{.most = 1000, .tls = {.ca_file = authority->path("ca.pem")}};
    if (!certificate.empty()) options.tls.certificate_file = authority->path(certificate + ".pem"), options.tls.key_file = authority->path(certificate + ".key");
    std::string body;
    const auto done = http_fetch(fmt::format("https://127.0.0.1:{}{}", port, target), options, [&](std::string_view piece) -> Result<void> {
      body += piece;
      return {};
    });
    return done ? body : done.error().message;
  }
  std::vector<std::string> curl(std::vector<std::string> more = {}) {
    std::vector<std::string> words{"curl", "-sS", "--max-time", "30", "--cacert", authority->path("ca.pem"), "--cert", authority->path("client.pem"), "--key", authority->path("client.key")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string url(const std::string& target) const { return fmt::format("https://127.0.0.1:{}{}", port, target); }
  /// What `openssl s_client` says to this server.
  std::string openssl(const std::string& options, const std::string& input = "true") {
    const std::string command = fmt::format("({}) | openssl s_client -connect 127.0.0.1:{} -cert {} -key {} {} 2>&1", input, port, authority->path("client.pem"),
                                            authority->path("client.key"), options);
    return run_program({"sh", "-c", command}).output;
  }
  /// What comes back to these bytes.
  std::string say_there(const std::string& bytes) {
    const Fd socket = connect_raw(port);
    send_raw(socket.get(), bytes);
    return read_raw(socket.get());
  }
  static std::string alert(char number) { return {'\x15', '\x03', '\x03', '\x00', '\x02', '\x02', number}; }

  static inline std::unique_ptr<Authority> authority;
  std::unique_ptr<Pool> pool = std::make_unique<Pool>(1);
  std::vector<std::string> refusals, kept, exchanged;
  int refused_certificates = 0;  ///< of `refusals`
  int other_revocations = 0;
};

TEST_F(HttpsServerTest, TellsItsHandlerWhoseCertificateItHasVerified) {
  start_tls();
  EXPECT_EQ(ask("client"), "/page ");
  EXPECT_EQ(ask("rsa-client"), "/page ");
  const std::lock_guard lock(scene.mutex);
  ASSERT_EQ(scene.seen.size(), 2u);
  const Peer& peer = scene.seen[0].peer;
  ASSERT_TRUE(peer.names);
  EXPECT_THAT(peer.names->dns, ElementsAre("client", "*.any.example")) << "and not the common name, localhost";
  EXPECT_THAT(peer.names->uris, ElementsAre("spiffe://example.org/ci"));
  EXPECT_THAT(peer.names->emails, ElementsAre("ci@example.org"));
  EXPECT_GT(peer.names->until, std::chrono::system_clock::now() + 24h);
  EXPECT_EQ(peer.address, "127.0.0.1");
  EXPECT_THAT(refusals, IsEmpty());
}

TEST_F(HttpsServerTest, RefusesWhoeverHasNoCertificateOfItsAuthorityWithTheAlertThatSaysSo) {
  start_tls();
  const struct {
    const char *certificate, *told, *logged;
  } cases[] = {{"", "or it wants a client certificate", "it shows no certificate"},
               {"expired-client", "by alert 45 (certificate expired): it ended at 20", "it expired"},
               {"strange-client", "strange-client.pem by alert 48 (unknown CA): it is of no authority that is trusted there", "no authority that is trusted"},
               {"short-client", "by alert", "unacceptable key"},
               {"server-only", "by alert 43 (unsupported certificate): it is not for clients", "extendedKeyUsage"}};
  for (const auto& one : cases) {
    const std::string told = ask(one.certificate);
    EXPECT_THAT(told, HasSubstr(one.told)) << one.certificate;
    wait_for([&] { return !locked(refusals).empty(); });
    EXPECT_THAT(locked(refusals), ElementsAre(AllOf(HasSubstr("127.0.0.1: "), HasSubstr(one.logged)))) << one.certificate;
    refusals.clear();
  }
  EXPECT_EQ(locked(refused_certificates), std::ssize(cases));
  EXPECT_THAT(locked(scene.seen), IsEmpty());
  EXPECT_EQ(ask("client"), "/page ");
}

TEST_F(HttpsServerTest, TellsOthersVersionsAndCiphersWhatIsWrong) {
  start_tls();
  EXPECT_THAT(openssl("-tls1_3"), HasSubstr("alert protocol version"));
  wait_for([&] { return !locked(refusals).empty(); });
  EXPECT_THAT(locked(refusals).at(0), HasSubstr("TLS 1.3 alone"));
  EXPECT_THAT(openssl("-tls1_1 -cipher ALL:@SECLEVEL=0"), HasSubstr("alert protocol version"));
  EXPECT_THAT(openssl("-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256"), HasSubstr("alert handshake failure"));
  EXPECT_THAT(openssl("-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305"), HasSubstr("Cipher is ECDHE-ECDSA-CHACHA20-POLY1305"));
  EXPECT_THAT(openssl(""), AllOf(HasSubstr("TLSv1.2, Cipher is ECDHE"), HasSubstr("Acceptable client certificate CA names"))) << "one that speaks both";
  EXPECT_THAT(locked(scene.seen), IsEmpty());
}

TEST_F(HttpsServerTest, DoesNotNegotiateAgain) {
  start_tls();
  EXPECT_THAT(openssl("-tls1_2", "sleep 0.3; echo R; sleep 0.3"), HasSubstr("no renegotiation"));
  EXPECT_EQ(ask("client"), "/page ");
}

TEST_F(HttpsServerTest, RefusesWhatIsNoTls) {
  start_tls();
  for (const std::string& bytes : {std::string("GET /page HTTP/1.1\r\nhost: a\r\n\r\n"), std::string(4000, 'x'), std::string("\0\0\0\0\0\0\0\0", 8)})
    EXPECT_EQ(say_there(bytes), alert(10)) << bytes;
  EXPECT_EQ(say_there(std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\xff", 10)), alert(50)) << "a hello that is none";
  EXPECT_THAT(locked(refusals).at(0), HasSubstr("it does not speak TLS"));
  EXPECT_EQ(locked(refused_certificates), 0);
  EXPECT_THAT(locked(scene.seen), IsEmpty());
}

TEST_F(HttpsServerTest, LeavesWhoeverDoesNotFinishTheHandshake) {
  start_tls({.read_deadline = 100ms});
  EXPECT_EQ(say_there(""), "");
  EXPECT_EQ(say_there(std::string("\x16\x03\x01\x02\x00\x01", 6)), "") << "half of a hello";
  wait_for([&] { return ask("client") == "/page "; });
}

TEST_F(HttpsServerTest, ServesSeveralRequestsLongBodiesAndStreamsOverAConnection) {
  start_tls();
  const std::string body(300'000, 'b');
  ASSERT_TRUE(files::replace(file("body"), body));
  const auto done = run_program(curl({"-w", " %{num_connects}\n", url("/a"), url("/count"), "--next", "--cacert", authority->path("ca.pem"), "--cert", authority->path("client.pem"), "--key",
                                      authority->path("client.key"), "-sS", "-w", " %{num_connects} %{size_download}\n", "-o", file("out"), "--data-binary", "@" + file("body"), url("/b")}));
  EXPECT_EQ(done.output, "/a  1\n012 0\n 0 300003\n");
  EXPECT_EQ(files::read(file("out"), 1u << 20).value(), "/b " + body);
}

TEST_F(HttpsServerTest, DropsAReaderThatTakesNothing) {
  start_tls({.write_stall = 100ms});
  const auto done = run_program({"sh", "-c", fmt::format("curl -sS --max-time 20 --cacert {0}/ca.pem --cert {0}/client.pem --key {0}/client.key {1} | (sleep 1; wc -c)",
                                                         fs::path(authority->path("x")).parent_path().string(), url("/for-ever"))});
  EXPECT_EQ(scene.streams_ended, 1) << done.output;
  EXPECT_TRUE(scene.gone);
}

TEST_F(HttpsServerTest, TakesOtherFilesWithoutARestart) {
  start_tls();
  const auto serial = [&] {
    const std::string said = openssl("");
    const auto at = said.find("-----BEGIN CERTIFICATE-----");
    return at == std::string::npos ? said : said.substr(at, said.find("-----END") - at);
  };
  const std::string before = serial();
  auto kept_open = std::async(std::launch::async, [&] { return run_program(curl({"-w", "%{num_connects} ", "--rate", "60/m", url("/a"), url("/b")})).output; });
  wait_for([&] { return !locked(scene.seen).empty(); });
  show("other-local");
  const std::string after = serial();
  EXPECT_NE(before, after);
  EXPECT_THAT(after, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_EQ(locked(exchanged).size(), 1u);
  EXPECT_EQ(kept_open.get(), "/a 1 /b 0 ") << "one connection, which the exchange left alone";

  // Wrong ones change nothing, and are told of once.
  ASSERT_TRUE(files::replace(file("server.pem"), "no certificate"));
  EXPECT_EQ(serial(), after);
  EXPECT_EQ(serial(), after);
  ASSERT_EQ(locked(kept).size(), 1u);
  EXPECT_THAT(locked(kept)[0], HasSubstr("server.pem: no certificate can be read from it"));
  fs::copy_file(authority->path("local.pem"), file("server.pem"), fs::copy_options::overwrite_existing);
  EXPECT_EQ(serial(), after);
  EXPECT_THAT(locked(kept).back(), HasSubstr("does not belong to the certificate"));
  fs::remove(file("server.key"));
  EXPECT_EQ(serial(), after);
  show("local");
  EXPECT_EQ(serial(), before);
  EXPECT_EQ(ask("client"), "/page ");
}

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

TEST_F(HttpsServerTest, ComputesHandshakesElsewhereThanOnItsLoop) {
  start_tls();
  // Whatever a client makes it compute for, others are answered meanwhile.
  std::atomic<bool> computing{false}, computed{false};
  const std::function<void()> compute = [&] {
    computing = true;
    while (!computed) std::this_thread::yield();
  };
  loop.spawn("long computation", pool->run(compute));
  wait_for([&] { return computing.load(); });
  auto waits = std::async(std::launch::async, [&] { return ask("client"); });
  EXPECT_EQ(say("GET /x HTTP/1.1\r\nHost: a\r\nconnection: close\r\n\r\n").substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(waits.wait_for(100ms), std::future_status::timeout);
  computed = true;
  EXPECT_EQ(waits.get(), "/page ");
}

TEST_F(HttpsServerTest, HandshakesThatWaitToBeComputedGiveWayToo) {
  start_tls({.most_per_address = 2});
  std::atomic<bool> computing{false}, computed{false};
  const std::function<void()> compute = [&] {
    computing = true;
    while (!computed) std::this_thread::yield();
  };
  loop.spawn("long computation", pool->run(compute));
  wait_for([&] { return computing.load(); });
  const Fd first = connect_raw(port), second = connect_raw(port);
  auto third = std::async(std::launch::async, [&] { return ask("client"); });
  EXPECT_EQ(third.wait_for(100ms), std::future_status::timeout);
  computed = true;
  EXPECT_EQ(third.get(), "/page ");
  EXPECT_EQ(read_raw(first.get()), "");
  EXPECT_THAT(locked(refusals), ElementsAre(HasSubstr("it was let go of")));
}

TEST_F(HttpsServerTest, TellsAnIpv4AddressAsSuchWhereItListensAtIpv6) {
  start_tls({}, "::");
  EXPECT_EQ(ask("client"), "/page ");
  EXPECT_EQ(locked(scene.seen).at(0).peer.address, "127.0.0.1");
}

TEST_F(HttpsServerTest, AsksNobodyForACertificateWhereItKnowsNoAuthorityOfClients) {
  start_tls({}, "127.0.0.1", false);
  EXPECT_EQ(ask(""), "/page ");
  EXPECT_EQ(ask("strange-client"), "/page ");
  EXPECT_THAT(openssl("-tls1_2"), HasSubstr("No client certificate CA names sent"));
  EXPECT_THAT(openssl("-tls1_1 -cipher ALL:@SECLEVEL=0"), HasSubstr("alert protocol version"));
  EXPECT_EQ(say_there("GET /page HTTP/1.1\r\nhost: a\r\n\r\n"), alert(10));
  EXPECT_FALSE(locked(scene.seen).at(0).peer.names) << "nobody has proved a name";
  show("other-local");
  EXPECT_EQ(ask(""), "/page ");
  EXPECT_EQ(locked(exchanged).size(), 1u);
}

TEST(Neighbourhood, IsAnAddressAnA64OrAUserOfTheNodeWhoIsNotRoot) {
  const auto of = [](const std::string& address) { return neighbourhood_of({.address = address}); };
  EXPECT_EQ(of("10.0.0.7"), "10.0.0.7");
  EXPECT_EQ(of("2001:db8:1:2::7"), of("2001:db8:1:2:ffff::1"));
  EXPECT_NE(of("2001:db8:1:2::7"), of("2001:db8:1:3::7"));
  EXPECT_EQ(neighbourhood_of({.uid = 7, .gid = 1}), neighbourhood_of({.uid = 7, .gid = 2}));
  EXPECT_NE(neighbourhood_of({.uid = 7}), neighbourhood_of({.uid = 8}));
  EXPECT_EQ(neighbourhood_of({.uid = 0}), "");
  EXPECT_EQ(of(""), "");
}

TEST_F(HttpsServerTest, BoundsTheConnectionsOfAnAddress) {
  start_tls({.most_per_address = 2});
  const Fd half = connect_raw(port);
  auto first = std::async(std::launch::async, [&] { return run_program(curl({"--max-time", "5", url("/wait")})).output; });
  wait_for([&] { return scene.waiting.load(); });
  scene.waiting = false;
  auto second = std::async(std::launch::async, [&] { return run_program(curl({"--max-time", "5", url("/wait")})).output; });  // in the place of the one that says nothing
  wait_for([&] { return scene.waiting.load(); });
  EXPECT_EQ(read_raw(half.get()), "");
  EXPECT_THAT(ask("client"), HasSubstr("closed the connection during the TLS handshake"));
  EXPECT_THAT(locked(refusals), ElementsAre(HasSubstr("it was let go of"), HasSubstr("127.0.0.1: too many connections")));
  EXPECT_EQ(run_program(curl({"--interface", "127.0.0.2", url("/other")})).output, "/other ");
}

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

/// A hello with that body of its extensions.
std::string hello_with(const std::string& extensions) {
  const auto counted = [](const std::string& bytes, int width) {
    std::string length;
    for (int i = width - 1; i >= 0; --i) length += static_cast<char>(bytes.size() >> (8 * i) & 0xff);
    return length + bytes;
  };
  const std::string body = std::string("\x03\x03") + std::string(32, 'r') + counted("", 1) + counted(std::string("\x13\x01", 2), 2) + counted(std::string(1, '\0'), 1) + counted(extensions, 2);
  return std::string("\x16\x03\x01") + counted("\x01" + counted(body, 3), 2);
}

TEST(TlsHello, TellsWhetherNewerVersionsAloneAreOffered) {
  const std::string other("\x00\x17\x00\x00", 4);
  EXPECT_TRUE(offers_only_newer_tls(hello_with(std::string("\x00\x2b\x00\x03\x02\x03\x04", 7))));
  EXPECT_TRUE(offers_only_newer_tls(hello_with(other + std::string("\x00\x2b\x00\x05\x04\x0a\x0a\x03\x04", 9)))) << "with a number that means nothing";
  EXPECT_FALSE(offers_only_newer_tls(hello_with(std::string("\x00\x2b\x00\x05\x04\x03\x04\x03\x03", 9)))) << "1.2 too";
  EXPECT_FALSE(offers_only_newer_tls(hello_with(other)));
  EXPECT_FALSE(offers_only_newer_tls(hello_with("")));
  const std::string whole = hello_with(std::string("\x00\x2b\x00\x03\x02\x03\x04", 7));
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(offers_only_newer_tls(whole.substr(0, size))) << size;
  EXPECT_FALSE(offers_only_newer_tls("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

}  // namespace
}  // namespace berth::io
