#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace berth::follow {

/// One `[[follow]]` as status, API and metrics show it.
struct Status {
  std::string app, channel;          ///< `channel` is empty where one release is followed
  std::chrono::milliseconds interval{0};
  std::string wanted{};              ///< a release; empty: not known yet
  std::int64_t serial = 0;           ///< of the channel that says so
  std::string last_poll{};           ///< RFC 3339, UTC; empty: none ended yet
  std::string last_success{};        ///< likewise
  std::string failing_since{};       ///< the first poll in a row that failed; empty: the last one did not
  std::string last_error{};          ///< why it failed
  std::string note{};                ///< why the app is not where it is wanted; empty: it is, or nothing is known
  std::uint64_t polls = 0, failures = 0;  ///< since berthd began
};

}  // namespace berth::follow
