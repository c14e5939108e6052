#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "cli/console.h"
#include "core/logs/record_json.h"
#include "core/logs/record_time.h"
#include "core/result.h"

namespace berth::cli {

/// What is done with a line, as it came and read.
using TakeLine = std::function<void(const std::string& line, logs::Told told)>;

/// Reads the logs of `app` from the node that `console` names, or from the berthd here, by `GET /v1/apps/{app}/logs` with these parameters, and hands over each line as it comes, with
/// what it says. Blocking, for as long as there is more. What the node refuses is told as it tells it.
Result<void> read_remote_logs(const Console& console, const std::string& app, const std::map<std::string, std::string>& query, const TakeLine& take);

/// The same with what is written from then on, for ever: a node that goes away, as berthd does at an upgrade, is waited for, and what was written meanwhile is read
/// then; each line is handed over once. Fails where the first call fails, or with what the node refuses.
Result<void> follow_remote_logs(const Console& console, const std::string& app, std::map<std::string, std::string> query, const TakeLine& take);

/// What was seen of a log that is asked for again: each line has its sequence in its instance's log.
class SeenLines {
 public:
  /// Whether it is seen for the first time.
  bool add(const logs::Told& told);
  /// From when on the log is to be read for all that was not seen: instances write at the same time, so that it is a little before the newest line. None where no
  /// line was seen. `earliest`: not before then.
  std::optional<logs::Time> next_since(std::optional<logs::Time> earliest) const;

 private:
  std::map<std::string, std::uint64_t> sequences_;  ///< the highest of each instance
  std::optional<logs::Time> newest_;
};

}  // namespace berth::cli
