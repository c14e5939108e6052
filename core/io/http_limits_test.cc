#include "core/io/http_server_fixture.h"

namespace berth::io {
namespace {

using HttpLimitsTest = HttpServerTest;

TEST_F(HttpLimitsTest, RefusesMalformedRequests) {
  start();
  for (const std::string request :
       {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\na b: c\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /../x HTTP/1.1\r\n\r\n",
        "GET /%00 HTTP/1.1\r\n\r\n", "GET x HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na", "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"})
    EXPECT_EQ(refusal(request), 400) << request;
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501);
  EXPECT_EQ(refusal("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_TRUE(scene.seen.empty());
}

TEST_F(HttpLimitsTest, RefusesARequestThatIsCutShort) {
  start();
  for (const std::string half : {"GET /", "GET / HTTP/1.1\r\nHost: me\r\n", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhalf"}) {
    const Fd socket = connect_raw(path);
    send_raw(socket.get(), half);
    ::shutdown(socket.get(), SHUT_WR);
    EXPECT_TRUE(read_raw(socket.get()).starts_with("HTTP/1.1 400 ")) << half;
  }
  EXPECT_TRUE(scene.seen.empty());
}

TEST_F(HttpLimitsTest, RefusesWhatIsTooLong) {
  start({.most_header = 1000, .most_body = 100});
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nx: " + std::string(2000, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(refusal("GET /" + std::string(2000, 'x') + " HTTP/1.1\r\n\r\n"), 431);
  EXPECT_EQ(refusal("GET /" + std::string(600, 'x') + " HTTP/1.1\r\nx: " + std::string(600, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x')), 413);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n"), 413);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + std::string(101, 'x') + "\r\n0\r\n\r\n"), 413);
  EXPECT_TRUE(scene.seen.empty());
  EXPECT_TRUE(say("POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'y')).ends_with("yyy"));
}

TEST_F(HttpLimitsTest, EndsWhoeverTakesTooLong) {
  start({.read_deadline = 100ms, .idle_deadline = 500ms});
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n"), 408);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhalf"), 408);
  EXPECT_EQ(say(""), "");
  wait_for([&] { return say("GET /x HTTP/1.1\r\n\r\n").ends_with("/x "); });  // again where we ourselves took too long
}

TEST_F(HttpLimitsTest, TurnsAwayTooManyConnections) {
  start({.most_connections = 2});
  const std::string request = "GET /x HTTP/1.1\r\n\r\n";
  Fd first = connect_raw(path);
  const Fd second = connect_raw(path);
  for (const Fd* socket : {static_cast<const Fd*>(&first), &second}) {
    send_raw(socket->get(), request);
    read_raw(socket->get(), "/x ");
  }
  EXPECT_TRUE(say("").starts_with("HTTP/1.1 503 "));
  first.reset();
  wait_for([&] { return say("GET /y HTTP/1.1\r\nConnection: close\r\n\r\n").ends_with("/y "); });
}

TEST_F(HttpLimitsTest, DropsAReaderThatTakesNothing) {
  start({.write_stall = 50ms});
  const Fd socket = connect_raw(path);
  send_raw(socket.get(), "GET /for-ever HTTP/1.1\r\n\r\n");
  wait_for([&] { return scene.streams_ended == 1; });
  EXPECT_TRUE(scene.gone);
  EXPECT_FALSE(read_raw(socket.get()).ends_with("(nothing came)"));
}

}  // namespace
}  // namespace berth::io
