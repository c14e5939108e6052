#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::config {

/// What an event is called where events are chosen: its kind, but for those that tell of an end or a state, whose last word is that: "deployment.failed" of
/// `deployment.state`, "job.failed" of `job.ended`, and "instance.stopped" of an `instance.exit` that was asked for. docs/webhooks.md has them.
std::vector<std::string> event_types();

/// Those that somebody wants who does not say which.
std::vector<std::string> usual_event_types();

/// Whether `pattern` is the type, or ends with a '*' and begins as it does.
bool matches_type(std::string_view pattern, std::string_view type);

}  // namespace berth::config
