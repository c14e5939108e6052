#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::spec {

using std::chrono::milliseconds;

/// How one release takes the place of another.
enum class Strategy {
  blue_green,  ///< all new instances beside all old ones, then one switch
  recreate,    ///< the old ones are stopped first
  rolling,     ///< a few instances at a time
  canary,      ///< a few of the new release first, with a bake of their own; then as with `rolling`
};
std::string_view to_string(Strategy strategy);  ///< the word of berth.toml

/// So many of a process's instances: a number, or percents of them.
struct Share {
  int number = 25;
  bool percent = true;

  /// How many of `instances` that is; a fraction counts as one where `up`, else as none.
  int of(int instances, bool up) const;

  bool operator==(const Share&) const = default;
};
/// "25%" → share; a plain number is one of instances. Percents are at most 100.
Result<Share> parse_share(std::string_view text);
std::string to_string(const Share& share);  ///< "25%", "2"

inline constexpr int kMostShared = 256;  ///< instances; as many as a process can have

/// What takes over first.
struct Canary {
  int instances = 1;          ///< of each process, at most; they serve beside all of the release before
  milliseconds bake{30'000};  ///< of their own, before the rest follows

  bool operator==(const Canary&) const = default;
};

struct Deploy {
  std::optional<Strategy> strategy;      ///< absent: blue-green where every process with a port can, else recreate
  milliseconds bake{30'000};
  milliseconds ready_timeout{60'000};    ///< for the new instances to become ready
  milliseconds drain{30'000};
  Share max_unavailable, max_surge;      ///< rolling, canary: how many fewer instances than wanted serve meanwhile, how many more than wanted run
  Canary canary;                         ///< canary only

  /// Whether both releases serve for a while, instance by instance.
  bool replaces_gradually() const { return strategy == Strategy::rolling || strategy == Strategy::canary; }

  bool operator==(const Deploy&) const = default;
};

}  // namespace berth::spec
