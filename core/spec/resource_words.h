#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/resources.h"
#include "core/result.h"

namespace berth::spec {

/// A word of systemd.exec(5) for a limit of setrlimit(2).
struct ResourceWord {
  enum class Unit { count, bytes, seconds };

  std::string_view word;  ///< "LimitNOFILE"
  int resource;           ///< RLIMIT_NOFILE
  Unit unit = Unit::count;
};
std::span<const ResourceWord> resource_words();

inline constexpr std::uint64_t kMostOfAResource = std::uint64_t{1} << 50;  ///< that is no "infinity"

/// "1024", both limits; "1024:524288", the soft and the hard one; each may be "infinity". Bytes also as "64M" (see parse_memory), seconds also as "10m".
/// `Errc::usage` on anything else, and where the soft one is over the hard one.
Result<ResourceLimit> parse_resource(const ResourceWord& word, std::string_view text);

/// Its only form in a manifest: numbers without a unit.
std::string resource_text(const ResourceLimit& limit);

}  // namespace berth::spec
