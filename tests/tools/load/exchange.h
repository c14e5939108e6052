#pragma once

#include <cstdint>
#include <string>

namespace load {

/// What became of one request on a connection of its own.
struct Outcome {
  std::int64_t opened_ns = 0;  ///< wall clock when connecting began
  std::int64_t ended_ns = 0;
  std::string release;         ///< the answer's X-Release; empty where it failed
  std::string failure;         ///< why, such as "connect: Connection refused"; empty where it did not
};

/// Connects to 127.0.0.1:`port`, sends one GET with `Connection: close`, and reads the answer to its end. `limit_ms` bounds every step.
Outcome exchange(std::uint16_t port, const std::string& path, int limit_ms);

}  // namespace load
