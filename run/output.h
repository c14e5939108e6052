#pragma once

#include <string>

#include "core/ids.h"
#include "core/logs/cri_line.h"

namespace berth::run {

/// Something that the runner says.
struct Word {
  enum class Kind {
    note,      ///< of the run as a whole
    started, ready, unready, exited, ended, stopping, restarting,  ///< of an instance
    failed,    ///< why the run ends, or a start
  } kind = Kind::note;
  logs::Time at;
  std::string instance;  ///< "web.1"; empty: of all
  std::string text;      ///< one line, or several
};

/// What an instance is called here: "web.1", and a hook by its name alone.
std::string shown_name(const InstanceId& id);

/// Where what apps write and what the runner says is shown. Of one thread.
class Output {
 public:
  virtual ~Output() = default;
  virtual void show(const logs::Record& record, const InstanceId& id) = 0;
  virtual void show(const Word& word) = 0;
  /// So many lines of it were removed from its log before they could be shown.
  virtual void show_gap(const InstanceId& id, std::uint64_t lines) = 0;
  /// Writes out what was shown so far; false where nobody takes it any more.
  virtual bool flush() = 0;
};

}  // namespace berth::run
