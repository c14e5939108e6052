#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "daemon/store/database.h"
#include "daemon/store/event_log.h"
#include "daemon/store/store.h"

namespace berth::store {

/// An instance that may run on this node, as the releases on it say.
struct MayRun {
  InstanceRow row;                               ///< without its ports
  bool has_port = false;                         ///< it is given a private port of its own, as PORT
  std::map<std::string, std::string> variables;  ///< of its further private ports, by name
};

/// What was made anew of the truth about the node.
struct Rebuilt {
  std::string why;                ///< "it was damaged: …"
  fs::path set_aside;             ///< the name that the damaged database has now; empty: there was none, or it is gone on with
  std::size_t apps = 0, slots = 0, deployments = 0, instances = 0;
  std::vector<std::string> lost;  ///< what is not known any more, a line each
  bool brought_forward = false;   ///< it stays in its place; the numbers are of what newer events added
};
/// "was made anew: it was damaged: …; apps: 2, …", or "was brought forward: …", for a person.
std::string to_string(const Rebuilt& rebuilt);

/// Why the database cannot be gone on with: it is damaged, or missing though the node has a state; empty: it can.
Result<std::string> trouble_of_database(const Paths& paths);

/// Makes a database of what is on the disk (slots, links, owners of data), of what events.log tells, and of what runs, and puts it in its place. What was there
/// gets another name, and is not removed. Whenever this is interrupted, doing it again comes to the same.
Result<Rebuilt> rebuild(const Paths& paths, std::string why, const FindRunning& running);

/// A database that is whole and older than the log (its end was lost, or it came from a backup) is brought forward by the events that it does not know.
/// Nothing where there are none.
Result<std::optional<Rebuilt>> catch_up(Database& database, const Paths& paths, const EventLog& log, const FindRunning& running);

}  // namespace berth::store
