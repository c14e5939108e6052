#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/logs/cri_line.h"
#include "daemon/ship/loss.h"
#include "daemon/ship/sink.h"
#include "daemon/ship/sinks/line_rules.h"

namespace berth::ship {

/// What all entries of a node have alike.
struct NodeNames {
  std::string node, environment;
  std::vector<std::pair<std::string, std::string>> labels;  ///< those of the sink
};

/// Makes entries of the records of one instance, in the order in which they come, by the rules of the sink for lines.
class EntryMaker {
 public:
  EntryMaker(const NodeNames& names, const InstanceId& instance, std::shared_ptr<const LineRules> rules);

  /// As LineMaker has them.
  void know(std::shared_ptr<const secrets::KnownSecrets> secrets) { lines_.know(std::move(secrets)); }
  void add(logs::Record record, LineMaker::Clock::time_point now, std::vector<Entry>& out);
  void flush(LineMaker::Clock::time_point now, std::vector<Entry>& out, bool at_end) { lines_.flush(now, out, at_end); }
  std::optional<std::uint64_t> held_behind() const { return lines_.held_behind(); }
  std::uint64_t dropped() const { return lines_.dropped(); }

  /// Says of lines that they are not there any more: an entry of berthd's own among those of the instance.
  Entry lost(const Loss& loss);

 private:
  const std::shared_ptr<const Origin>& origin_of(const logs::Record& record);

  LineMaker lines_;
  Origin common_;
  std::vector<std::shared_ptr<const Origin>> origins_;  ///< the last few that lines had
};

}  // namespace berth::ship
