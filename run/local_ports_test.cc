#include "run/local_ports.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace berth::run {
namespace {

using testing::HasSubstr;

/// A port that somebody listens at.
std::pair<Fd, std::uint16_t> occupied_port() {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_ANY)}};
  socklen_t size = sizeof at;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  EXPECT_EQ(::listen(fd.get(), 1), 0);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size);
  return {std::move(fd), ntohs(at.sin_port)};
}

std::uint16_t released_port() { return occupied_port().second; }

spec::Process with_port(spec::Routing routing, std::uint16_t port) {
  spec::Process process;
  process.routing = routing;
  process.public_port = port;
  return process;
}

TEST(LocalPorts, TheFirstInstanceHasThePublicPortAndFurtherOnesOthers) {
  const std::uint16_t port = released_port();
  spec::Process process = with_port(spec::Routing::port, port);
  process.private_ports["admin"] = {};
  LocalPorts ports({"web"}, std::nullopt);
  const auto first = ports.of("web", process, 1), second = ports.of("web", process, 2);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->main, port);
  EXPECT_NE(second->main, port);
  EXPECT_NE(first->named.at("admin"), second->named.at("admin"));
  EXPECT_EQ(ports.of("web", process, 2)->main, second->main) << "it stays the same";
}

TEST(LocalPorts, KnowsWhetherSomebodyHasOne) {
  EXPECT_FALSE(is_taken(released_port()));
  const auto [holder, port] = occupied_port();
  EXPECT_TRUE(is_taken(port));
}

TEST(LocalPorts, OneThatIsTakenIsToldWithWhatToDo) {
  const auto [holder, port] = occupied_port();
  LocalPorts ports({"web"}, std::nullopt);
  const auto refused = ports.of("web", with_port(spec::Routing::port, port), 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_THAT(refused.error().message, testing::AllOf(HasSubstr("web: port " + std::to_string(port)), HasSubstr("a berthd of this machine keeps it"), HasSubstr("--port")));
}

TEST(LocalPorts, FromABaseOnEachProcessHasItsHundredInTheGivenOrder) {
  const int base = 41'000;
  LocalPorts ports({"web", "clock"}, base);
  spec::Process process;
  process.private_ports["http"] = {};
  EXPECT_EQ(ports.of("web", process, 1)->named.at("http"), base);
  EXPECT_EQ(ports.of("web", process, 3)->named.at("http"), base + 2);
  EXPECT_EQ(ports.of("clock", process, 1)->named.at("http"), base + 100);
  EXPECT_EQ(LocalPorts({"web"}, 65'535).of("web", process, 2).error().code, Errc::usage);
}

TEST(LocalPorts, AllInstancesShareTheirProcesssSocket) {
  const std::uint16_t port = released_port();
  LocalPorts ports({"web"}, std::nullopt);
  const spec::Process process = with_port(spec::Routing::socket, port);
  const auto listener = ports.listener("web", process);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_EQ(*ports.listener("web", process), *listener);
  EXPECT_EQ(ports.of("web", process, 2)->main, port);
  const sockaddr_in at{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0) << "it listens";
}

TEST(LocalPorts, OneThatIsTakenByIpv6AloneIsTakenToo) {
  const Fd holder(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  sockaddr_in6 at{.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
  socklen_t size = sizeof at;
  if (!holder || ::setsockopt(holder.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) != 0 || ::bind(holder.get(), reinterpret_cast<sockaddr*>(&at), size) != 0)
    GTEST_SKIP() << "this machine has no IPv6";
  ASSERT_EQ(::listen(holder.get(), 1), 0);
  ::getsockname(holder.get(), reinterpret_cast<sockaddr*>(&at), &size);
  const std::uint16_t port = ntohs(at.sin6_port);
  EXPECT_EQ(LocalPorts({"web"}, std::nullopt).of("web", with_port(spec::Routing::port, port), 1).error().code, Errc::conflict);
  EXPECT_EQ(LocalPorts({"web"}, port).of("web", with_port(spec::Routing::port, 1), 1).error().code, Errc::conflict);
}

}  // namespace
}  // namespace berth::run
