#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "daemon/ship/sink.h"

namespace berth::ship {

/// Brings batches to one place, blocking; one batch at a time.
class Courier {
 public:
  virtual ~Courier() = default;
  /// Bounded in time. Ends within a second after `stop`, as `later`.
  virtual Delivery deliver(std::span<const Entry> batch, std::stop_token stop) = 0;
};

inline Delivery taken(std::size_t refused = 0, std::string reason = {}) {
  return {.kind = Delivery::Kind::taken, .refused = refused, .reason = std::move(reason)};
}
inline Delivery later(std::string reason, std::chrono::milliseconds wait = {}) {
  return {.kind = Delivery::Kind::later, .wait = wait, .reason = std::move(reason)};
}

/// A sink with a thread of its own, on which all of it happens: encoding, compression, names, TLS, waiting. So a slow one holds up neither the loop nor
/// another sink.
std::unique_ptr<Sink> make_threaded_sink(std::string name, BatchLimits limits, std::unique_ptr<Courier> courier);

}  // namespace berth::ship
