#include "daemon/route/closed_connections.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/files/fd.h"

namespace berth::route {
namespace {

/// What a message says behind its head, or an attribute within: attributes one after the other.
using Attributes = std::string_view;

struct Attribute {
  int type = 0;
  std::string_view content;
  std::string_view whole;  ///< as it came, its head and padding included
};

std::optional<Attribute> take(Attributes& from) {
  nlattr head;
  if (from.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, from.data(), sizeof head);
  if (head.nla_len < NLA_HDRLEN || head.nla_len > from.size()) return std::nullopt;
  const std::size_t whole = std::min<std::size_t>(NLA_ALIGN(head.nla_len), from.size());
  const Attribute taken{head.nla_type & NLA_TYPE_MASK, from.substr(NLA_HDRLEN, head.nla_len - NLA_HDRLEN), from.substr(0, whole)};
  from.remove_prefix(whole);
  return taken;
}

std::optional<Attribute> find(Attributes in, int type) {
  while (const auto attribute = take(in))
    if (attribute->type == type) return attribute;
  return std::nullopt;
}

/// The content of an attribute within others; empty where it is missing.
std::string_view within(Attributes in, std::initializer_list<int> path) {
  for (const int type : path) {
    const auto found = find(in, type);
    if (!found) return {};
    in = found->content;
  }
  return in;
}

int byte_of(std::string_view content) { return content.size() == 1 ? static_cast<unsigned char>(content.front()) : -1; }

int port_of(std::string_view content) {
  std::uint16_t port;
  if (content.size() != sizeof port) return -1;
  std::memcpy(&port, content.data(), sizeof port);
  return ntohs(port);
}

/// A message that makes the kernel forget this one connection, not another that took its place since; empty where it is not to be.
std::string to_forget(Attributes connection, std::uint8_t family, const std::set<std::uint16_t>& private_ports) {
  if (byte_of(within(connection, {CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE})) != TCP_CONNTRACK_CLOSE) return {};
  const int asked_for = port_of(within(connection, {CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_DST_PORT}));
  const int led_to = port_of(within(connection, {CTA_TUPLE_REPLY, CTA_TUPLE_PROTO, CTA_PROTO_SRC_PORT}));
  if (asked_for == led_to || led_to <= 0 || !private_ports.contains(static_cast<std::uint16_t>(led_to))) return {};
  const auto name = find(connection, CTA_TUPLE_ORIG), id = find(connection, CTA_ID), zone = find(connection, CTA_ZONE);
  if (!name || !id) return {};  // without a name it would be all that there are
  std::string body;
  for (const auto& part : {name, id, zone})
    if (part) body += part->whole;
  nlmsghdr head{};
  head.nlmsg_len = static_cast<__u32>(NLMSG_LENGTH(sizeof(nfgenmsg)) + body.size());
  head.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
  head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  const nfgenmsg about{.nfgen_family = family, .version = NFNETLINK_V0, .res_id = 0};
  return std::string(reinterpret_cast<const char*>(&head), sizeof head) + std::string(reinterpret_cast<const char*>(&about), sizeof about) + body;
}

/// Reads an answer to its end, `each` message but that; the number of the error that the kernel ends it with, or 0.
template <class Each>
Result<int> read_answer(int netlink, Each each) {
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  for (;;) {
    const ssize_t got = ::recv(netlink, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail_errno("read what the kernel knows of connections");
    auto left = static_cast<std::size_t>(got);
    for (auto* head = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
      if (head->nlmsg_type == NLMSG_DONE) return 0;
      if (head->nlmsg_type == NLMSG_ERROR) return -static_cast<const nlmsgerr*>(NLMSG_DATA(head))->error;
      each(*head);
    }
  }
}

Result<std::vector<std::string>> closed_ones(int netlink, const std::set<std::uint16_t>& private_ports) {
  // Of those that were redirected alone, where the kernel knows of that (5.15); others are passed over here.
  struct {
    nlmsghdr head;
    nfgenmsg about;
    nlattr status_head;
    std::uint32_t status;
    nlattr mask_head;
    std::uint32_t mask;
  } request{};
  request.status_head = {.nla_len = NLA_HDRLEN + sizeof request.status, .nla_type = CTA_STATUS};
  request.mask_head = {.nla_len = NLA_HDRLEN + sizeof request.mask, .nla_type = CTA_STATUS_MASK};
  request.status = request.mask = htonl(IPS_DST_NAT);
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  if (::send(netlink, &request, sizeof request, 0) != sizeof request) return fail_errno("ask the kernel for its connections");
  std::vector<std::string> messages;
  const auto look = [&](const nlmsghdr& head) {
    constexpr std::size_t kBefore = NLMSG_LENGTH(sizeof(nfgenmsg));
    if (head.nlmsg_len < kBefore) return;
    const auto* about = static_cast<const nfgenmsg*>(NLMSG_DATA(&head));
    const Attributes connection(reinterpret_cast<const char*>(&head) + kBefore, head.nlmsg_len - kBefore);
    if (auto message = to_forget(connection, about->nfgen_family, private_ports); !message.empty()) messages.push_back(std::move(message));
  };
  BERTH_TRY(const int error, read_answer(netlink, look));
  if (error != 0 && error != EINVAL) return fail_errno("ask the kernel for its connections", error);
  return messages;  // none, where this kernel does not tell
}

}  // namespace

Result<int> forget_closed_connections(const std::set<std::uint16_t>& private_ports) {
  if (private_ports.empty()) return 0;
  const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!netlink) return fail_errno("open a netfilter socket");
  BERTH_TRY(const auto messages, closed_ones(netlink.get(), private_ports));
  int forgotten = 0;
  for (const std::string& message : messages) {
    if (::send(netlink.get(), message.data(), message.size(), 0) < 0) return fail_errno("make the kernel forget a connection");
    BERTH_TRY(const int error, read_answer(netlink.get(), [](const nlmsghdr&) {}));
    if (error == 0) ++forgotten;
    else if (error != ENOENT) return fail_errno("make the kernel forget a connection", error);  // ENOENT: it is gone already
  }
  return forgotten;
}

}  // namespace berth::route
