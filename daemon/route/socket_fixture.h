#pragma once

#include <linux/sock_diag.h>
#include <sys/socket.h>

#include "daemon/route/router_fixture.h"

namespace berth::route {

/// Instances behind a port that is routed by `socket`.
class SocketRouting : public RouterFixture {
 protected:
  struct Instance {
    Backend backend;
    Fd kept;  ///< the keeper's duplicate
    std::unique_ptr<Server> server;
  };

  /// Starts an instance; it does not serve yet.
  Instance start(const std::string& release, int number = 1) {
    const InstanceId instance = id(release, number);
    const auto listener = router->listener(port, instance);
    EXPECT_TRUE(listener) << listener.error().message;
    Instance started{.backend = {.id = instance}, .kept = Fd(::dup(*listener))};
    started.server = std::make_unique<Server>(*listener, release);
    return started;
  }
  std::string probe(const Instance& instance, int timeout_ms = 5000) const {
    const auto endpoint = router->probe_endpoint(port, instance.backend);
    return ask(endpoint.address, endpoint.port, endpoint.from_address, timeout_ms);
  }
  void stop(Instance& instance) {
    drain(port, instance.backend, instance.server->pid());
    dropped += drops_of(instance.kept.get());
    instance.server->stop();
    instance.kept.reset();
    ASSERT_OK(router->close_listener(port, instance.backend.id));
  }

  /// Packets that came to a listening socket and were dropped there: by its filter, or since it does not listen any more.
  static std::uint32_t drops_of(int listener) {
    std::uint32_t info[SK_MEMINFO_VARS] = {};
    socklen_t size = sizeof info;
    EXPECT_EQ(::getsockopt(listener, SOL_SOCKET, SO_MEMINFO, info, &size), 0);
    return info[SK_MEMINFO_DROPS];
  }

  const Public port = by(spec::Routing::socket);
  std::uint32_t dropped = 0;  ///< by those that were stopped
};

}  // namespace berth::route
