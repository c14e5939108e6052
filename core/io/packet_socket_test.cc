#include "core/io/packet_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "core/files/files.h"
#include "core/io/on_loop.h"
#include "core/io/unix_address.h"

namespace berth::io {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;

awaitable<Result<Packet>> receive(PacketSocket* socket, milliseconds at_most) { co_return co_await socket->receive(at_most); }

class PacketSocketTest : public testing::Test {
 protected:
  PacketSocketTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    one.emplace(loop.executor(), Fd(ends[0]));
    other.emplace(loop.executor(), Fd(ends[1]));
  }
  Result<Packet> next(milliseconds at_most = 10s) { return on_loop(loop, receive(&*other, at_most)); }

  Loop loop;
  std::optional<PacketSocket> one, other;
};

TEST_F(PacketSocketTest, KeepsMessagesApart) {
  ASSERT_TRUE(one->send("first"));
  ASSERT_TRUE(one->send(std::string(100'000, 'x')));
  EXPECT_EQ(next()->bytes, "first");
  EXPECT_EQ(next()->bytes.size(), 100'000U);
}

TEST_F(PacketSocketTest, PassesDescriptors) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd reader(ends[0]);
  {
    const Fd writer(ends[1]);
    ASSERT_TRUE(one->send("a pipe", {writer.get(), reader.get()}));
  }
  const auto packet = next();
  ASSERT_TRUE(packet);
  ASSERT_EQ(packet->fds.size(), 2U);
  ASSERT_EQ(::write(packet->fds[0].get(), "hi", 2), 2);
  char bytes[2];
  ASSERT_EQ(::read(reader.get(), bytes, 2), 2);
  EXPECT_EQ(std::string(bytes, 2), "hi");
}

TEST_F(PacketSocketTest, TellsAPeerThatClosedFromOneThatIsSilent) {
  EXPECT_EQ(next(5ms).error().code, Errc::timeout);
  one.reset();
  EXPECT_EQ(next().error().code, Errc::refused);
  EXPECT_EQ(other->send("x").error().code, Errc::refused);
}

TEST_F(PacketSocketTest, SaysWhenThePeerReadsNothing) {
  Result<void> sent;
  for (int i = 0; i < 10'000 && sent; ++i) sent = one->send(std::string(10'000, 'x'));
  EXPECT_EQ(sent.error().code, Errc::timeout);
}

TEST_F(PacketSocketTest, ClosingWakesWhoeverReceives) {
  loop.post([this] { loop.post([this] { other->close(); }); });  // after the receiving began
  EXPECT_EQ(next().error().code, Errc::refused);
}

TEST_F(PacketSocketTest, MayBeDestroyedWhileSomebodyReceives) {
  loop.post([this] { loop.post([this] { other.reset(); }); });  // after the receiving began
  EXPECT_EQ(next().error().code, Errc::refused);
}

TEST(PacketSocketConnect, TellsNoSocketFromNobodyListening) {
  Loop loop;
  const files::TemporaryDirectory folder;
  const std::string path = folder.path() / "keeper.sock";
  EXPECT_EQ(PacketSocket::connect(loop.executor(), path).error().code, Errc::not_found);
  Fd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const auto address = unix_address(path);
  ASSERT_EQ(::bind(listener.get(), address->get(), address->size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const auto connected = PacketSocket::connect(loop.executor(), path);
  ASSERT_TRUE(connected);
  EXPECT_EQ(connected->peer_pid(), ::getpid());
  listener.reset();
  EXPECT_EQ(PacketSocket::connect(loop.executor(), path).error().code, Errc::refused);
  EXPECT_EQ(PacketSocket::connect(loop.executor(), std::string(200, 'x')).error().code, Errc::usage);
}

}  // namespace
}  // namespace berth::io
