#include "daemon/route/ask_order.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "daemon/route/sock_diag.h"

namespace berth::route {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = 50ms;       ///< for a packet to get over loopback
constexpr auto kGlance = 50us;
constexpr int kMostRounds = 10;        ///< of asking for one index, while clients are refused by other sockets
constexpr int kMostAttempts = 3;       ///< of asking for a whole order

using Sockets = std::vector<const ListeningSocket*>;

sockaddr_in ipv4(Address address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  result.sin_addr.s_addr = htonl(address);
  return result;
}

/// Begins a connection and gives it up.
Result<void> knock(std::uint16_t index, std::uint16_t port) {
  const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!client) return fail_errno("make a socket");
  const auto from = ipv4(asking_address(index), 0), to = ipv4(INADDR_LOOPBACK, port);
  if (::bind(client.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) return fail_errno("bind " + to_text(asking_address(index)));
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS) {
    return fail_errno(fmt::format("connect to port {} over loopback", port));
  }
  return {};
}

Result<std::vector<std::uint32_t>> count_drops(const Sockets& sockets) {
  std::vector<std::uint32_t> counts;
  for (const ListeningSocket* socket : sockets) {
    BERTH_TRY(const std::uint32_t drops, socket->drops());
    counts.push_back(drops);
  }
  return counts;
}

/// Those of `sockets` that dropped something after a knock at `index`: the one that stands there, and those that refused a client meanwhile.
Result<Sockets> who_dropped(std::uint16_t index, std::uint16_t port, const Sockets& sockets) {
  BERTH_TRY(const auto before, count_drops(sockets));
  BERTH_CHECK(knock(index, port));
  Sockets dropped;
  for (const auto end = Clock::now() + kPatience; dropped.empty() && Clock::now() < end;) {
    BERTH_TRY(const auto after, count_drops(sockets));
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      if (after[i] != before[i]) dropped.push_back(sockets[i]);
    }
    if (dropped.empty()) std::this_thread::sleep_for(kGlance);
  }
  return dropped;
}

/// The one of `candidates` that stands at `index`: it alone drops something each time. A stranger drops nothing: then null.
Result<const ListeningSocket*> who_is_at(std::uint16_t index, std::uint16_t port, Sockets candidates) {
  for (int round = 0; round < kMostRounds && !candidates.empty(); ++round) {
    BERTH_TRY(candidates, who_dropped(index, port, candidates));
    if (candidates.size() == 1 && round > 0) return candidates.front();
  }
  return nullptr;
}

/// The order of `size` sockets, those that are not ours included; for each index only those that have no place yet come into question.
Result<SocketGroup> ask_all(std::uint16_t port, std::size_t size, Sockets unplaced) {
  std::vector<SocketGroup::Cookie> order;
  while (order.size() < size) {
    BERTH_TRY(const ListeningSocket* const found, who_is_at(static_cast<std::uint16_t>(order.size()), port, unplaced));
    order.push_back(found == nullptr ? SocketGroup::kStranger : found->cookie());
    std::erase(unplaced, found);
  }
  if (unplaced.empty()) return SocketGroup(std::move(order));
  return fail(Errc::io, fmt::format("port {}: cannot tell the order of its {} sockets: connections over loopback do not arrive (a firewall on `lo`?)",
                                    port, size));
}

/// How many sockets listen in the group of ours.
Result<std::size_t> group_size(std::uint16_t port, int family) {
  BERTH_TRY(const auto listening, tcp_sockets(port, 1u << TCP_LISTEN));
  return static_cast<std::size_t>(std::ranges::count(listening, family, &TcpSocket::family));
}

}  // namespace

Result<SocketGroup> ask_order(std::uint16_t port, const Sockets& sockets) {
  if (sockets.empty()) return SocketGroup();
  for (int attempt = 1;; ++attempt) {
    BERTH_TRY(const std::size_t size, group_size(port, sockets.front()->family()));
    if (size == 1 && sockets.size() == 1) return SocketGroup({sockets.front()->cookie()});
    auto group = ask_all(port, size, sockets);
    if (group || attempt == kMostAttempts) return group;
  }
}

}  // namespace berth::route
