#include "daemon/route/table_events.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "daemon/route/port_table.h"

namespace berth::route {
namespace {

/// The first attribute of every message about a table, or about what is in one, is the table's name.
static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 && NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1);

bool is_of_our_table(const nlmsghdr& head) {
  if (NFNL_SUBSYS_ID(head.nlmsg_type) != NFNL_SUBSYS_NFTABLES || head.nlmsg_len < NLMSG_LENGTH(sizeof(nfgenmsg))) return false;
  const auto* family = static_cast<const nfgenmsg*>(NLMSG_DATA(&head));
  if (NFNL_MSG_TYPE(head.nlmsg_type) == NFT_MSG_NEWGEN || family->nfgen_family != NFPROTO_INET) return false;
  const auto* at = static_cast<const char*>(NLMSG_DATA(&head)) + NLMSG_ALIGN(sizeof(nfgenmsg));
  const auto* end = reinterpret_cast<const char*>(&head) + head.nlmsg_len;
  while (end - at >= NLA_HDRLEN) {
    nlattr attribute;
    std::memcpy(&attribute, at, sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > end - at) return false;
    const std::string_view content(at + NLA_HDRLEN, attribute.nla_len - NLA_HDRLEN);
    if ((attribute.nla_type & NLA_TYPE_MASK) == NFTA_TABLE_NAME) return content.substr(0, content.find('\0')) == kTableName;
    if (NLA_ALIGN(attribute.nla_len) > end - at) return false;
    at += NLA_ALIGN(attribute.nla_len);
  }
  return false;
}

}  // namespace

Result<TableEvents> TableEvents::subscribe() {
  Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!netlink) return fail_errno("open a netfilter socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(netlink.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return fail_errno("bind a netfilter socket");
  const int group = NFNLGRP_NFTABLES;
  if (::setsockopt(netlink.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) return fail_errno("subscribe to nftables' events");
  return TableEvents(std::move(netlink));
}

Result<bool> TableEvents::take() {
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  bool ours = false;
  for (;;) {
    const ssize_t got = ::recv(netlink_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) {  // some were lost
      ours = true;
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return ours;
    if (got <= 0) return fail_errno("read nftables' events");
    auto left = static_cast<std::size_t>(got);
    for (auto* head = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
      ours = ours || is_of_our_table(*head);
    }
  }
}

}  // namespace berth::route
