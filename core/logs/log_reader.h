#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/ids.h"
#include "core/logs/instance_cursor.h"

namespace berth::logs {

/// What is asked of the logs of an app.
struct LogQuery {
  InstanceSelector selector;
  LogFilter filter;
  std::optional<std::uint64_t> last;  ///< only that many, the newest
  bool follow = false;                ///< the end is not the end
  bool previous = false;              ///< of each instance the last run that is over alone; see `previous_run`
  Lives lives = is_alive;             ///< for `previous`
};

/// Reads the logs of several instances as one, by time, holding one record of each.
class LogReader {
 public:
  /// `Errc::not_found` where the selector names nothing below `root`, or, with `previous`, nothing that has a run which is over.
  static Result<LogReader> open(std::filesystem::path root, LogQuery query);

  /// The next record. Empty at the present end; after `wake` it is worth asking again.
  Result<std::optional<Record>> next();

  /// Looks for instances that are new since, and lets every log be read on.
  Result<void> wake();

  /// The instance that a record's `source` stands for.
  const InstanceId& instance(std::uint32_t source) const { return inputs_[source].cursor.log().id; }
  std::size_t instances() const { return inputs_.size(); }
  std::uint64_t damaged() const;

 private:
  struct Input {
    InstanceCursor cursor;
    std::optional<Record> ahead;
    bool at_end = false;
  };

  LogReader(std::filesystem::path root, LogQuery query) : root_(std::move(root)), query_(std::move(query)) {}
  Result<std::optional<Record>> next_by_time();

  std::filesystem::path root_;
  LogQuery query_;
  std::vector<Input> inputs_;
  std::uint64_t skip_ = 0;  ///< records that are older than the last ones asked for
};

}  // namespace berth::logs
