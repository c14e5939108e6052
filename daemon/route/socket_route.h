#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "daemon/route/known_sockets.h"
#include "daemon/route/listening_socket.h"
#include "daemon/route/socket_group.h"

namespace berth::route {

/// The listening sockets of one public port: which of them get connections, and which only their probes.
///
/// Two things keep clients away from an instance that does not serve: the group's program does not pick it, and its own filter refuses their
/// first packet. The program is what makes a switch atomic. The filters hold where the program names nobody, or a socket left while berthd was
/// away.
class SocketRoute {
 public:
  SocketRoute(std::uint16_t port, KnownSockets& known) : port_(port), known_(known) {}

  /// Of an instance that does not serve yet; made at need.
  Result<int> listener(const InstanceId& id);
  /// Takes a socket back as it was: serving or not.
  Result<void> take_back(const InstanceId& id, Fd socket);
  /// Ends it. Connections go on to those that serve.
  Result<void> close(const InstanceId& id);

  /// From now on these serve. Others are refused to new clients only by `shut_others`, which is to follow when no packet is under way any more.
  Result<void> serve(const std::set<InstanceId>& ids);
  Result<void> shut_others();

  /// Those of one process.
  std::vector<InstanceId> instances_of(const std::string& app, const std::string& process) const;
  std::optional<std::uint64_t> cookie_of(const InstanceId& id) const;
  std::vector<std::uint64_t> cookies() const;
  /// The source address that reaches this instance alone.
  Address probe_address_of(const InstanceId& id) const;
  bool empty() const { return members_.empty(); }

 private:
  struct Member {
    ListeningSocket socket;
    Address probe;
    bool serving = false;
    bool shut = false;  ///< it has its gate
  };

  Address free_probe_address(const InstanceId& id) const;
  Result<void> learn_order();
  void forget_ended();
  Result<void> begin(const InstanceId& id);
  Result<void> select(std::optional<std::uint64_t> leaving = {}) const;
  Selection selection(std::optional<std::uint64_t> leaving) const;

  std::uint16_t port_;
  KnownSockets& known_;
  std::map<InstanceId, Member> members_;
  SocketGroup group_;
  std::set<std::uint64_t> listening_;  ///< all that listened on the port when the order was learned, strangers included
  bool order_is_known_ = true;
};

}  // namespace berth::route
