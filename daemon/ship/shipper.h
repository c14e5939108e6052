#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/io/loop.h"
#include "daemon/ship/batch_budget.h"
#include "daemon/ship/gatherer.h"
#include "daemon/ship/ship_status.h"
#include "daemon/ship/sink.h"

namespace berth::ship {

/// What a sink is called in logs and events.
struct SinkWords {
  std::string_view kind = "log sink", entry = "entry", entries = "entries";
  std::string_view key = "sink";  ///< its name in an event
  std::string_view cursor_damaged = "logs.cursor_damaged";
};
inline constexpr SinkWords kWebhookWords{.kind = "webhook", .entry = "event", .entries = "events", .key = "webhook", .cursor_damaged = "webhook.cursor_damaged"};

/// What a Shipper works with. All of it outlives the loop's last turn.
struct ShipperParts {
  io::Loop& loop;
  std::function<Result<std::unique_ptr<Sink>>()> make_sink;  ///< tried again, where it fails
  GathererParts gatherer;                                    ///< its limits are the most; the sink's own count where they are lower
  std::shared_ptr<BatchBudget> budget = std::make_shared<BatchBudget>();  ///< of all sinks
  std::function<void(store::Event)> tell;                    ///< adds an event; blocking
  std::function<void()> caught_up;                           ///< called when a backlog of `kBacklog` batches or more is delivered; or null
  std::string name, kind;
  SinkWords words{};
  bool required = true;
  std::chrono::milliseconds batch_wait{1000};                ///< for how long entries are collected at the most
  std::function<std::chrono::milliseconds(int failures, std::chrono::milliseconds asked, double chance)> wait_before_retry;  ///< null: `ship::wait_before_retry`
};

inline constexpr int kBacklog = 16;

/// Brings what there is to one sink, at least once, and in order for each instance: gathers a batch, sends it until it is taken, and only then says on the disk
/// how far it is. Has a thread of its own for whatever blocks. For one event loop.
class Shipper {
 public:
  explicit Shipper(ShipperParts parts);
  ~Shipper();  ///< waits for what its thread does

  void start();
  /// Nothing further is sent; what is under way ends by itself.
  void stop();
  /// Whether it did.
  boost::asio::awaitable<bool> ended(std::chrono::milliseconds at_most);

  /// There is more, or may be.
  void news(std::shared_ptr<const Scan> scan);

  /// Where it waits after a failure, it waits no longer.
  void try_now();

  SinkStatus status() const;
  /// The last line of berthd's own log that the sink has, by its number; 0: none.
  std::uint64_t daemon_line() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace berth::ship
