#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "core/io/http.h"

namespace berth::api {

/// Who may make a call. Each may make those of the ones before it.
enum class Role {
  anybody,    ///< also on the metrics listener, which asks nobody who they are
  viewer,     ///< looks
  deployer,   ///< also brings releases, and takes them back
  operator_,  ///< also stops and starts, and overrules
  admin       ///< also removes; root, and members of [api] group
};

/// "deployer".
std::string_view to_string(Role role);

/// Who makes a call.
struct Caller {
  std::string name;               ///< for the history: "root (uid 0)", "ci.example.org (certificate, from 10.0.0.7)"
  Role role = Role::anybody;
  std::vector<std::string> apps;  ///< that it sees and changes alone; empty: all, and the node itself
  bool on_node = true;            ///< its files and sockets are those of this machine

  bool sees(std::string_view app) const;
};

/// Who has a role by a certificate.
struct Client {
  std::string name;  ///< a DNS name, "*.example.org" of them, a URI, or an e-mail address
  Role role = Role::viewer;
  std::vector<std::string> apps;
};

/// A group of this machine whose members have a role at the control socket.
struct Group {
  gid_t number = static_cast<gid_t>(-1);
  Role role = Role::viewer;
  std::vector<std::string> apps;

  bool operator==(const Group&) const = default;
};

/// Who comes to the control socket: root, or by the first of `groups` that the kernel says the peer is in, by its primary or a supplementary group. One who is in none may do
/// nothing. Blocking, since names of users may come from afar.
Caller identify(const io::Peer& peer, const std::vector<Group>& groups);

/// Who shows a certificate: the first of `clients` that one of its names fits. One that none fits may do nothing, and is named as well as it can be.
Caller identify_client(const io::Peer& peer, const std::vector<Client>& clients);

/// A group's number. Blocking.
std::optional<gid_t> group_named(const std::string& name);

}  // namespace berth::api
