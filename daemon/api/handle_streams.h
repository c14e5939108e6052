#pragma once

#include <memory>

#include "core/io/http.h"
#include "daemon/api/routes.h"

namespace berth::api {

/// Whether a list is wanted as it grows (`Accept: text/event-stream`).
bool wants_stream(const io::ServerRequest& request);

/// From which number on events are told: of the parameters `from` and `last`, one of which may be there.
struct FirstEvent {
  std::int64_t from = 0;  ///< 0: not said
  int last = 0;           ///< the newest so many; 0: not said
};
FirstEvent read_first_event(QueryReader& query);

/// An event as a message of `text/event-stream`.
using EventMessage = std::string (*)(const store::Event& event);
/// All of it, under the name of its kind.
std::string whole_message(const store::Event& event);

/// Events as server-sent events, for as long as the client is there: after the one of the header `Last-Event-ID`, else from number `from` on, else the newest `last` and then the new ones.
/// `place` is kept as long; null: all are taken.
awaitable<Answer> follow_events(Call call, EventMessage message, std::shared_ptr<void> place);

}  // namespace berth::api
