#include "core/io/http_server_fixture.h"

namespace berth::io {
namespace {

using HttpLimitsTest = HttpServerTest;

TEST_F(HttpLimitsTest, RefusesMalformedRequests) {
  start();
  for (const std::string request :
       {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\na b: c\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /../x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"})
    EXPECT_EQ(refusal(request), 400) << request;
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501);
  EXPECT_EQ(refusal("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_TRUE(scene.seen.empty());
}

TEST_F(HttpLimitsTest, RefusesWhatTwoReadersCouldReadDifferently) {
  start();
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n", chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::string& request :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), std::string("GET http://a/b@c:x/ HTTP/1.1\r\nHost: a/b\r\n\r\n"), std::string("GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n"),
        post + "X: a\r\n b\r\n\r\n", post + "X: a\r\n\t\r\n\r\n", post + "X:\r\n b\r\n\r\n", post + "X:\r\n \r\n\r\n", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        post + "Content-Length:\r\n\t1\r\n\r\nb", std::string("GET / HTTP/1.1\nHost: a\n\n"), std::string("GET / HTTP/1.10\r\nHost: a\r\n\r\n"), std::string("GET / HTTP/1.1\r\r\n\r\n"), std::string("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
        chunked + "0\r\nX: a\r\n b\r\n\r\n", chunked + "1;\n\r\nb\r\n0\r\n\r\n", chunked + "1\nb\r\n0\r\n\r\n"})
    EXPECT_EQ(refusal(request), 400) << request;
  EXPECT_TRUE(scene.seen.empty());
  EXPECT_TRUE(say("\r\nGET /x HTTP/1.1\r\nHost: a\r\nX:  \r\nY:\t b \r\nConnection: close\r\n\r\n").ends_with("/x ")) << "an empty line in front, and values that are empty or have spaces around them";
  EXPECT_EQ(scene.seen.at(0).headers.at("x"), "");
  EXPECT_EQ(scene.seen.at(0).headers.at("y"), "b");
  EXPECT_EQ(refusal("\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n"), 400) << "one such line, not any number";
}

TEST_F(HttpLimitsTest, RefusesChunksThatSayMuchBesideTheirBytes) {
  start({.most_header = 1000});
  const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(refusal(chunked + "1;" + std::string(5000, 'x')), 431) << "an extension without an end";
  EXPECT_EQ(refusal(chunked + std::string(5000, '0')), 431) << "a size without an end";
  EXPECT_EQ(refusal(chunked + "0\r\nx: " + std::string(5000, 'x')), 431) << "a trailer without an end";
  std::string many;
  for (int i = 0; i < 50; ++i) many += "1;" + std::string(50, 'x') + "\r\nb\r\n";
  EXPECT_EQ(refusal(chunked + many + "0\r\n\r\n"), 431) << "many extensions";
  EXPECT_TRUE(scene.seen.empty());
}

TEST_F(HttpLimitsTest, RefusesARequestThatIsCutShort) {
  start();
  for (const std::string half : {"GET /", "GET / HTTP/1.1\r\nHost: me\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhalf"}) {
    const Fd socket = connect_raw(path);
    send_raw(socket.get(), half);
    ::shutdown(socket.get(), SHUT_WR);
    EXPECT_TRUE(read_raw(socket.get()).starts_with("HTTP/1.1 400 ")) << half;
  }
  EXPECT_TRUE(scene.seen.empty());
}

TEST_F(HttpLimitsTest, RefusesWhatIsTooLong) {
  start({.most_header = 1000, .most_body = 100});
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nx: " + std::string(2000, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(refusal("GET /" + std::string(2000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n"), 431);
  EXPECT_EQ(refusal("GET /" + std::string(600, 'x') + " HTTP/1.1\r\nHost: a\r\nx: " + std::string(600, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x')), 413);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n"), 413);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + std::string(101, 'x') + "\r\n0\r\n\r\n"), 413);
  const std::string told = say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n");
  EXPECT_NE(told.find(R"("detail": "the body is longer than the 100 bytes that are allowed", "code": "usage", "exit": 2})"), std::string::npos) << told;
  EXPECT_TRUE(scene.seen.empty());
  EXPECT_TRUE(say("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'y')).ends_with("yyy"));
}

TEST_F(HttpLimitsTest, EndsWhoeverTakesTooLong) {
  start({.read_deadline = 100ms, .idle_deadline = 500ms});
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\n"), 408);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhalf"), 408);
  EXPECT_EQ(say(""), "");
  wait_for([&] { return say("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("/x "); });  // again where we ourselves took too long
}

TEST_F(HttpLimitsTest, TurnsAwayTooManyConnectionsWhoseRequestsAreAtWork) {
  start({.most_connections = 2});
  Fd first = connect_raw(path);
  const Fd second = connect_raw(path);
  send_raw(first.get(), "GET /until-gone HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for([&] { return scene.waiting.load(); });
  scene.waiting = false;
  send_raw(second.get(), "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for([&] { return scene.waiting.load(); });
  const std::string busy = say("");
  EXPECT_TRUE(busy.starts_with("HTTP/1.1 503 ") && busy.find(R"("code": "refused", "exit": 1})") != std::string::npos) << busy;
  first.reset();
  wait_for([&] { return say("GET /y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ends_with("/y "); });
}

TEST_F(HttpLimitsTest, WhoKeepsItWaitingLongestGivesWayToWhoComesNew) {
  start({.most_connections = 3});
  const Fd at_work = connect_raw(path), half = connect_raw(path), kept = connect_raw(path);
  send_raw(at_work.get(), "GET /until-gone HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for([&] { return scene.waiting.load(); });
  send_raw(half.get(), "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhal");
  send_raw(kept.get(), "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");  // it came last of the three, and its last request is later still
  EXPECT_TRUE(read_raw(kept.get(), "/x ").ends_with("/x "));
  const Fd first = connect_raw(path);
  send_raw(first.get(), "GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(read_raw(first.get(), "/first ").ends_with("/first "));
  EXPECT_EQ(read_raw(half.get()), "") << "half a request";
  send_raw(kept.get(), "GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(read_raw(kept.get(), "/y ").ends_with("/y "));
  EXPECT_FALSE(scene.gone) << "what is at work goes on";
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(say("GET /new HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ends_with("/new "));
}

TEST_F(HttpLimitsTest, AThousandThatSayNothingKeepNobodyElseAway) {
  start({.most_connections = 100});
  std::vector<Fd> silent;
  for (int i = 0; i < 300; ++i) {
    for (const bool over_tcp : {false, true}) silent.push_back(over_tcp ? connect_raw(port) : connect_raw(path));
    if (i % 30 != 0) continue;
    EXPECT_TRUE(say("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ends_with("/x ")) << i;
  }
}

TEST_F(HttpLimitsTest, AnAddressThatHasManyTakesNothingFromOthers) {
  start({.most_connections = 100, .most_per_address = 2});
  const Fd other = connect_raw(path);
  send_raw(other.get(), "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(read_raw(other.get(), "/x ").ends_with("/x "));
  const Fd first = connect_raw(port), second = connect_raw(port), third = connect_raw(port);
  EXPECT_EQ(read_raw(first.get()), "") << "the first one of that address";
  for (const Fd* socket : {&other, &second, &third}) {
    send_raw(socket->get(), "GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(read_raw(socket->get(), "/y ").ends_with("/y "));
  }
}

TEST_F(HttpLimitsTest, DropsAReaderThatTakesNothing) {
  start({.write_stall = 50ms});
  const Fd socket = connect_raw(path);
  send_raw(socket.get(), "GET /for-ever HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for([&] { return scene.streams_ended == 1; });
  EXPECT_TRUE(scene.gone);
  EXPECT_FALSE(read_raw(socket.get()).ends_with("(nothing came)"));
}

}  // namespace
}  // namespace berth::io
