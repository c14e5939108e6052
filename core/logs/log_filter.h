#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/logs/cri_line.h"
#include "core/result.h"

namespace berth::logs {

/// Text to look for: as it stands, or as a POSIX extended regular expression.
class Pattern {
 public:
  static Pattern fixed(std::string text);
  /// Fails with `Errc::usage`, saying what is wrong with it.
  static Result<Pattern> regex(const std::string& expression);

  bool found_in(std::string_view text) const;

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

  bool wants(const Record& record) const;
};

}  // namespace berth::logs
