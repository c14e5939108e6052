#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/files/fd.h"
#include "core/ids.h"
#include "core/io/http.h"
#include "core/io/loop.h"
#include "core/result.h"
#include "core/spec/app_spec.h"

namespace berth::route {

/// A public port, and how it is reached.
struct Public {
  std::string app, process;
  std::uint16_t port = 0;
  spec::Routing kind = spec::Routing::none;

  auto operator<=>(const Public&) const = default;
};

/// One instance behind a public port.
struct Backend {
  InstanceId id;                   ///< with its release
  std::uint16_t private_port = 0;  ///< with `Routing::port`

  auto operator<=>(const Backend&) const = default;
};

/// Sends new connections of public ports to instances (DESIGN 7).
///
/// `socket`: every instance has a listening socket of its own in the port's SO_REUSEPORT group; a classic BPF program picks among those that
/// serve, and sends each instance's probe address to that instance alone. `port`: one nftables table, replaced in one call.
/// For one event loop; what blocks goes to the pool.
///
/// What the kernel has goes on while berthd is away. After a restart: `take_back` every socket that keepers held, those of instances that are to
/// be stopped included; `claim`; `serve`; and when all is known, `settle`. Until a port is served or given up again, the kernel does with it what
/// it did. An app may change how a port is reached: both kinds are claimed while it does, and the last `serve` of the port holds.
class Router {
 public:
  Router(boost::asio::any_io_executor executor, io::Pool& pool, std::filesystem::path run);
  ~Router();

  /// Claims the public port for the app's process. Fails with `Errc::conflict` when another app has it, or another program listens there
  /// (named, with its pid, where /proc tells), or, with `Routing::port`, another berthd has the table of this network; and with `Errc::usage` when the kernel or its nftables cannot route so, saying what to do.
  /// An equal claim is fine. What is routed stays as it is.
  boost::asio::awaitable<Result<void>> claim(Public port);

  /// Gives the public port up: nothing is routed to that process in that way any more, and its listening sockets end.
  boost::asio::awaitable<Result<void>> give_up(Public port);

  /// The listening socket of an instance, made at need; the descriptor stays the router's.
  Result<int> listener(Public port, const InstanceId& id);
  /// Takes back a listening socket that a keeper held while berthd was away.
  Result<void> take_back(Public port, const InstanceId& id, Fd socket);
  /// Ends an instance's listening socket, which leaves the group at once whoever still holds it. For instances that are stopped.
  Result<void> close_listener(Public port, const InstanceId& id);

  /// With `Routing::port`: keeps the outside away from the private port of an instance that starts. Those that serve, or did, are kept so anyway.
  boost::asio::awaitable<Result<void>> shield(Public port, Backend backend);

  /// From now on new connections go to exactly these instances; established ones stay where they are. When it returns the kernel does so.
  boost::asio::awaitable<Result<void>> serve(Public port, std::vector<Backend> backends);

  /// Who serves now, as this router last set it.
  std::vector<Backend> serving(const Public& port) const;

  /// Where a probe reaches this instance and no other.
  io::Endpoint probe_endpoint(const Public& port, const Backend& backend) const;

  /// Established connections of an instance, those it has yet to accept included (sock_diag), and handshakes that began before a switch and may still
  /// end at it. `pids`: its processes.
  boost::asio::awaitable<Result<int>> connections(Public port, Backend backend, std::vector<pid_t> pids);

  /// With `Routing::port`: makes the kernel forget the closed connections of an instance that is about to be stopped, or that was, so that it leads no client
  /// there that uses its own port again. Those that are open go on. `serve` does it for instances that leave the route.
  boost::asio::awaitable<Result<void>> forget_closed(Public port, Backend backend);

  /// After start-up: drops what an earlier berthd left for ports that nobody asked for. Where a claim failed, what it left goes on.
  boost::asio::awaitable<Result<void>> settle();

  /// What `watch` has to tell.
  struct TableNews {
    bool lost = false;  ///< the table is not as it should be, and could not be put back; else it is back
    std::string what;
  };
  /// Watches nftables and puts the table back when somebody flushed it; `on_news` is told. One that cannot be put back is told once, and tried again until it is. Runs until cancelled.
  boost::asio::awaitable<void> watch(std::function<void(TableNews)> on_news);
  /// Why routes by `port` are not as they should be; empty: they are.
  const std::string& trouble() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace berth::route
