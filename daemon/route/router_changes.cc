#include <algorithm>

#include <fmt/core.h>

#include "daemon/route/closed_connections.h"
#include "daemon/route/connection_count.h"
#include "daemon/route/port_owner.h"
#include "daemon/route/router_state.h"

namespace berth::route {
namespace {

using StatePtr = std::shared_ptr<Router::State>;

std::string name_of(const Public& port) { return fmt::format("port {} of {}/{}", port.port, port.app, port.process); }

/// What the kernel must be able to do for the claim.
awaitable<Result<void>> check_ability(StatePtr state, Public port) {
  if (port.kind == spec::Routing::socket) co_return can_select();
  if (port.kind == spec::Routing::none) co_return fail(Errc::internal, name_of(port) + " has no routing");
  if (state->port_works) co_return Result<void>();
  const auto check = [nftables = state->nftables] { return nftables->check(); };
  auto able = co_await state->pool.run(check);
  if (able) state->port_works = true;
  co_return able;
}

/// Holds the port against other programs, or names the one that has it.
awaitable<Result<ListeningSocket>> reserve(StatePtr state, std::uint16_t port) {
  auto reservation = ListeningSocket::bind(port);
  if (!reservation && reservation.error().code != Errc::conflict) co_return reservation;
  if (reservation) {
    if (auto held = reservation->hold(); !held) co_return std::unexpected(held.error());
  }
  const auto look = [port, ours = state->known.cookies()] {
    return no_stranger_listens(port, [&ours](std::uint64_t cookie) { return ours.contains(cookie); });
  };
  auto free = co_await state->pool.run(look);
  if (!free) co_return std::unexpected(free.error());
  co_return reservation;
}

/// After a switch among sockets: nobody new comes to those that do not serve, and who is between is known.
awaitable<Result<void>> finish_switch(StatePtr state, std::uint16_t port) {
  const auto settle = [port] {
    wait_for_packets_under_way();
    return handshakes(port);
  };
  auto under_way = co_await state->pool.run(settle);
  Route& route = state->route(port);
  route.handshakes = under_way ? std::move(*under_way) : std::set<std::uint64_t>();
  route.changed_at = io::Steady::now();
  co_return route.sockets.shut_others();
}

awaitable<Result<void>> serve_by_socket(StatePtr state, Public port, std::vector<Backend> backends) {
  Route& route = state->route(port.port);
  std::set<InstanceId> ids;
  for (const Backend& backend : backends) ids.insert(backend.id);
  if (auto served = route.sockets.serve(ids); !served) co_return served;
  auto finished = co_await finish_switch(state, port.port);
  if (!finished) co_return finished;
  // Private ports that it led to stay closed, and so the table stays: redirected connections need it to their end.
  auto dropped = co_await drop_from_table(state, port.port);
  co_await leave_table(state);
  co_return dropped;
}

awaitable<Result<void>> serve_by_port(StatePtr state, Public port, std::vector<Backend> backends) {
  auto table = co_await current_table(state);
  if (!table) co_return std::unexpected(table.error());
  Route& route = state->route(port.port);
  auto& leads_to = table->routes[port.port];
  std::set<std::uint16_t> left(leads_to.begin(), leads_to.end());
  const auto closed_before = route.closed, shielded_before = route.shielded;
  if (!backends.empty()) route.closed.clear();
  route.closed.insert(leads_to.begin(), leads_to.end());
  leads_to.clear();
  for (const Backend& backend : backends) {
    if (backend.private_port == 0) co_return fail(Errc::internal, to_string(backend.id) + " has no private port");
    leads_to.push_back(backend.private_port);
    route.closed.insert(backend.private_port);
    route.shielded.erase(backend.private_port);
    left.erase(backend.private_port);
  }
  if (leads_to.empty()) table->routes.erase(port.port);
  auto written = co_await write_table(state, std::move(*table));
  if (!written) {
    route.closed = closed_before;
    route.shielded = shielded_before;
    co_return written;
  }
  const auto forget = [left] { return forget_closed_connections(left); };
  static_cast<void>(co_await state->pool.run(forget));  // the switch is done, whether or not
  if (route.sockets.empty()) co_return Result<void>();
  if (auto none = route.sockets.serve({}); !none) co_return none;
  auto finished = co_await finish_switch(state, port.port);
  co_return finished;
}

}  // namespace

awaitable<Result<void>> Router::claim(Public port) {
  const auto state = state_;
  const Turn turn = co_await take_turn(state);
  if (state->find(port) != nullptr) co_return Result<void>();
  if (const auto found = state->routes.find(port.port); found != state->routes.end()) {
    for (const Public& other : found->second.claims) {
      if (other.app == port.app) continue;
      co_return fail(Errc::conflict, fmt::format("{}: the app {} has it already: give one of them another port", name_of(port), other.app));
    }
  }
  if (port.kind == spec::Routing::port) state->asked_for.insert(port.port);
  auto able = co_await check_ability(state, port);
  if (!able) co_return pass(able.error(), name_of(port));
  if (port.kind == spec::Routing::port) {
    auto held = co_await hold_our_table(state, kHoldTries);
    if (!held) co_return pass(held.error(), name_of(port));
  }
  auto reservation = co_await reserve(state, port.port);
  if (!reservation) {
    co_await leave_table(state);
    co_return pass(reservation.error(), fmt::format("{}/{}", port.app, port.process));
  }
  Route& route = state->route(port.port);
  if (!route.reservation) route.reservation = std::move(*reservation);
  route.claims.insert(port);
  co_return Result<void>();
}

awaitable<Result<void>> Router::give_up(Public port) {
  const auto state = state_;
  const Turn turn = co_await take_turn(state);
  Route& route = state->route(port.port);
  auto result = Result<void>();
  if (port.kind == spec::Routing::socket) {
    for (const InstanceId& id : route.sockets.instances_of(port.app, port.process)) {
      if (auto closed = route.sockets.close(id); !closed) result = closed;
    }
  }
  const bool was_current = route.current == port;
  if (was_current) {
    route.current.reset();
    route.serving.clear();
  }
  const bool table_is_another_s = std::ranges::any_of(route.claims, [&](const Public& other) {
    return other != port && other.kind == spec::Routing::port;
  });
  if (port.kind == spec::Routing::port && (was_current || !table_is_another_s)) {
    route.closed.clear();
    route.shielded.clear();
    state->asked_for.erase(port.port);
    auto dropped = co_await drop_from_table(state, port.port);
    if (!dropped) co_return dropped;
  }
  route.claims.erase(port);
  if (route.claims.empty() && route.sockets.empty()) state->routes.erase(port.port);
  co_await leave_table(state);
  co_return result;
}

awaitable<Result<void>> Router::shield(Public port, Backend backend) {
  const auto state = state_;
  const Turn turn = co_await take_turn(state);
  Route* route = state->find(port);
  if (route == nullptr || port.kind != spec::Routing::port) co_return fail(Errc::internal, name_of(port) + " is not claimed");
  auto table = co_await current_table(state);
  if (!table) co_return std::unexpected(table.error());
  route->shielded.insert(backend.private_port);  // also what a berthd before has closed: that is forgotten once it is known what runs
  if (table->closed.contains(backend.private_port)) co_return Result<void>();
  auto written = co_await write_table(state, std::move(*table));
  if (!written) route->shielded.erase(backend.private_port);
  co_return written;
}

awaitable<Result<void>> Router::serve(Public port, std::vector<Backend> backends) {
  const auto state = state_;
  const Turn turn = co_await take_turn(state);
  Route* route = state->find(port);
  if (route == nullptr) co_return fail(Errc::internal, name_of(port) + " is not claimed");
  auto served = port.kind == spec::Routing::socket ? serve_by_socket(state, port, backends) : serve_by_port(state, port, backends);
  auto result = co_await std::move(served);
  if (!result) co_return pass(result.error(), name_of(port));
  route->current = port;
  route->serving = std::move(backends);
  co_return result;
}

awaitable<Result<void>> Router::settle() {
  const auto state = state_;
  const Turn turn = co_await take_turn(state);
  std::set<std::uint64_t> cookies;
  for (const auto& [number, route] : state->routes) {
    for (const std::uint64_t cookie : route.sockets.cookies()) cookies.insert(cookie);
  }
  if (auto kept = state->known.keep_only(cookies); !kept) co_return kept;

  auto table = co_await current_table(state);
  if (!table && (!state->port_works || table.error().code == Errc::conflict)) co_return Result<void>();  // without nftables nothing is left of it; another's is not ours
  if (!table) co_return std::unexpected(table.error());
  state->inherited_closed.clear();
  std::erase_if(table->routes, [&](const auto& entry) { return !state->asked_for.contains(entry.first); });
  const bool nothing = table->routes.empty() && state->table->empty();
  auto written = Result<void>();
  if (!nothing) written = co_await write_table(state, std::move(*table));
  co_await leave_table(state);
  co_return written;
}

}  // namespace berth::route
