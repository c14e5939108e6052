#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "daemon/store/database.h"
#include "daemon/store/store.h"

namespace berth::store {

/// What the database knows of events.log: whoever edits the log or takes it away does not change that, too, by the way.
struct EventTail {
  std::int64_t written = 0;    ///< events up to this one stand in the log for certain
  std::vector<Event> newest;   ///< the last ones that were committed; the log has them, or is to get them
};

Result<EventTail> read_event_tail(Database& database);

/// What is wrong with a log that ends with event `last`; empty: nothing.
std::string missing_at_end(const EventTail& tail, std::int64_t last);

/// Whether a line of the log tells the same as the database; true for events that the database knows no more.
bool agrees(const EventTail& tail, const Event& event);

}  // namespace berth::store
