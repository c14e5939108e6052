#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include <boost/json/object.hpp>

#include "daemon/deploy/rate.h"
#include "daemon/store/store.h"
#include "daemon/supervise/supervisor.h"

namespace berth::deploy {

/// What an instance does that tells against its release.
enum class Trouble {
  ended,     ///< by itself, or its keeper died
  oom,       ///< the kernel ended it for its memory
  liveness,  ///< its liveness probe failed
  unready,   ///< it ran, and was no longer ready
};
inline constexpr std::size_t kTroubles = 4;
/// As the database has it: "ended".
std::string_view to_string(Trouble kind);
/// "ended", "were killed for their memory", …: what instances did.
std::string_view said_of(Trouble kind);
Trouble trouble_of(const supervise::Exit& exit);

/// How often each happened.
struct TroubleCounts {
  std::array<int, kTroubles> times{};
  bool crash_loop = false;  ///< an instance kept ending early

  int& of(Trouble kind) { return times[static_cast<std::size_t>(kind)]; }
  int of(Trouble kind) const { return times[static_cast<std::size_t>(kind)]; }
  bool any() const;
  bool operator==(const TroubleCounts&) const = default;
};
boost::json::object to_json(const TroubleCounts& counts);
/// What is missing there is 0.
TroubleCounts counts_in(const boost::json::object& from);

/// What an event tells of an instance of the release that tells against it, and happened at `since` or later; nothing where it tells of nothing such. Of one that
/// was not ready it tells once until it was ready for a while.
std::optional<Trouble> trouble_told(const store::Event& event, const std::string& release, std::chrono::system_clock::time_point since);

/// What the instances of an app's releases did of late, as far as this berthd saw it, with a bound. Of what was before, the events tell.
class TroubleRecord {
 public:
  void add(Trouble kind, std::string release, bool crash_loop, Moment at);
  /// What those of a release did from a moment on.
  TroubleCounts since(const std::string& release, Moment from) const;

 private:
  struct Entry {
    Trouble kind;
    std::string release;
    bool crash_loop;
    Moment at;
  };
  std::deque<Entry> entries_;
};

/// Counts of a bake under way.
struct BakeTroubles {
  std::string state;  ///< of the deployment, which they are of
  TroubleCounts counts;
  std::map<std::string, std::string> last_exits;  ///< by instance, those that are counted: when
};
boost::json::object to_json(const BakeTroubles& troubles);
BakeTroubles bake_troubles_in(const boost::json::object& from);

/// How often it may happen to a release without telling against it: as often as to the release before. `instances` of `instances_before` have their share
/// of that; a part counts as one whole.
int allowed_times(int before, int instances, int instances_before);

}  // namespace berth::deploy
