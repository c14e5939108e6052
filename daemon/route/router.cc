#include "daemon/route/router.h"

#include <algorithm>

#include <fmt/core.h>

#include "daemon/route/closed_connections.h"
#include "daemon/route/connection_count.h"
#include "daemon/route/router_state.h"
#include "daemon/route/table_events.h"

namespace berth::route {
namespace {

using namespace std::chrono_literals;

constexpr io::milliseconds kNever = std::chrono::hours(24 * 365);
constexpr auto kHandshakeLasts = 3s;       ///< after a switch; time for a lost packet or two
constexpr io::milliseconds kBetweenRepairs{100};           ///< should another program flush again and again
constexpr io::milliseconds kLongestBetweenRepairs{5000};  ///< of one that fails
constexpr const char* kLoopback = "127.0.0.1";

}  // namespace

Router::Router(boost::asio::any_io_executor executor, io::Pool& pool, std::filesystem::path run)
    : state_(std::make_shared<State>(std::move(executor), pool, run)) {}
Router::~Router() = default;

Result<int> Router::listener(Public port, const InstanceId& id) {
  Route* route = state_->find(port);
  if (route == nullptr) return fail(Errc::internal, fmt::format("{}: port {} is not claimed", to_string(id), port.port));
  return route->sockets.listener(id);
}

Result<void> Router::take_back(Public port, const InstanceId& id, Fd socket) {
  return state_->route(port.port).sockets.take_back(id, std::move(socket));
}

Result<void> Router::close_listener(Public port, const InstanceId& id) {
  const auto found = state_->routes.find(port.port);
  if (found == state_->routes.end()) return {};
  if (found->second.current == port) std::erase_if(found->second.serving, [&](const Backend& backend) { return backend.id == id; });
  return found->second.sockets.close(id);
}

std::vector<Backend> Router::serving(const Public& port) const {
  const Route* route = state_->find(port);
  return route != nullptr && route->current == port ? route->serving : std::vector<Backend>();
}

io::Endpoint Router::probe_endpoint(const Public& port, const Backend& backend) const {
  if (port.kind == spec::Routing::port) return {.address = kLoopback, .port = backend.private_port};
  const Address from = state_->route(port.port).sockets.probe_address_of(backend.id);
  return {.address = kLoopback, .port = port.port, .from_address = to_text(from)};
}

awaitable<Result<int>> Router::connections(Public port, Backend backend, std::vector<pid_t> pids) {
  const auto state = state_;
  if (port.kind == spec::Routing::port) {
    const auto count = [backend] { return connections_of_port(backend.private_port); };
    auto counted = co_await state->pool.run(count);
    co_return counted;
  }
  SocketShare share{.pids = std::move(pids)};
  if (const auto found = state->routes.find(port.port); found != state->routes.end()) {
    const Route& route = found->second;
    share.listener = route.sockets.cookie_of(backend.id).value_or(0);
    if (io::Steady::now() < route.changed_at + kHandshakeLasts) share.handshakes = route.handshakes;
  }
  const auto count = [number = port.port, share] { return connections_of_share(number, share); };
  auto counted = co_await state->pool.run(count);
  co_return counted;
}

awaitable<Result<void>> Router::forget_closed(Public port, Backend backend) {
  const auto state = state_;
  if (port.kind != spec::Routing::port || backend.private_port == 0) co_return Result<void>();
  const auto forget = [ports = std::set<std::uint16_t>{backend.private_port}] { return forget_closed_connections(ports); };
  const auto forgotten = co_await state->pool.run(forget);
  if (!forgotten) co_return std::unexpected(forgotten.error());
  co_return Result<void>();
}

const std::string& Router::trouble() const { return state_->trouble; }

awaitable<void> Router::watch(std::function<void(TableNews)> on_news) {
  const auto state = state_;
  auto events = TableEvents::subscribe();
  if (!events) {  // a kernel without nftables has nothing to watch
    for (;;) co_await io::sleep_for(kNever);
  }
  for (io::milliseconds pause = kBetweenRepairs;;) {
    const bool was_lost = !state->trouble.empty();
    auto repaired = co_await repair_table(state);
    if (!repaired) {
      state->trouble = fmt::format("connections to public ports fail, or reach what they should not: the table `inet {}` could not be put back: {}; it is tried again and again", kTableName, repaired.error().message);
      if (!was_lost) on_news({.lost = true, .what = state->trouble});
      pause = std::min(pause * 2, kLongestBetweenRepairs);
    } else {
      state->trouble.clear();
      pause = kBetweenRepairs;
    }
    if (repaired && was_lost) on_news({.what = fmt::format("nftables' table `inet {}`, which had been lost, is as it should be", kTableName)});
    else if (repaired && *repaired) on_news({.what = fmt::format("another program changed or flushed nftables' table `inet {}`; it is back", kTableName)});
    if (!repaired || *repaired) co_await io::sleep_for(pause);
    const auto at_most = repaired ? kNever : pause;
    for (bool ours = false; !ours;) {
      const auto readable = co_await io::wait_readable(events->fd(), at_most);
      if (!readable) co_return;
      if (!*readable) break;
      const auto taken = events->take();
      if (!taken) co_return;
      ours = *taken;
    }
  }
}

}  // namespace berth::route
