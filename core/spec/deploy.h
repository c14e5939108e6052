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

/// How often something may happen: "1/s", "5/m", "20/h".
struct Rate {
  int number = 1;
  char unit = 's';  ///< s, m or h

  double per_second() const;

  bool operator==(const Rate&) const = default;
};
/// A plain number is one a second. Fails with `Errc::usage`.
Result<Rate> parse_rate(std::string_view text);
std::string to_string(const Rate& rate);

inline constexpr int kMostRate = 1'000'000, kMostReboots = 1000;

/// A counter of the app's own that must not grow too fast in a bake.
struct BakeMetric {
  std::string path = "/metrics";
  std::string query;    ///< `http_errors_total{code="500"}`, summed over its series and over instances
  Rate max_rate;        ///< more than before
  std::string port;     ///< of the process, by name; empty: its main one
  std::string process;  ///< whose instances are asked; empty: those of every process with such a port

  bool operator==(const BakeMetric&) const = default;
};

/// Lines of the app's log of which there must not be too many in a bake.
struct BakeLog {
  std::string pattern;  ///< a POSIX extended regular expression
  Rate max_rate;        ///< more than before

  bool operator==(const BakeLog&) const = default;
};

/// The time after a switch, and what reverts in it besides instances that end or are no longer ready.
struct Bake {
  milliseconds duration{30'000};
  int reboots = 3;  ///< of the machine; the last of so many reverts
  std::optional<BakeMetric> metric;
  std::optional<BakeLog> log;

  bool operator==(const Bake&) const = default;
};

struct Deploy {
  std::optional<Strategy> strategy;      ///< absent: blue-green where every process with a port can, else recreate
  Bake bake;
  milliseconds ready_timeout{60'000};    ///< for the new instances to become ready
  milliseconds drain{30'000};
  Share max_unavailable, max_surge;      ///< rolling, canary: how many fewer instances than wanted serve meanwhile, how many more than wanted run
  Canary canary;                         ///< canary only

  /// Whether both releases serve for a while, instance by instance.
  bool replaces_gradually() const { return strategy == Strategy::rolling || strategy == Strategy::canary; }

  bool operator==(const Deploy&) const = default;
};

}  // namespace berth::spec
