#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "daemon/route/known_sockets.h"
#include "daemon/route/nftables.h"
#include "daemon/route/router.h"
#include "daemon/route/socket_route.h"

namespace berth::route {

using boost::asio::awaitable;

/// What is known of one public port.
struct Route {
  Route(std::uint16_t port, KnownSockets& known) : sockets(port, known) {}

  std::set<Public> claims;
  std::optional<ListeningSocket> reservation;  ///< bound, so that no other program takes the port
  std::optional<Public> current;               ///< what `serving` is of
  std::vector<Backend> serving;
  SocketRoute sockets;
  std::set<std::uint64_t> handshakes;          ///< under way when the route last changed
  io::Steady::time_point changed_at{};
  std::set<std::uint16_t> closed;              ///< private ports that nobody outside reaches: those that serve and those that did before
  std::set<std::uint16_t> shielded;            ///< those that do not serve yet
};

struct Router::State {
  State(boost::asio::any_io_executor executor, io::Pool& its_pool, const std::filesystem::path& run)
      : pool(its_pool), run_folder(run), known(run / "route" / "sockets"), turn_ended(std::move(executor)) {}

  Route& route(std::uint16_t port) { return routes.try_emplace(port, port, known).first->second; }
  Route* find(const Public& port);  ///< null unless it is claimed

  io::Pool& pool;
  std::filesystem::path run_folder;
  KnownSockets known;
  std::map<std::uint16_t, Route> routes;

  std::shared_ptr<Nftables> nftables = std::make_shared<Nftables>();
  struct Hold {
    std::string mark;
    Fd socket;
  };
  std::optional<Hold> hold;                 ///< the table is ours
  bool nothing_there = false;               ///< it was seen since we had it last that nothing in it is ours
  std::optional<PortTable> table;           ///< as the kernel has it; read when first needed
  std::optional<std::string> printed;       ///< how nftables prints what we wrote
  std::set<std::uint16_t> inherited_closed;  ///< by an earlier berthd, until all is settled
  std::set<std::uint16_t> asked_for;         ///< ports that somebody claimed to be routed by `port`, in vain or not
  bool port_works = false;
  std::string trouble;                       ///< why the table is not as it should be; empty: it is

  bool busy = false;  ///< one change at a time
  io::Event turn_ended;
};

/// Held while routes are changed.
class Turn {
 public:
  explicit Turn(std::shared_ptr<Router::State> state) : state_(std::move(state)) { state_->busy = true; }
  Turn(Turn&&) noexcept = default;
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (!state_) return;
    state_->busy = false;
    state_->turn_ended.notify();
  }

 private:
  std::shared_ptr<Router::State> state_;
};
awaitable<Turn> take_turn(std::shared_ptr<Router::State> state);

// table_changes.cc: each expects the caller to hold the turn.

inline constexpr int kHoldTries = 50;

/// Makes the table ours, unless it is: no other berthd of this network touches it then. Fails with `Errc::conflict` when another one has it, or is only away while its apps go
/// on; what is left of one that is gone with its apps is removed.
awaitable<Result<void>> hold_our_table(std::shared_ptr<Router::State> state, int tries);
/// Leaves the table to others when nothing of ours needs it.
awaitable<void> leave_table(std::shared_ptr<Router::State> state);
/// The kernel's table, from memory or, the first time, from the kernel. Fails with `Errc::conflict` where it is another berthd's: nothing in it is ours then.
awaitable<Result<PortTable>> current_table(std::shared_ptr<Router::State> state);
/// Writes it with the ports that are closed by what `routes` says now, unless the kernel has it so already.
awaitable<Result<void>> write_table(std::shared_ptr<Router::State> state, PortTable table);
/// Removes the port from the table, if it is there. Fine where there is no nftables.
awaitable<Result<void>> drop_from_table(std::shared_ptr<Router::State> state, std::uint16_t port);
/// Puts back what another program changed. True when it had to.
awaitable<Result<bool>> repair_table(std::shared_ptr<Router::State> state);

/// Waits until every packet that the kernel was working on when it was called is through: none is treated by an older rule or program any more.
/// Blocks for some milliseconds.
void wait_for_packets_under_way();

}  // namespace berth::route
