#pragma once

#include <ctime>
#include <map>
#include <string>

#include "cli/console.h"
#include "run/output.h"

namespace berth::cli {

/// How the output of a run is shown.
struct RunOutputOptions {
  bool timestamps = false;
  std::size_t name_width = 0;  ///< columns that the longest name of an instance takes
};

/// Shows a run on a console: each line behind the name of its instance, in that one's colour; or as JSON, an object a line. Lines are never mixed.
class RunOutput : public run::Output {
 public:
  RunOutput(const Console& console, RunOutputOptions options);

  void show(const logs::Record& record, const InstanceId& id) override;
  void show(const run::Word& word) override;
  void show_gap(const InstanceId& id, std::uint64_t lines) override;
  bool flush() override;

  /// The errno of what was wrong with writing; 0 where all was written, or its reader has gone away.
  int failure() const { return failure_; }

 private:
  const std::string& head_of(const InstanceId& id);
  std::string head(const std::string& name, std::size_t number) const;
  void add_time(logs::Time at);
  void add_line(std::string_view head, std::string_view text);

  const Console& console_;
  RunOutputOptions options_;
  std::map<InstanceId, std::string> heads_;
  std::string own_head_;
  std::string pending_;           ///< not written yet
  std::time_t second_ = -1;       ///< which `clock_` shows
  std::string clock_;             ///< "12:00:59" here
  bool broken_ = false;
  int failure_ = 0;
};

/// Of an app's line, what may go to a terminal: its colours (SGR) stay, everything else that could steer one is made visible.
std::string with_colours(std::string_view text);

}  // namespace berth::cli
