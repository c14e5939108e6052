#pragma once

#include <string>

#include "daemon/config/config.h"
#include "daemon/ship/sink.h"
#include "daemon/store/store.h"

namespace berth::ship {

/// What an event is called where events are chosen, see `config::event_types`.
std::string event_type(const store::Event& event);

/// One event as a request has it.
struct WebhookMessage {
  std::string id;    ///< the same whenever this event is sent, and of no other event of any node; without a full stop, as Standard Webhooks asks
  std::string body;  ///< JSON
};

/// Of an entry that `entry_of` made of an event. docs/webhooks.md has the body.
WebhookMessage webhook_message(const Entry& entry, config::WebhookFormat format);

}  // namespace berth::ship
