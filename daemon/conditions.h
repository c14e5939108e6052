#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "daemon/journal/message.h"
#include "daemon/metrics/node_status.h"

namespace berth {

class LiveNode;

/// What is wrong with a node though nobody did anything: a disk that fills, metadata that nobody signs anew.
struct Condition {
  journal::Message message;
  std::string subject;  ///< "timestamp", "/var/lib/berth"; with the message it says which one it is
  std::string text;     ///< how it is now
};

/// Those of a node as it is. Metadata are said to expire as early as by the alerts of config/prometheus: timestamp and snapshot a day before, the others two weeks.
std::vector<Condition> conditions_of(const metrics::NodeStatus& node, std::chrono::system_clock::time_point now);

/// Logs each when it begins, and that it is over when it was not seen for some looks, so that one that comes and goes is said once.
class ConditionLog {
 public:
  void look(const std::vector<Condition>& now);

 private:
  struct Told {
    Condition condition;
    int looks_without = 0;
  };
  std::vector<Told> told_;
};

/// Looks at the node once a minute, for as long as there is one.
boost::asio::awaitable<void> watch_conditions(LiveNode* node);

}  // namespace berth
