#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/console.h"
#include "core/ids.h"
#include "core/logs/cri_line.h"

namespace berth::cli {

/// Lines of logs for people: time, instance and text. Where several releases wrote them each one tells its own, so that the first lines are held back until that is
/// known, up to a bound. What is held is written by `flush`, or at the end.
class LogLines {
 public:
  explicit LogLines(const Console& console) : console_(console) {}
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;
  ~LogLines() { flush(); }

  void add(logs::Record record, const InstanceId& id);
  /// Writes what is held; nothing is held from then on.
  void flush();

 private:
  struct Line {
    logs::Record record;
    std::string instance;  ///< "web.1"
  };
  void write(const Line& line) const;

  const Console& console_;
  std::string release_;  ///< of the first line that told one
  bool several_ = false, holds_ = true;
  std::vector<Line> held_;
  std::size_t held_bytes_ = 0;
};

}  // namespace berth::cli
