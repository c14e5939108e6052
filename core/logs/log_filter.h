#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/logs/cri_line.h"
#include "core/logs/line_search.h"
#include "core/logs/runs.h"
#include "core/result.h"

namespace berth::logs {

/// Text to look for: as it stands, or as a POSIX extended regular expression.
class Pattern {
 public:
  static Pattern fixed(std::string text);
  /// Fails with `Errc::usage`, saying what is wrong with it.
  static Result<Pattern> regex(const std::string& expression);

  bool found_in(std::string_view text) const;
  /// What is looked for as it stands, where `LineSearch` can look for it.
  std::optional<LineSearch> line_search() const;

 private:
  struct Compiled;
  std::string text_;
  std::shared_ptr<const Compiled> compiled_;  ///< null: fixed
};

/// Which records are wanted.
struct LogFilter {
  std::optional<Time> since;  ///< at or after
  std::optional<Time> until;  ///< before
  std::optional<Pattern> pattern;
  std::optional<Stream> stream;
  std::optional<std::string> release;
  std::optional<Level> level;  ///< at least so bad; `Record::level` says how bad it is
  std::optional<Run> run;
  bool app_only = false;       ///< not what keepers say
  /// Asked again and again while it is read. True gives up with `Errc::cancelled`; whoever asks for the next record then goes on there.
  std::function<bool()> give_up{};

  bool wants(const Record& record) const;
  Result<void> go_on() const;  ///< as `give_up` says
};

/// Gives records their levels, in the order of a log. What goes on does so with the line before of its stream and tag, in bounded memory.
class LevelMemory {
 public:
  std::optional<Level> of(const Record& record);

 private:
  struct Last {
    Stream stream;
    std::string release, deployment, pid;
    bool keeper = false;
    std::optional<Level> level;
  };
  std::vector<Last> last_;  ///< who wrote last is last
};

}  // namespace berth::logs
