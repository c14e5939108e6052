#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto/secret.h"
#include "core/result.h"

namespace berth::ship {

/// What stands where something was taken out.
inline constexpr std::string_view kRedacted = "[redacted]";

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

/// Takes the values of secrets out of texts, and each longer line of those that have several (keys in PEM), and what JSON makes of them.
class KnownSecrets {
 public:
  /// Shorter ones would be found where they are not meant.
  static constexpr std::size_t kShortest = 6;

  /// False where the value is too short to be looked for.
  bool add(std::string_view value);
  void redact(std::string& text) const;

 private:
  void add_needle(std::string_view needle);
  std::vector<crypto::Secret> needles_;  ///< longest first, since one may be a part of another
};

}  // namespace berth::ship
