#include "daemon/route/sock_diag.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/files/fd.h"

namespace berth::route {
namespace {

struct Request {
  nlmsghdr head;
  inet_diag_req_v2 body;
};

Result<void> ask(int netlink, int family, std::uint16_t local_port, std::uint32_t states) {
  Request request{};
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.sdiag_family = static_cast<__u8>(family);
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = states;
  request.body.id.idiag_sport = htons(local_port);
  if (::send(netlink, &request, sizeof request, 0) != sizeof request) return fail_errno("ask sock_diag for TCP sockets");
  return {};
}

TcpSocket socket_of(const inet_diag_msg& message) {
  const std::uint64_t low = message.id.idiag_cookie[0], high = message.id.idiag_cookie[1];
  return {.family = message.idiag_family, .state = message.idiag_state, .cookie = high << 32 | low,
          .inode = message.idiag_inode, .queue = message.idiag_rqueue};
}

/// Reads one family's answer to its end.
Result<void> read_answer(int netlink, std::vector<TcpSocket>& into) {
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  for (;;) {
    const ssize_t got = ::recv(netlink, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail_errno("read the answer of sock_diag");
    auto left = static_cast<std::size_t>(got);
    for (auto* head = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
      if (head->nlmsg_type == NLMSG_DONE) return {};
      if (head->nlmsg_type == NLMSG_ERROR) {
        const int error = -static_cast<const nlmsgerr*>(NLMSG_DATA(head))->error;
        if (error == ENOENT) return {};  // a family that this kernel lacks
        return fail_errno("ask sock_diag for TCP sockets", error);
      }
      if (head->nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg))) continue;
      into.push_back(socket_of(*static_cast<const inet_diag_msg*>(NLMSG_DATA(head))));
    }
  }
}

}  // namespace

Result<std::vector<TcpSocket>> tcp_sockets(std::uint16_t local_port, std::uint32_t states) {
  const Fd netlink(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink) return fail_errno("open a sock_diag socket");
  std::vector<TcpSocket> sockets;
  for (const int family : {AF_INET, AF_INET6}) {
    BERTH_CHECK(ask(netlink.get(), family, local_port, states));
    BERTH_CHECK(read_answer(netlink.get(), sockets));
  }
  return sockets;
}

}  // namespace berth::route
