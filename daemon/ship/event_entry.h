#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "daemon/ship/entry_maker.h"
#include "daemon/ship/sink.h"
#include "daemon/store/store.h"

namespace berth::ship {

inline constexpr std::string_view kEventStream = "events", kDaemonStream = "berthd";

/// An event as an entry: its text is JSON, `{"kind":"deployment.state","app":"web","data":{…}}`, its sequence the event's number.
Entry entry_of(const store::Event& event, const NodeNames& names);

/// Whether an `instance.exit` is one that somebody asked for: the instance was stopped, or restarted by hand.
bool was_asked_for(const store::Event& event);

/// Changes each text in the data of an event, but no names of members.
void change_texts(boost::json::object& data, const std::function<void(std::string&)>& change);

/// The event that `entry_of` made an entry of.
store::Event event_of(const Entry& entry);

/// Of berthd's own log.
std::shared_ptr<const Origin> daemon_origin(const NodeNames& names);

}  // namespace berth::ship
