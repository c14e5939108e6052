#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "core/io/ip_address.h"
#include "core/io/line.h"
#include "core/io/line_end.h"
#include "core/io/patience.h"
#include "core/io/proxy.h"
#include "core/io/url.h"
#include "daemon/ship/sinks/syslog_transports.h"

namespace berth::ship {
namespace {

constexpr std::size_t kTimed = 4'000;          ///< entries for which the timeout is
constexpr std::size_t kPiece = 128u << 10;     ///< bytes that are written at once: the peer reads them while the next are made

io::FetchOptions times_of(const SyslogSettings& settings) {
  return {.connect_timeout = std::min(settings.timeout, std::chrono::milliseconds(10'000)), .stall_timeout = settings.timeout, .total_timeout = settings.timeout};
}

/// By TCP and TLS.
class SyslogStream final : public Courier {
 public:
  explicit SyslogStream(SyslogSettings settings)
      : settings_(std::move(settings)), place_(io::with_port(settings_.host, settings_.port)),
        encoder_({.facility = settings_.facility, .most = settings_.most_message, .split = true, .counted = true}), patience_(times_of(settings_), {}) {}

  Delivery deliver(std::span<const Entry> batch, std::stop_token stop) override {
    times_ = static_cast<int>((batch.size() + kTimed - 1) / kTimed);
    patience_.renew(stop, times_);
    auto sent = send(batch);
    if (sent && settings_.receipt == SyslogSettings::Receipt::read) {
      patience_.renew(std::move(stop), times_);
      sent = check_alive();
    }
    if (sent) return taken();
    line_.reset();
    return later(fmt::format("syslog at {}: {}", place_, sent.error().message));
  }

 private:
  bool by_tls() const { return settings_.transport == SyslogSettings::Transport::tls; }

  Result<void> connect() {
    if (line_ && io::is_gone(*line_)) line_.reset();
    if (line_) return {};
    const io::Url url{.https = by_tls(), .host = settings_.host, .port = settings_.port};
    const std::optional<io::Proxy> no_proxy;
    BERTH_TRY(line_, io::open_line(url, no_proxy, settings_.tls, patience_));
    return {};
  }

  /// A server that is being ended ends its connections too, and may throw away what it has read: whether its program goes on. It has to take a connection that begins
  /// after that, which one that is being ended does no more, and its kernel breaks it. By TLS the program answers there, and the next batch needs the connection; else it is asked to end it, with
  /// nothing said.
  Result<void> check_alive() {
    line_.reset();
    auto alive = connect();
    if (alive && !by_tls()) {
      alive = line_->end_writing();
      if (alive) alive = io::wait_until_read(*line_, patience_);
      line_.reset();
    }
    if (!alive) return pass(std::move(alive.error()), "it ended the connection, and is not there any more");
    return {};
  }

  Result<void> end_batch() {
    if (io::has_ended(*line_)) return fail(Errc::unreachable, "it ended the connection before it had everything");
    BERTH_CHECK(line_->end_writing());
    auto read = io::wait_until_read(*line_, patience_);
    if (read || read.error().code != Errc::timeout) return read;
    return fail(Errc::timeout, fmt::format("it did not end the connection within {} s after the batch: it is slow, or it never does so before its client, and then "
                                           "receipt = \"received\" is for it", std::chrono::ceil<std::chrono::seconds>(times_ * settings_.timeout).count()));
  }

  Result<void> write(std::span<const Entry> batch) {
    SyslogMessages piece;
    for (const Entry& entry : batch) {
      encoder_.encode(entry, piece);
      if (piece.bytes.size() < kPiece) continue;
      BERTH_CHECK(line_->write(piece.bytes));
      piece.bytes.clear();
      piece.ends.clear();
    }
    return line_->write(piece.bytes);
  }

  Result<void> send(std::span<const Entry> batch) {
    BERTH_CHECK(connect());
    BERTH_CHECK(write(batch));
    if (settings_.receipt == SyslogSettings::Receipt::received) return io::wait_until_sent(*line_, patience_);
    return end_batch();
  }

  SyslogSettings settings_;
  std::string place_;
  int times_ = 1;  ///< the timeout that the present batch has
  SyslogEncoder encoder_;
  io::Patience patience_;
  std::unique_ptr<io::Line> line_;  // after the patience that it refers to
};

}  // namespace

std::unique_ptr<Courier> make_syslog_stream(SyslogSettings settings) { return std::make_unique<SyslogStream>(std::move(settings)); }

}  // namespace berth::ship
