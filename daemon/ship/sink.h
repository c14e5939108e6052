#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "core/logs/record_time.h"

namespace berth::ship {

/// Where an entry comes from; shared by the entries of one source.
struct Origin {
  std::string node;
  std::string environment;
  std::string app;         ///< empty: berthd itself or an event of the node
  std::string release;
  std::string process;
  std::string instance;    ///< `web/worker.2`
  std::string deployment;  ///< the id of the deployment that started it; empty where it is not known
  std::string stream;      ///< "stdout", "stderr", "events", "berthd"
  std::vector<std::pair<std::string, std::string>> labels;  ///< further ones, from the configuration
};

/// syslog's severities.
enum class Severity : std::uint8_t { emergency, alert, critical, error, warning, notice, info, debug };

/// One line of a log as it leaves the node: joined, redacted, valid UTF-8.
struct Entry {
  logs::Time time;
  Severity severity = Severity::info;
  std::uint64_t sequence = 0;  ///< of its last line in its instance's log (or of the event): a reader proves completeness and drops doubles by it
  std::string text;
  std::shared_ptr<const Origin> origin;
  std::optional<logs::Time> written{};  ///< when its first line was written, where `time` is what the line says

  logs::Time since() const { return written.value_or(time); }
  /// Bytes of memory that it takes, about: with what the C library adds to a text.
  std::size_t memory() const { return sizeof(Entry) + text.capacity() + 16; }
};

/// What became of a batch.
struct Delivery {
  enum class Kind {
    taken,    ///< acknowledged, as far as the protocol acknowledges; `refused` of its entries were refused for good
    later,    ///< nothing is known to be taken: the same batch is to be sent again, after `wait` at the earliest
  };
  Kind kind = Kind::taken;
  std::size_t refused = 0;             ///< entries that the sink will never take (too old, too long): counted, not sent again
  std::chrono::milliseconds wait{0};   ///< what the sink asked for (Retry-After); zero: the shipper's own backoff
  std::string reason;                  ///< one line for status and log: why later, or why refused
  bool untried = false;                ///< they were refused without asking: how the sink is nobody knows
};

/// What a sink wants of its batches.
struct BatchLimits {
  std::size_t entries = 1000;
  std::size_t bytes = 1u << 20;  ///< of texts
};

/// Where entries go. One batch at a time; entries of one origin come in order.
class Sink {
 public:
  virtual ~Sink() = default;
  /// The name that the configuration gives it, for status and metrics.
  virtual const std::string& name() const = 0;
  virtual BatchLimits limits() const = 0;
  /// Sends; bounded in time by the sink's own deadline. Cancelling gives the connection up. `batch` stays valid until it returns.
  virtual boost::asio::awaitable<Delivery> send(std::span<const Entry> batch) = 0;
};

}  // namespace berth::ship
