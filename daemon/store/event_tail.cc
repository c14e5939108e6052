#include "daemon/store/event_tail.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/json/json.h"

namespace berth::store {

Result<EventTail> read_event_tail(Database& database) {
  const auto read = [](const Statement& row) {
    Event event{.number = row.integer(0), .at = row.text(1), .kind = row.text(2), .app = row.text(3), .data = {}};
    if (auto data = json::parse(row.text(4), {}, true); data && data->is_object()) event.data = data->as_object();
    return event;
  };
  EventTail tail;
  BERTH_TRY(tail.newest, database.rows("SELECT number, at, kind, app, data FROM outbox ORDER BY number", read));
  BERTH_TRY(tail.written, database.number("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"));
  if (!tail.newest.empty()) tail.written = tail.newest.front().number - 1;
  return tail;
}

std::string missing_at_end(const EventTail& tail, std::int64_t last) {
  if (last >= tail.written) return {};
  if (last == 0) return fmt::format("all of its {} events are missing: it was removed or emptied", tail.written);
  return fmt::format("it ends with event {}, and events up to {} were written: its end was removed", last, tail.written);
}

bool agrees(const EventTail& tail, const Event& event) {
  const auto known = std::ranges::find(tail.newest, event.number, &Event::number);
  return known == tail.newest.end() || (known->at == event.at && known->kind == event.kind && known->app == event.app && known->data == event.data);
}

}  // namespace berth::store
