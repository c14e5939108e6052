#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/logs/log_layout.h"

namespace berth::ship {

/// How far the log of an instance has grown.
struct LogState {
  logs::InstanceLog log;
  std::uint64_t newest = 0;  ///< the first sequence of its newest segment
  std::uint64_t size = 0;    ///< of that, bytes
  std::shared_ptr<const std::vector<std::uint64_t>> firsts{};  ///< the first sequence of each of its segments, oldest first; there is one

  bool operator==(const LogState& other) const {
    return log.id == other.log.id && newest == other.newest && size == other.size && firsts->front() == other.firsts->front();
  }
};

/// What there is to ship.
struct Scan {
  std::vector<LogState> logs;     ///< by instance
  std::int64_t event = 0;         ///< the number of the last event
  std::uint64_t daemon_line = 0;  ///< of the last line of berthd's own log

  bool operator==(const Scan&) const = default;
};

/// Looks at the logs of all apps again and again, cheaply: a folder is read when it has changed. For one thread at a time; blocking.
class LogScanner {
 public:
  explicit LogScanner(std::filesystem::path root) : root_(std::move(root)) {}
  std::vector<LogState> look();

 private:
  struct Folder {
    std::int64_t changed = 0;  ///< when its list of files did last, in nanoseconds since 1970; 0: look again
    std::uint64_t newest = 0;
    std::string newest_path;
    std::shared_ptr<const std::vector<std::uint64_t>> firsts;
  };
  static bool list(const std::filesystem::path& path, Folder& folder);

  std::filesystem::path root_;
  std::map<InstanceId, Folder> folders_;
};

}  // namespace berth::ship
