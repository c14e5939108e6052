#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/result.h"

namespace berth::ship {

/// Takes out of texts what patterns describe.
class PatternRedactor {
 public:
  /// POSIX extended regular expressions. Where one has a group, only what its first group matched is taken out: `password=([^ ]+)`. Fails with `Errc::usage`
  /// for what is none, what matches the empty text, and references back (`\1`), whose time has no bound.
  static Result<PatternRedactor> make(const std::vector<std::string>& patterns);

  /// A match may be 4 KiB long at least, wherever it stands; `^` and `$` are the ends of a line. NUL bytes are text.
  void redact(std::string& text) const;
  bool empty() const { return compiled_.empty(); }

 private:
  struct Compiled;
  std::vector<std::shared_ptr<const Compiled>> compiled_;
};

}  // namespace berth::ship
