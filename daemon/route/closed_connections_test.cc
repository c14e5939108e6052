#include "daemon/route/closed_connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include "daemon/route/outside.h"
#include "daemon/route/router_fixture.h"

namespace berth::route {
namespace {

constexpr std::uint16_t kClientPort = 41000, kOld = 20001, kNew = 20002;

/// A client's end of a connection to the public port, from a port that it chose; not open where the connection was refused.
Fd connect_from(const std::string& from, const std::string& to, std::uint16_t own_port = kClientPort) {
  const bool six = to.find(':') != std::string::npos;
  Fd client(::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  ::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto call = [&](const std::string& address, std::uint16_t port, auto how) {
    sockaddr_in6 v6{};
    sockaddr_in v4{};
    v6.sin6_family = AF_INET6;
    v4.sin_family = AF_INET;
    v6.sin6_port = v4.sin_port = htons(port);
    ::inet_pton(six ? AF_INET6 : AF_INET, address.c_str(), six ? static_cast<void*>(&v6.sin6_addr) : &v4.sin_addr);
    return six ? how(client.get(), reinterpret_cast<sockaddr*>(&v6), sizeof v6) : how(client.get(), reinterpret_cast<sockaddr*>(&v4), sizeof v4);
  };
  EXPECT_EQ(call(from, own_port, ::bind), 0) << from;
  if (call(to, 8080, ::connect) != 0) client.reset();
  return client;
}

void reset(Fd& connection) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  connection.reset();
}

/// Whether what one end says arrives at the other.
bool passes(const Fd& from, const Fd& to) {
  char got = 0;
  return ::write(from.get(), "x", 1) == 1 && ::recv(to.get(), &got, 1, 0) == 1;
}

class ClosedConnections : public RouterFixture {
 protected:
  ClosedConnections() {
    old_listener = listen_at(all_addresses(), kOld);
    new_listener = listen_at(all_addresses(), kNew);
    const timeval patience{.tv_sec = 5, .tv_usec = 0};  // accepting, too
    for (const Fd* listener : {&old_listener, &new_listener}) ::setsockopt(listener->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_TRUE(claim(port));
    EXPECT_TRUE(serve(port, {old}));
  }
  static Fd accept(const Fd& listener) { return Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  /// One that the old instance resets.
  void reset_by_server(const std::string& address) {
    const Fd client = connect_from(address, address);
    Fd server = accept(old_listener);
    ASSERT_TRUE(client && server && passes(client, server) && passes(server, client)) << address;
    reset(server);
  }
  Result<void> forget() { return io::on_loop(loop, router->forget_closed(port, old)); }

  const Public port = by(spec::Routing::port);
  const Backend old{.id = id("v1"), .private_port = kOld}, fresh{.id = id("v2"), .private_port = kNew};
  Fd old_listener, new_listener;
};

TEST_F(ClosedConnections, LeadNobodyToAnInstanceThatLeftTheRoute) {
  for (const std::string& address : {std::string("127.0.0.1"), another_loopback()}) {
    ASSERT_OK(serve(port, {old}));
    reset_by_server(address);
    ASSERT_OK(serve(port, {fresh}));
    const Fd client = connect_from(address, address);
    ASSERT_TRUE(client) << address;
    const Fd server = accept(new_listener);
    EXPECT_TRUE(passes(client, server)) << address;
  }
}

TEST_F(ClosedConnections, ThatWereResetWhileTheInstanceDrainedLeadNobodyToItOnceItHasEnded) {
  for (const std::string& address : {std::string("127.0.0.1"), another_loopback()}) {
    ASSERT_OK(serve(port, {old}));
    Fd drains = connect_from(address, address);
    Fd at_server = accept(old_listener);
    ASSERT_OK(serve(port, {fresh}));
    ASSERT_TRUE(passes(drains, at_server)) << "it goes on";
    reset(at_server);
    ASSERT_OK(forget());
    drains = connect_from(address, address);
    ASSERT_TRUE(drains) << address;
    const Fd server = accept(new_listener);
    EXPECT_TRUE(passes(drains, server)) << address;
  }
}

TEST_F(ClosedConnections, OfOthersThatAreOpenAreLeftAlone) {
  const Fd open = connect_from("127.0.0.1", "127.0.0.1", kClientPort + 1);
  const Fd at_server = accept(old_listener);
  Fd half = connect_from("127.0.0.1", "127.0.0.1", kClientPort + 2);
  const Fd half_at_server = accept(old_listener);
  ::shutdown(half.get(), SHUT_WR);
  reset_by_server("127.0.0.1");
  EXPECT_EQ(forget_closed_connections({kNew}).value_or(-1), 0);
  EXPECT_EQ(forget_closed_connections({kOld}).value_or(-1), 1);
  EXPECT_EQ(forget_closed_connections({kOld}).value_or(-1), 0);
  ASSERT_OK(serve(port, {fresh}));
  EXPECT_TRUE(passes(open, at_server) && passes(at_server, open));
  EXPECT_TRUE(passes(half_at_server, half)) << "a peer that has said all may still wait for the answer";
}

TEST_F(ClosedConnections, FromOutsideLeadNobodyToAnInstanceThatLeftTheRoute) {
  const Outside outside;
  for (const auto& [from, to] : {std::pair("10.77.0.2", "10.77.0.1"), std::pair("fd77::2", "fd77::1")}) {
    ASSERT_OK(serve(port, {old}));
    std::thread there([&] {
      outside.enter();
      const Fd client = connect_from(from, to);
      Fd server = accept(old_listener);
      ASSERT_TRUE(client && passes(client, server)) << to;
      reset(server);
      char got;
      EXPECT_EQ(::recv(client.get(), &got, 1, 0), -1);
    });
    there.join();
    ASSERT_OK(serve(port, {fresh}));
    std::thread again([&] {
      outside.enter();
      const Fd client = connect_from(from, to);
      ASSERT_TRUE(client) << to;
      pollfd waiting{.fd = new_listener.get(), .events = POLLIN, .revents = 0};
      EXPECT_EQ(::poll(&waiting, 1, 1000), 1) << to << ": at the instance that serves";
      accept(new_listener);
    });
    again.join();
  }
}

}  // namespace
}  // namespace berth::route
