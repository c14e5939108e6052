#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/logs/record_time.h"
#include "daemon/ship/sink.h"

namespace berth::ship {

/// A line of berthd's own log.
struct DaemonLine {
  std::uint64_t number = 0;  ///< from 1, since berthd began
  logs::Time time;
  Severity severity = Severity::info;
  std::string text;
};

/// The last lines of berthd's own log, in memory, for sinks that want them. From any thread.
class DaemonLog {
 public:
  static constexpr std::size_t kMostLines = 2000;
  static constexpr std::size_t kMostLogBytes = 256u << 10;

  void add(logs::Time time, Severity severity, std::string text);
  /// At most `most` lines behind `number`, oldest first; older ones may be gone.
  std::vector<DaemonLine> after(std::uint64_t number, std::size_t most) const;
  std::uint64_t last() const;

 private:
  mutable std::mutex mutex_;
  std::deque<DaemonLine> lines_;
  std::size_t bytes_ = 0;
  std::uint64_t last_ = 0;
};

/// From now on `log` gets what berthd logs, beside where it goes already. Before there are other threads.
void listen_to_log(std::shared_ptr<DaemonLog> log);

}  // namespace berth::ship
