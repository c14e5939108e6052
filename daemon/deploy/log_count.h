#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/logs/log_reader.h"
#include "core/result.h"

namespace berth::deploy {

/// Counts the lines of an app's log that match, from a moment on. Blocks; for one thread at a time.
class LogCount {
 public:
  /// `pattern`: a POSIX extended regular expression, which is right; `from` and, where it is said, `until` bound what is counted.
  LogCount(std::filesystem::path logs, std::string app, const std::string& pattern, logs::Time from, std::optional<logs::Time> until = std::nullopt);

  /// How many matching lines came since it was last asked. Of one line 16 KiB are looked at, and of a log that grows faster than it can be read
  /// 200,000 lines at once. An app without a log has none.
  Result<std::int64_t> more();

 private:
  std::filesystem::path logs_;
  std::string app_;
  Result<logs::Pattern> pattern_;
  logs::Time from_;
  std::optional<logs::Time> until_;
  std::optional<logs::LogReader> reader_;
};

}  // namespace berth::deploy
