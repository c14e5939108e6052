#include "daemon/route/socket_route.h"

#include <algorithm>

#include <fmt/core.h>
#include <netinet/tcp.h>

#include "daemon/route/ask_order.h"
#include "daemon/route/sock_diag.h"

namespace berth::route {
namespace {

constexpr std::size_t kMostMembers = 256;  ///< a program has 4096 instructions and the kernel's `optmem_max` bytes at most

}  // namespace

Result<int> SocketRoute::listener(const InstanceId& id) {
  if (const auto found = members_.find(id); found != members_.end() && found->second.socket.listens()) return found->second.socket.fd();
  if (members_.size() >= kMostMembers) {
    return fail(Errc::usage, fmt::format("{}: port {} has {} instances already, the most there can be", to_string(id), port_, kMostMembers));
  }
  forget_ended();
  BERTH_CHECK(learn_order());
  auto begun = begin(id);
  if (!begun) return pass(begun.error(), to_string(id));
  return members_.at(id).socket.fd();
}

/// Makes a member's socket. From the first moment on it gets nothing but its probes: the group's program does not pick it, and it has a gate, for the
/// group's first socket has no program yet (it cannot have one before it listens beside our reservation).
Result<void> SocketRoute::begin(const InstanceId& id) {
  BERTH_TRY(auto socket, ListeningSocket::bind(port_));
  const Address probe = free_probe_address(id);
  const std::uint64_t cookie = socket.cookie();
  BERTH_CHECK(socket.filter(gate(probe)));
  BERTH_CHECK(known_.add(cookie, port_));
  BERTH_CHECK(socket.listen());
  group_.join(cookie);
  listening_.insert(cookie);
  members_.emplace(id, Member{.socket = std::move(socket), .probe = probe, .shut = true});
  auto selected = select();
  if (!selected) static_cast<void>(close(id));
  return selected;
}

Result<void> SocketRoute::take_back(const InstanceId& id, Fd fd) {
  auto socket = ListeningSocket::adopt(std::move(fd), port_);
  if (!socket) return pass(socket.error(), to_string(id));
  const std::uint64_t cookie = socket->cookie();
  if (const auto found = members_.find(id); found != members_.end()) {
    if (found->second.socket.cookie() == cookie) return {};
    return fail(Errc::conflict, fmt::format("{}: it has another socket of port {} already", to_string(id), port_));
  }
  BERTH_CHECK(known_.add(cookie, port_));
  // It is not shut even if it does not serve: a berthd that was killed may have written down a switch that the kernel has yet to make.
  members_.emplace(id, Member{.socket = std::move(*socket), .probe = free_probe_address(id), .serving = known_.serves(cookie)});
  order_is_known_ = false;
  return {};
}

Result<void> SocketRoute::close(const InstanceId& id) {
  if (!members_.contains(id)) return {};
  forget_ended();
  // Without the order, connections that meet a wrong socket are refused by its gate, or served by one that does serve, until the next `serve`.
  auto ordered = learn_order();
  std::optional<std::uint64_t> cookie = cookie_of(id);
  if (cookie) {
    Member& leaving = members_.at(id);
    leaving.serving = false;
    if (ordered) ordered = select(*cookie);
    leaving.socket.end();
    group_.leave(*cookie);
    listening_.erase(*cookie);
    members_.erase(id);
  }
  auto selected = ordered ? select() : ordered;  // before anything slow
  if (cookie) BERTH_CHECK(known_.remove(*cookie));
  return selected;
}

Result<void> SocketRoute::serve(const std::set<InstanceId>& ids) {
  forget_ended();
  std::set<std::uint64_t> cookies;
  for (const InstanceId& id : ids) {
    const auto cookie = cookie_of(id);
    if (!cookie) return fail(Errc::not_found, fmt::format("{}: it has no socket that listens on port {}", to_string(id), port_));
    cookies.insert(*cookie);
  }
  BERTH_CHECK(learn_order());
  BERTH_CHECK(known_.serve(port_, cookies));
  for (auto& [id, member] : members_) {
    member.serving = ids.contains(id);
    if (!member.serving) continue;
    member.socket.unfilter();
    member.shut = false;
  }
  return select();
}

Result<void> SocketRoute::shut_others() {
  for (auto& [id, member] : members_) {
    if (member.serving || member.shut) continue;
    BERTH_CHECK(member.socket.filter(gate(member.probe)));
    member.shut = true;
  }
  return {};
}

/// Apps may end their socket themselves; the order of those that stay is then to be asked for.
void SocketRoute::forget_ended() {
  const auto ended = std::erase_if(members_, [](const auto& entry) { return !entry.second.socket.listens(); });
  if (ended != 0) order_is_known_ = false;
}

/// As long as nobody else came or went, the order is what we made it: another program of root may have joined the group, or left it.
Result<void> SocketRoute::learn_order() {
  BERTH_TRY(const auto on_port, tcp_sockets(port_, 1u << TCP_LISTEN));
  std::set<std::uint64_t> listening;
  for (const TcpSocket& socket : on_port) listening.insert(socket.cookie);
  if (order_is_known_ && listening == listening_) return {};

  order_is_known_ = false;
  std::vector<const ListeningSocket*> sockets;
  for (const auto& [id, member] : members_) {
    sockets.push_back(&member.socket);
    if (!member.shut) BERTH_CHECK(member.socket.filter(deafness()));
  }
  auto asked = ask_order(port_, sockets);
  for (const auto& [id, member] : members_) {
    if (!member.shut) member.socket.unfilter();
  }
  if (!asked) return std::unexpected(asked.error());
  group_ = std::move(*asked);
  listening_ = std::move(listening);
  order_is_known_ = true;
  return {};
}

Address SocketRoute::free_probe_address(const InstanceId& id) const {
  for (int attempt = 0;; ++attempt) {
    const Address address = probe_address(id, attempt);
    if (std::ranges::none_of(members_, [&](const auto& entry) { return entry.first != id && entry.second.probe == address; })) return address;
  }
}

/// With `leaving`: what holds before and after that socket leaves the group.
Selection SocketRoute::selection(std::optional<std::uint64_t> leaving) const {
  Selection selection;
  for (const auto& [id, member] : members_) {
    const std::uint64_t cookie = member.socket.cookie();
    const auto index = leaving ? group_.index_that_stays(cookie, *leaving) : group_.index_of(cookie);
    if (!index) continue;
    selection.by_source[member.probe] = static_cast<std::uint16_t>(*index);
    if (member.serving) selection.serving.push_back(static_cast<std::uint16_t>(*index));
  }
  return selection;
}

Result<void> SocketRoute::select(std::optional<std::uint64_t> leaving) const {
  if (members_.empty()) return {};
  auto picks = selection(leaving);
  // Where every one that serves moves, they are served as before up to that moment.
  if (leaving && picks.serving.empty()) picks.serving = selection({}).serving;
  return members_.begin()->second.socket.select_by(selecting_program(picks));
}

std::vector<InstanceId> SocketRoute::instances_of(const std::string& app, const std::string& process) const {
  std::vector<InstanceId> ids;
  for (const auto& [id, member] : members_) {
    if (id.app == app && id.process == process) ids.push_back(id);
  }
  return ids;
}

std::optional<std::uint64_t> SocketRoute::cookie_of(const InstanceId& id) const {
  const auto found = members_.find(id);
  if (found == members_.end()) return std::nullopt;
  return found->second.socket.cookie();
}

std::vector<std::uint64_t> SocketRoute::cookies() const {
  std::vector<std::uint64_t> cookies;
  for (const auto& [id, member] : members_) cookies.push_back(member.socket.cookie());
  return cookies;
}

Address SocketRoute::probe_address_of(const InstanceId& id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? free_probe_address(id) : found->second.probe;
}

}  // namespace berth::route
