#include <fmt/core.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/route/router_state.h"

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

awaitable<Result<PortTable>> current_table(StatePtr state) {
  if (state->table) co_return *state->table;
  const auto read = [nftables = state->nftables] { return nftables->read(); };
  auto table = co_await state->pool.run(read);
  if (!table) co_return std::unexpected(table.error());
  state->table = *table;
  if (!state->printed) state->inherited_closed = table->closed;
  co_return table;
}

awaitable<Result<void>> write_table(StatePtr state, PortTable table) {
  table.closed = closed_ports(*state, table);
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
  auto table = co_await current_table(state);
  if (!table && !state->port_works) co_return Result<void>();
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
