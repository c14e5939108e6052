#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace berth::ship {

/// What became of the entries of one app, since berthd began.
struct ShippedCounts {
  std::uint64_t shipped = 0;  ///< acknowledged
  std::uint64_t refused = 0;  ///< that the sink will never take
  std::uint64_t limited = 0;  ///< that the rate limit dropped
  std::uint64_t lost = 0;     ///< lines that were removed before they could be shipped, or are torn

  bool operator==(const ShippedCounts&) const = default;
};

/// One `[[sink]]`, or `[[webhook]]`, as status, API and metrics show it.
struct SinkStatus {
  std::string name, kind;
  bool required = true;
  std::string state;             ///< "up to date", "shipping", "failing", "unreadable": it takes what it gets, and a log cannot be read; "changing"
  double lag_seconds = 0;        ///< how old the oldest entry is that is known and not delivered; 0: there is none
  std::string last_success{};    ///< RFC 3339, UTC; empty: none yet
  std::string failing_since{};   ///< likewise; empty: the last batch was taken, and all logs could be read
  std::string last_error{};      ///< why it failed, which log cannot be read, or why entries were refused
  std::string refused_at{};      ///< when entries were refused for good, or given up, the last time; RFC 3339, UTC; empty: never since berthd began
  std::string refused_why{};     ///< why those were
  std::uint64_t batches = 0;     ///< that were taken, since berthd began
  std::uint64_t retries = 0;     ///< times a batch was sent again
  std::uint64_t resets = 0;      ///< times its cursors were damaged
  std::map<std::string, ShippedCounts> apps{};  ///< those that it gets and that have a log; "": events, and berthd's own log

  /// Of all apps.
  ShippedCounts all() const {
    ShippedCounts sum;
    for (const auto& [app, counts] : apps) {
      sum.shipped += counts.shipped;
      sum.refused += counts.refused;
      sum.limited += counts.limited;
      sum.lost += counts.lost;
    }
    return sum;
  }
};

}  // namespace berth::ship
