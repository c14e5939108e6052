#include <cerrno>
#include <thread>

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

#include "core/files/fd.h"
#include "core/io/ip_address.h"
#include "core/io/lookup.h"
#include "core/io/patience.h"
#include "daemon/ship/sinks/syslog_transports.h"

namespace berth::ship {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::minutes kAddressAge{1};  ///< after which a name is looked up again
constexpr std::size_t kLeastDatagram = 480;     ///< bytes that every receiver takes (RFC 5424, 6.1)

SyslogFormat datagrams_of(const SyslogSettings& settings, std::size_t most) {
  return {.facility = settings.facility, .most = most, .split = false, .counted = false};
}

/// By UDP: what is sent counts as taken, unless the kernel knows better.
class SyslogDatagrams final : public Courier {
 public:
  explicit SyslogDatagrams(SyslogSettings settings)
      : settings_(std::move(settings)), place_(io::with_port(settings_.host, settings_.port)), encoder_(datagrams_of(settings_, settings_.most_message)),
        patience_({.connect_timeout = settings_.timeout, .stall_timeout = settings_.timeout, .total_timeout = settings_.timeout}, {}) {}

  Delivery deliver(std::span<const Entry> batch, std::stop_token stop) override {
    patience_.renew(std::move(stop));
    std::size_t refused = 0;
    const auto sent = send(batch, refused);
    if (sent) return taken(refused, refused == 0 ? "" : fmt::format("syslog at {}: the way there takes no datagram of {} bytes", place_, kLeastDatagram));
    socket_.reset();
    return later(fmt::format("syslog at {}: {}", place_, sent.error().message));
  }

 private:
  Result<void> connect() {
    if (socket_ && Steady::now() - connected_ < kAddressAge) return {};
    socket_.reset();
    BERTH_TRY(const auto addresses, io::look_up(settings_.host, settings_.port, patience_));
    if (addresses.empty()) return fail(Errc::unreachable, "it has no address");
    socket_.reset(::socket(addresses[0].family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) return fail_errno("make a socket");
    if (::connect(socket_.get(), addresses[0].get(), addresses[0].size) < 0) return fail_errno("connect");
    connected_ = Steady::now();
    return {};
  }

  Result<void> send(std::span<const Entry> batch, std::size_t& refused) {
    patience_.connecting();
    BERTH_CHECK(connect());
    patience_.connected();
    SyslogMessages messages;
    for (const Entry& entry : batch) {
      messages.bytes.clear();
      messages.ends.clear();
      encoder_.encode(entry, messages);
      BERTH_TRY(const bool fits, send_one(messages.bytes));
      if (!fits && !send_shorter(entry)) ++refused;
    }
    // Where nobody listens, the host says so after the datagram.
    int number = 0;
    socklen_t size = sizeof number;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &number, &size);
    if (number != 0) return fail_sent(number);
    return {};
  }

  /// False where the way there takes no datagram of that size.
  Result<bool> send_one(std::string_view message) {
    while (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
      if (errno == EMSGSIZE) return false;
      const int number = errno;
      if (number == ENOBUFS) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // a queue of the device, which nobody can wait for
      if (number == ENOBUFS || number == EAGAIN) BERTH_CHECK(patience_.wait(socket_.get(), POLLOUT));
      else if (number != EINTR) return fail_sent(number);
    }
    BERTH_CHECK(patience_.check());
    return true;
  }

  bool send_shorter(const Entry& entry) {
    for (std::size_t most = settings_.most_message / 2; most >= kLeastDatagram; most /= 2) {
      SyslogEncoder shorter(datagrams_of(settings_, most));
      SyslogMessages messages;
      shorter.encode(entry, messages);
      if (const auto sent = send_one(messages.bytes); sent && *sent) return true;
    }
    return false;
  }

  std::unexpected<Error> fail_sent(int number) const {
    if (number == ECONNREFUSED) return fail(Errc::refused, "nothing listens there");
    return fail_errno("send", number);
  }

  SyslogSettings settings_;
  std::string place_;
  SyslogEncoder encoder_;
  io::Patience patience_;
  Fd socket_;
  Steady::time_point connected_;
};

}  // namespace

std::unique_ptr<Courier> make_syslog_datagrams(SyslogSettings settings) { return std::make_unique<SyslogDatagrams>(std::move(settings)); }

}  // namespace berth::ship
