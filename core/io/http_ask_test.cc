#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/io/http.h"
#include "core/io/on_loop.h"
#include "core/io/raw_peer.h"

namespace berth::io {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;

constexpr milliseconds kLong{20'000};

Result<HttpAnswer> ask(HttpRequest request) {
  Loop loop;
  return on_loop(loop, http_ask(std::move(request)));
}

HttpRequest request_to(std::uint16_t port) {
  return {.to = {.address = "127.0.0.1", .port = port}, .deadline = kLong, .most_body = 1000};
}

Result<HttpAnswer> ask_for(std::string answer) {
  const RawPeer peer(RawPeer::answer(std::move(answer)));
  return ask(request_to(peer.port()));
}

TEST(HttpAsk, SendsTheRequestAndReadsTheAnswer) {
  std::string received;
  std::optional<Result<HttpAnswer>> answer;
  {
    const RawPeer peer([&](int connection) {
      received = read_head(connection);
      received += read_raw(connection, "ping");
      send_raw(connection, "HTTP/1.1 201 Created\r\nContent-Length: 4\r\nX-A: b\r\nX-a: c\r\n\r\npong");
    });
    HttpRequest request = request_to(peer.port());
    request.method = "POST";
    request.target = "/a?b=c";
    request.body = "ping";
    answer = ask(std::move(request));
  }
  ASSERT_TRUE(*answer) << answer->error().message;
  EXPECT_EQ((*answer)->status, 201);
  EXPECT_EQ((*answer)->body, "pong");
  EXPECT_EQ((*answer)->headers["x-a"], "b, c");
  EXPECT_TRUE(received.starts_with("POST /a?b=c HTTP/1.1\r\n")) << received;
  EXPECT_TRUE(received.ends_with("\r\n\r\nping")) << received;
}

TEST(HttpAsk, ReadsEveryFramingOfABody) {
  EXPECT_EQ(ask_for("HTTP/1.1 200 OK\r\n\r\nuntil it closes")->body, "until it closes");
  EXPECT_EQ(ask_for("HTTP/1.0 200 OK\r\n\r\nold")->body, "old");
  EXPECT_EQ(ask_for("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nhost: trailer\r\n\r\n")->body, "abcde");
  EXPECT_EQ(ask_for("HTTP/1.1 204 No Content\r\n\r\n")->status, 204);
}

TEST(HttpAsk, PassesInterimAnswersOver) {
  const auto answer = ask_for("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "hi");
  EXPECT_FALSE(answer->headers.contains("x"));
  std::string many;
  for (int i = 0; i < 100; ++i) many += "HTTP/1.1 102 Processing\r\n\r\n";
  EXPECT_EQ(ask_for(many + "HTTP/1.1 200 OK\r\n\r\n").error().code, Errc::protocol);
}

TEST(HttpAsk, TakesAHeadWithoutItsBody) {
  const RawPeer peer(RawPeer::answer("HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n"));
  HttpRequest request = request_to(peer.port());
  request.method = "HEAD";
  EXPECT_EQ(ask(request)->status, 200);
}

TEST(HttpAsk, RefusesWhatIsNotHttp) {
  for (const std::string answer :
       {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshor", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "HTTP/1.1 200", ""})
    EXPECT_EQ(ask_for(answer).error().code, Errc::protocol) << answer;
}

TEST(HttpAsk, RefusesAPeerThatSaysTooMuch) {
  const std::string body(1001, 'x');
  EXPECT_EQ(ask_for("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + body).error().code, Errc::protocol);
  EXPECT_EQ(ask_for("HTTP/1.1 200 OK\r\n\r\n" + body).error().code, Errc::protocol);
  EXPECT_EQ(ask_for("HTTP/1.1 200 OK\r\n\r\n" + body.substr(1))->body.size(), 1000U);
  EXPECT_EQ(ask_for("HTTP/1.1 200 OK\r\nx: " + std::string(100'000, 'x') + "\r\n\r\n").error().code, Errc::protocol);
  std::string headers;
  for (int i = 0; i < 10'000; ++i) headers += "name" + std::to_string(i) + ": value\r\n";
  EXPECT_EQ(ask_for("HTTP/1.1 200 OK\r\n" + headers + "\r\n").error().code, Errc::protocol);
}

TEST(HttpAsk, ReadsNoMoreOfABodyThanItIsToCut) {
  const std::string body(2u << 20, 'x');
  for (const std::string& head : {"Content-Length: " + std::to_string(body.size()) + "\r\n", std::string()}) {
    const RawPeer peer(RawPeer::answer("HTTP/1.1 503 Service Unavailable\r\n" + head + "\r\n" + body));
    HttpRequest request = request_to(peer.port());
    request.cut_body = true;
    const auto answer = ask(std::move(request));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 503);
    EXPECT_EQ(answer->body.size(), 1000U);
  }
}

TEST(HttpAsk, ClosesOnAPeerWhoseBodyItCut) {
  const Silent endless("HTTP/1.1 200 OK\r\n\r\n" + std::string(2000, 'x'));
  HttpRequest request = request_to(endless.port());
  request.cut_body = true;
  EXPECT_EQ(ask(std::move(request))->status, 200) << "though the rest never comes";
}

TEST(HttpAsk, CutsNothingThatIsNotHttp) {
  const RawPeer peer(RawPeer::answer("SSH-2.0-OpenSSH_9.2\r\n"));
  HttpRequest request = request_to(peer.port());
  request.cut_body = true;
  EXPECT_EQ(ask(std::move(request)).error().code, Errc::protocol);
}

TEST(HttpAsk, EndsAtItsDeadline) {
  for (const std::string first : {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}) {
    const Silent peer(first);
    HttpRequest request = request_to(peer.port());
    request.deadline = 50ms;
    const auto answer = ask(request);
    EXPECT_EQ(answer.error().code, Errc::timeout) << first;
    EXPECT_NE(answer.error().message.find("50 ms"), std::string::npos) << answer.error().message;
  }
}

TEST(HttpAsk, EndsAtItsDeadlineAlsoWhileThePeerTalksOnAndOn) {
  const RawPeer peer([](int connection) {
    read_head(connection);
    send_raw(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    std::string chunks;
    for (int i = 0; i < 1000; ++i) chunks += "1\r\nx\r\n";
    while (::send(connection, chunks.data(), chunks.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  HttpRequest request = request_to(peer.port());
  request.deadline = 100ms;
  request.most_body = 1u << 30;
  EXPECT_EQ(ask(request).error().code, Errc::timeout);
}

TEST(HttpAsk, SaysWhyItCannotConnect) {
  const files::TemporaryDirectory folder;
  std::uint16_t unused = 0;
  { unused = local_address(listen_at_address("127.0.0.1", 0)->get()).port(); }
  EXPECT_EQ(ask(request_to(unused)).error().code, Errc::refused);
  HttpRequest request{.to = {.unix_path = folder.path() / "none.sock"}};
  EXPECT_EQ(ask(request).error().code, Errc::not_found);
  { auto closed = listen_at_path(request.to.unix_path, 0600, static_cast<gid_t>(-1)); }
  const auto refused = ask(request);
  EXPECT_EQ(refused.error().code, Errc::refused);
  EXPECT_NE(refused.error().message.find(request.to.unix_path), std::string::npos) << refused.error().message;
  EXPECT_EQ(ask({.to = {.address = "localhost", .port = 1}}).error().code, Errc::usage);
  EXPECT_EQ(ask({.to = {.unix_path = std::string(200, 'x')}}).error().code, Errc::usage);
}

TEST(HttpAsk, SaysWhenASocketIsClosedToIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const files::TemporaryDirectory folder;
  const auto listener = listen_at_path(folder.path() / "api.sock", 0600, static_cast<gid_t>(-1));
  ASSERT_TRUE(listener);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  Errc code = Errc::internal;
  std::thread other([&] {
    // Of this thread alone: the C library would change all of them.
    ::syscall(SYS_setresuid, 65534, 65534, 65534);
    code = ask({.to = {.unix_path = listener->path}}).error().code;
  });
  other.join();
  EXPECT_EQ(code, Errc::permission);
}

TEST(HttpAsk, AsksFromTheAddressItIsGiven) {
  std::string from;
  const RawPeer peer([&](int connection) {
    IpAddress there;
    ::getpeername(connection, there.get(), &there.size);
    from = there.text();
    read_head(connection);
    send_raw(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  HttpRequest request = request_to(peer.port());
  request.to.from_address = "127.0.0.77";
  EXPECT_EQ(ask(request)->status, 200);
  EXPECT_EQ(from, "127.0.0.77");
  request.to.from_address = "::1";
  EXPECT_FALSE(ask(request));
}

TEST(HttpAsk, AsksOverAUnixSocketAndOverIpv6) {
  const files::TemporaryDirectory folder;
  auto listener = listen_at_path(folder.path() / "api.sock", 0600, static_cast<gid_t>(-1));
  const std::string path = listener->path;
  const RawPeer peer(std::move(listener->socket), RawPeer::answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
  EXPECT_EQ(ask({.to = {.unix_path = path}, .deadline = kLong, .most_body = 2})->body, "hi");
  const RawPeer six(RawPeer::answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), "::1");
  EXPECT_EQ(ask({.to = {.address = "::1", .port = six.port()}, .deadline = kLong, .most_body = 2})->body, "hi");
}

TEST(HttpAsk, ReadsTheAnswerOfAPeerThatTakesOnlyTheHead) {
  const RawPeer peer([](int connection) {
    read_head(connection);
    ::shutdown(connection, SHUT_RD);
    send_raw(connection, "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n");
    ::shutdown(connection, SHUT_WR);
    read_raw(connection);
  });
  HttpRequest request = request_to(peer.port());
  request.method = "POST";
  request.body = std::string(1000, 'x');
  const auto answer = ask(request);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 413);
}

TEST(HttpAsk, ClosesItsSocketWhenItIsCancelled) {
  const Silent peer("HTTP/1.1 200 OK\r\n");
  Loop loop;
  boost::asio::cancellation_signal cancel;
  std::optional<Result<HttpAnswer>> answer;
  boost::asio::co_spawn(loop.executor(), keep_result(http_ask(request_to(peer.port())), &answer, &loop),
                        boost::asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr&) { loop.stop(); }));
  std::thread later([&] { loop.post([&] { cancel.emit(boost::asio::cancellation_type::terminal); }); });
  loop.run();
  later.join();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->error().code, Errc::cancelled);
  while (!peer.closed) std::this_thread::yield();
}

}  // namespace
}  // namespace berth::io
