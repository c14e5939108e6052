#include <fmt/core.h>
#include <fmt/ranges.h>
#include <linux/membarrier.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/route/router_state.h"
#include "daemon/route/sock_diag.h"
#include "daemon/route/table_owner.h"

namespace berth::route {

using StatePtr = std::shared_ptr<Router::State>;

namespace {

constexpr io::milliseconds kForever = std::chrono::hours(24 * 365);

std::set<std::uint16_t> closed_ports(const Router::State& state, const PortTable& table) {
  std::set<std::uint16_t> closed = state.inherited_closed;
  for (const auto& [port, privates] : table.routes) closed.insert(privates.begin(), privates.end());
  for (const auto& [port, route] : state.routes) {
    closed.insert(route.closed.begin(), route.closed.end());
    closed.insert(route.shielded.begin(), route.shielded.end());
  }
  return closed;
}

/// Public ports of the table behind which a program listens.
Result<std::set<std::uint16_t>> served_ports(const PortTable& table) {
  std::set<std::uint16_t> served;
  for (const auto& [port, privates] : table.routes)
    for (const std::uint16_t target : privates) {
      BERTH_TRY(const auto listening, tcp_sockets(target, 1u << TCP_LISTEN));
      if (!listening.empty()) served.insert(port);
    }
  return served;
}

/// Blocking.
Result<Router::State::Hold> take_hold(Nftables& nftables, const std::filesystem::path& run, int tries) {
  Router::State::Hold hold;
  BERTH_TRY(hold.socket, hold_table(tries));
  BERTH_TRY(const PortTable table, nftables.read());
  BERTH_TRY(hold.mark, table_mark(run));
  if (table.mark.empty() || table.mark == hold.mark) return hold;
  BERTH_TRY(const auto served, served_ports(table));
  if (!served.empty()) {
    const std::string whose = fmt::format("another berthd, which does not run now but whose apps go on at port {}, has", fmt::join(served, ", "));
    return fail(Errc::conflict, fmt::format("{}. Where it is not to come back: nft delete table inet {}", table_refusal(whose), kTableName));
  }
  BERTH_CHECK(nftables.write({}));
  return hold;
}

}  // namespace

Route* Router::State::find(const Public& port) {
  const auto found = routes.find(port.port);
  return found != routes.end() && found->second.claims.contains(port) ? &found->second : nullptr;
}

awaitable<Turn> take_turn(StatePtr state) {
  while (state->busy) co_await state->turn_ended.wait(kForever);
  co_return Turn(state);
}

void wait_for_packets_under_way() {
  // The kernel works on packets inside RCU read sections, and this waits for a grace period. Where it is missing, the switch is only a little
  // less clean.
  static_cast<void>(::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
}

awaitable<Result<void>> hold_our_table(StatePtr state, int tries) {
  if (state->hold) co_return Result<void>();
  const auto take = [nftables = state->nftables, run = state->run_folder, tries] { return take_hold(*nftables, run, tries); };
  auto taken = co_await state->pool.run(take);
  state->nothing_there = !taken && taken.error().code == Errc::conflict;
  if (!taken) co_return std::unexpected(taken.error());
  state->hold = std::move(*taken);
  co_return Result<void>();
}

awaitable<void> leave_table(StatePtr state) {
  if (!state->hold) co_return;
  for (const auto& [port, route] : state->routes)
    for (const Public& claim : route.claims)
      if (claim.kind == spec::Routing::port) co_return;
  const auto table = co_await current_table(state);
  if (!table || !table->empty()) co_return;
  state->table.reset();
  state->printed.reset();
  state->inherited_closed.clear();
  state->trouble.clear();
  state->nothing_there = true;
  state->hold.reset();
}

awaitable<Result<PortTable>> current_table(StatePtr state) {
  if (state->table) co_return *state->table;
  auto held = co_await hold_our_table(state, 1);
  if (!held) co_return std::unexpected(held.error());
  const auto read = [nftables = state->nftables] { return nftables->read(); };
  auto table = co_await state->pool.run(read);
  if (!table) co_return std::unexpected(table.error());
  state->table = *table;
  if (!state->printed) state->inherited_closed = table->closed;
  co_return table;
}

awaitable<Result<void>> write_table(StatePtr state, PortTable table) {
  table.closed = closed_ports(*state, table);
  if (state->hold) table.mark = state->hold->mark;
  if (state->printed && state->table == table) co_return Result<void>();
  state->table.reset();  // should this be cancelled, it is read again
  const auto write = [nftables = state->nftables, table]() -> Result<std::string> {
    BERTH_CHECK(nftables->write(table));
    wait_for_packets_under_way();
    return nftables->print();
  };
  auto printed = co_await state->pool.run(write);
  if (!printed) co_return std::unexpected(printed.error());
  state->table = std::move(table);
  state->printed = std::move(*printed);
  co_return Result<void>();
}

awaitable<Result<void>> drop_from_table(StatePtr state, std::uint16_t port) {
  if (!state->hold && state->nothing_there) co_return Result<void>();
  auto table = co_await current_table(state);
  if (!table && (!state->port_works || table.error().code == Errc::conflict)) co_return Result<void>();
  if (!table) co_return std::unexpected(table.error());
  table->routes.erase(port);
  if (*state->table == *table && table->closed == closed_ports(*state, *table)) co_return Result<void>();
  auto written = co_await write_table(state, std::move(*table));
  co_return written;
}

awaitable<Result<bool>> repair_table(StatePtr state) {
  const Turn turn = co_await take_turn(state);
  if (!state->printed || !state->table) co_return false;
  using Repaired = std::optional<std::string>;  // how it is printed now, if it was to be repaired
  const auto repair = [nftables = state->nftables, table = *state->table, expected = *state->printed]() -> Result<Repaired> {
    BERTH_TRY(const std::string now, nftables->print());
    if (now == expected) return std::nullopt;
    BERTH_CHECK(nftables->write(table));
    BERTH_TRY(std::string after, nftables->print());
    return after;
  };
  auto repaired = co_await state->pool.run(repair);
  if (!repaired) co_return std::unexpected(repaired.error());
  if (!*repaired) co_return false;
  state->printed = std::move(**repaired);
  co_return true;
}

}  // namespace berth::route
