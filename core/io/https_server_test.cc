#include "core/io/https_server_fixture.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include <gmock/gmock.h>

#include "core/io/http_connection.h"
#include "core/files/files.h"

namespace berth::io {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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

}  // namespace
}  // namespace berth::io
