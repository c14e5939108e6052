#include "daemon/supervise/socket_use.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/files/fd.h"

namespace berth::supervise {
namespace {

TEST(SocketUse, ReadsTheAcceptQueueOfTheRightSocket) {
  constexpr std::string_view kTable =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 111 1 0000000000000000 100 0 0 10 0\n"
      "   1: 0100007F:1F90 00000000:0000 0A 00000000:0000001F 00:00000000 00000000     0        0 222 1 0000000000000000 100 0 0 10 0\n"
      "   2: 0100007F:1F90 0100007F:0001 01 00000000:00000007 00:00000000 00000000     0        0 333 1 0000000000000000 100 0 0 10 0\n";
  EXPECT_EQ(waiting_connections(kTable, "111"), 3u);
  EXPECT_EQ(waiting_connections(kTable, "222"), 31u);
  EXPECT_EQ(waiting_connections(kTable, "333"), std::nullopt);
  EXPECT_EQ(waiting_connections("", "111"), std::nullopt);
}

TEST(SocketUse, SeesAConnectionThatNobodyAccepted) {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 5), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  EXPECT_EQ(waiting_connections(inode_of(listener.get())), 0u);

  Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  client.reset();
  EXPECT_EQ(waiting_connections(inode_of(listener.get())), 1u);
  Fd accepted(::accept(listener.get(), nullptr, nullptr));
  EXPECT_EQ(waiting_connections(inode_of(listener.get())), 0u);
}

}  // namespace
}  // namespace berth::supervise
