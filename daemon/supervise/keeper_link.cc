#include "daemon/supervise/keeper_link.h"

#include <algorithm>
#include <cstring>

#include <fmt/core.h>

#include "core/io/loop.h"

namespace berth::supervise {
namespace {

constexpr std::chrono::milliseconds kAnswerWait{5000};

template <class T>
std::string_view bytes_of(const T& message) {
  return {reinterpret_cast<const char*>(&message), sizeof message};
}

keeper::Type type_of(const io::Packet& packet) { return reinterpret_cast<const keeper::Header*>(packet.bytes.data())->type; }

Result<keeper::State> read_state(const io::Packet& packet) {
  keeper::State state{};
  // What an older keeper does not say is zero, what a newer one says besides is passed over.
  if (packet.bytes.size() < keeper::kStateOfVersion1) return fail(Errc::protocol, "a keeper says something that is no state");
  std::memcpy(&state, packet.bytes.data(), std::min(packet.bytes.size(), sizeof state));
  state.id[sizeof state.id - 1] = state.cgroup[sizeof state.cgroup - 1] = state.last_exit.reason[sizeof state.last_exit.reason - 1] = 0;
  state.refusal[sizeof state.refusal - 1] = 0;
  return state;
}

}  // namespace

Result<KeeperLink> KeeperLink::connect(boost::asio::any_io_executor executor, const std::string& path) {
  BERTH_TRY(io::PacketSocket socket, io::PacketSocket::connect(executor, path));
  return KeeperLink(std::move(socket));
}

boost::asio::awaitable<Result<io::Packet>> KeeperLink::receive(std::chrono::milliseconds at_most) {
  const auto end = io::Steady::now() + at_most;
  for (;;) {
    const auto left = std::max(std::chrono::ceil<std::chrono::milliseconds>(end - io::Steady::now()), std::chrono::milliseconds(0));
    auto packet = co_await socket_.receive(left);
    if (!packet) co_return std::unexpected(packet.error());
    keeper::Header header;
    if (packet->bytes.size() < sizeof header) co_return fail(Errc::protocol, "a keeper says less than a header");
    std::memcpy(&header, packet->bytes.data(), sizeof header);
    if (header.version == 0 || header.size != packet->bytes.size()) co_return fail(Errc::protocol, "a keeper says something that is no message");
    version_ = std::min(header.version, keeper::kProtocolVersion);
    if (header.type != keeper::Type::notified) co_return std::move(*packet);
    keeper::Notified notified{};
    if (packet->bytes.size() < keeper::kLeastNotified) co_return fail(Errc::protocol, "a keeper says something that is no notification");
    std::memcpy(&notified, packet->bytes.data(), std::min(packet->bytes.size(), sizeof notified));
    notified.status[sizeof notified.status - 1] = 0;
    listener_(notified);
  }
}

boost::asio::awaitable<Result<keeper::State>> KeeperLink::next(std::chrono::milliseconds at_most) {
  if (!early_.empty()) {
    const auto state = early_.front();
    early_.pop_front();
    co_return state;
  }
  for (;;) {
    auto packet = co_await receive(at_most);
    if (!packet) co_return std::unexpected(packet.error());
    if (type_of(*packet) <= keeper::Type::notified) co_return read_state(*packet);
  }
}

boost::asio::awaitable<Result<HeldFiles>> KeeperLink::held_files() {
  const auto request = header_of<keeper::Header>(keeper::Type::get_fds);
  if (auto sent = socket_.send(bytes_of(request)); !sent) co_return std::unexpected(sent.error());
  for (;;) {
    auto packet = co_await receive(kAnswerWait);
    if (!packet) co_return std::unexpected(packet.error());
    if (type_of(*packet) == keeper::Type::state) {
      auto state = read_state(*packet);
      if (!state) co_return std::unexpected(state.error());
      early_.push_back(*state);
      continue;
    }
    if (type_of(*packet) > keeper::Type::notified) continue;  // of a newer keeper
    if (type_of(*packet) != keeper::Type::fds || packet->fds.size() < 2) co_return fail(Errc::protocol, "a keeper does not say what it holds");
    HeldFiles held;
    std::size_t at = sizeof(keeper::Header);
    for (std::size_t i = 0; i + 2 < packet->fds.size(); i++) {
      const auto end = packet->bytes.find('\0', at);
      if (end == std::string::npos) co_return fail(Errc::protocol, "a keeper does not name the sockets that it holds");
      held.sockets.emplace_back(packet->bytes.substr(at, end - at), std::move(packet->fds[i]));
      at = end + 1;
    }
    held.pipes.push_back(std::move(packet->fds[packet->fds.size() - 2]));
    held.pipes.push_back(std::move(packet->fds.back()));
    co_return held;
  }
}

Result<void> KeeperLink::launch(const keeper::LaunchMemory& memory, const std::vector<std::pair<std::string, int>>& sockets, const std::vector<int>& client) {
  const auto message = header_of<keeper::Header>(keeper::Type::launch);
  std::vector<int> fds = {memory.fd.get()};
  for (const auto& [name, socket] : sockets) fds.push_back(socket);
  fds.insert(fds.end(), client.begin(), client.end());
  return socket_.send(bytes_of(message), fds);
}

Result<void> KeeperLink::stop(std::chrono::milliseconds grace) {
  const keeper::Stop message{header_of<keeper::Stop>(keeper::Type::stop), grace.count()};
  return socket_.send(bytes_of(message));
}

Result<void> KeeperLink::hold() { return socket_.send(bytes_of(header_of<keeper::Header>(keeper::Type::hold))); }
Result<void> KeeperLink::leave() { return socket_.send(bytes_of(header_of<keeper::Header>(keeper::Type::leave))); }

Result<void> KeeperLink::take_over(keeper::TakeOver told, const keeper::LaunchMemory& memory, const std::vector<Fd>& pipes,
                                   const std::vector<std::pair<std::string, int>>& sockets) {
  if (version_ < keeper::kTakesOver) return fail(Errc::conflict, "this keeper takes over no app of another: it is of an older version");
  told.header = header_of<keeper::TakeOver>(keeper::Type::take_over);
  std::vector<int> fds = {memory.fd.get()};
  for (const Fd& pipe : pipes) fds.push_back(pipe.get());
  for (const auto& [name, socket] : sockets) fds.push_back(socket);
  return socket_.send(bytes_of(told), fds);
}

Result<void> KeeperLink::renew(const std::string& program) {
  if (version_ < keeper::kTakesOver) return fail(Errc::conflict, "its keeper is of an older version, which cannot become another program");
  keeper::Renew message{header_of<keeper::Renew>(keeper::Type::renew), {}};
  if (program.size() >= sizeof message.program) return fail(Errc::usage, program + ": the path of the keeper is too long");
  program.copy(message.program, sizeof message.program - 1);
  return socket_.send(bytes_of(message));
}

Result<void> KeeperLink::watch() {
  if (version_ < keeper::kTakesOver) return {};
  return socket_.send(bytes_of(header_of<keeper::Header>(keeper::Type::watch)));
}

Result<void> KeeperLink::restart(bool liveness, const std::string& reason) {
  keeper::Restart message{header_of<keeper::Restart>(keeper::Type::restart), liveness, {}};
  reason.copy(message.reason, sizeof message.reason - 1);
  return socket_.send(bytes_of(message));
}

}  // namespace berth::supervise
