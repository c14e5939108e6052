#include "daemon/deploy/exec_door.h"

#include <algorithm>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/attached.h"
#include "core/files/files.h"
#include "core/io/loop.h"
#include "core/io/packet_socket.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

constexpr auto kComing = 15s;    ///< for the client to come
constexpr auto kHandingOver = 5s;

bool is_for(const ExecDoor& door, int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == door.uid() || peer.uid == 0);
}

}  // namespace

ExecDoor::~ExecDoor() {
  if (!listener_.path.empty()) io::remove_name(listener_);
}

Result<ExecDoor> open_exec_door(const std::string& path, uid_t uid) {
  BERTH_CHECK(files::make_directories(std::filesystem::path(path).parent_path(), 0711));
  BERTH_TRY(io::UnixListener listener, io::listen_at_path(path, 0600, static_cast<gid_t>(-1), SOCK_SEQPACKET));
  ExecDoor door(std::move(listener), uid);
  if (::lchown(path.c_str(), uid, static_cast<gid_t>(-1)) != 0) return fail_errno("chown " + path);
  return door;
}

boost::asio::awaitable<Result<ExecClient>> meet_exec_client(std::shared_ptr<ExecDoor> door) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto end = io::Steady::now() + kComing;
  ExecClient client;
  while (!client.connection) {
    const auto left = std::max(std::chrono::ceil<io::milliseconds>(end - io::Steady::now()), io::milliseconds(0));
    auto readable = co_await io::wait_readable(door->socket(), left);
    if (!readable) co_return std::unexpected(readable.error());
    if (!*readable) co_return fail(Errc::timeout, fmt::format("its client did not come within {} s", kComing.count()));
    Fd connection(::accept4(door->socket(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection && is_for(*door, connection.get())) client.connection = std::move(connection);
  }
  Fd own(::fcntl(client.connection.get(), F_DUPFD_CLOEXEC, 0));
  if (!own) co_return fail_errno("take the client of a one-off command");
  io::PacketSocket socket(executor, std::move(own));
  auto packet = co_await socket.receive(kHandingOver);
  if (!packet) co_return std::unexpected(packet.error());
  attached::Begin begin{};
  if (packet->bytes.size() != sizeof begin || packet->fds.size() != attached::kFiles) co_return fail(Errc::protocol, "its client hands over something else than three files");
  std::memcpy(&begin, packet->bytes.data(), sizeof begin);
  if (begin.version != attached::kVersion)
    co_return fail(Errc::protocol, fmt::format("its client speaks version {} of the protocol, not {}", begin.version, attached::kVersion));
  client.files = std::move(packet->fds);
  client.terminal = begin.terminal != 0;
  co_return client;
}

void tell_exec_end(int connection, int exit, const std::string& message) {
  attached::End end{attached::kVersion, exit, {}};
  message.copy(end.message, sizeof end.message - 1);
  static_cast<void>(::send(connection, &end, sizeof end, MSG_DONTWAIT | MSG_NOSIGNAL));
}

}  // namespace berth::deploy
