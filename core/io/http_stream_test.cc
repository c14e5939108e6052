#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/io/http.h"
#include "core/io/on_loop.h"
#include "core/io/raw_peer.h"

namespace berth::io {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds kPatience{20'000};

struct Streamed {
  std::string body;
  std::optional<Result<HttpAnswer>> answer;
};

Streamed stream_from(std::uint16_t port, std::size_t enough, milliseconds deadline = kPatience) {
  Loop loop;
  Streamed streamed;
  std::function<bool(std::string_view)> sink = [&](std::string_view piece) {
    streamed.body += piece;
    return streamed.body.size() < enough;
  };
  HttpRequest request{.to = {.address = "127.0.0.1", .port = port}, .deadline = deadline};
  streamed.answer = on_loop(loop, http_stream(std::move(request), std::move(sink)));
  return streamed;
}

TEST(HttpStream, HandsPiecesOnLongerThanItsDeadlineUntilTheSinkHasEnough) {
  const RawPeer peer([](int connection) {
    read_head(connection);
    send_raw(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    pollfd item{.fd = connection, .events = 0, .revents = 0};
    ::poll(&item, 1, 1500);
    send_raw(connection, "3\r\ndef\r\n");
    read_raw(connection);
  });
  const auto streamed = stream_from(peer.port(), 6, 1s);
  ASSERT_TRUE(*streamed.answer) << streamed.answer->error().message;
  EXPECT_EQ(streamed.body, "abcdef");
  EXPECT_EQ((*streamed.answer)->status, 200);
  EXPECT_EQ((*streamed.answer)->body, "");
}

TEST(HttpStream, EndsWithTheStream) {
  const RawPeer peer(RawPeer::answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"));
  const auto streamed = stream_from(peer.port(), 100);
  EXPECT_TRUE(*streamed.answer);
  EXPECT_EQ(streamed.body, "abc");
}

TEST(HttpStream, SaysWhenTheStreamWasCut) {
  const RawPeer peer(RawPeer::answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"));
  EXPECT_EQ(stream_from(peer.port(), 100).answer->error().code, Errc::protocol);
}

TEST(HttpStream, KeepsTheProblemApart) {
  const RawPeer peer(RawPeer::answer("HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nproblem"));
  const auto streamed = stream_from(peer.port(), 1);
  EXPECT_EQ((*streamed.answer)->status, 404);
  EXPECT_EQ((*streamed.answer)->body, "problem");
  EXPECT_EQ(streamed.body, "");
}

TEST(HttpStream, HasADeadlineForTheHead) {
  const Silent peer("HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(stream_from(peer.port(), 1, 50ms).answer->error().code, Errc::timeout);
}

Result<void> connect_to(Endpoint to, milliseconds deadline) {
  Loop loop;
  return on_loop(loop, tcp_connect(std::move(to), deadline));
}

TEST(TcpConnect, TellsWhoListensFromWhoDoesNot) {
  auto listener = listen_at_address("127.0.0.1", 0);
  const std::uint16_t port = local_address(listener->get()).port();
  EXPECT_TRUE(connect_to({.address = "127.0.0.1", .port = port}, kPatience));
  listener->reset();
  const auto refused = connect_to({.address = "127.0.0.1", .port = port}, kPatience);
  EXPECT_EQ(refused.error().code, Errc::refused);
  EXPECT_EQ(refused.error().message, "nothing listens at 127.0.0.1:" + std::to_string(port));
}

TEST(TcpConnect, EndsAtItsDeadlineWhereTheQueueIsFull) {
  const files::TemporaryDirectory folder;
  const std::string path = folder.path() / "full.sock";
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = unix_address(path);
  ASSERT_EQ(::bind(listener.get(), address->get(), address->size), 0);
  ASSERT_EQ(::listen(listener.get(), 0), 0);
  const Fd first = connect_raw(path);
  EXPECT_EQ(connect_to({.unix_path = path}, 50ms).error().code, Errc::timeout);
}

}  // namespace
}  // namespace berth::io
