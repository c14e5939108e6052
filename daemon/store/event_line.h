#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "daemon/store/store.h"

namespace berth::store {

/// What the first line of a log names as the hash of the line before it.
inline constexpr std::string_view kNoLine = "0000000000000000000000000000000000000000000000000000000000000000";

/// Kind of the event that tells of a log that somebody changed.
inline constexpr std::string_view kEventsDamaged = "events.damaged";

/// An event as events.log holds it: one line of JSON that names the SHA-256 of the line before.
struct EventLine {
  Event event;
  std::string previous;  ///< 64 hex digits
};

/// `{"number":7,"at":"…","kind":"…","app":"…","data":{…},"prev":"…"}`, without the newline.
std::string to_line(const Event& event, std::string_view previous);

/// Reads it strictly; `Errc::protocol` says what is wrong.
Result<EventLine> parse_line(std::string_view line);

/// Number and app of a line that `to_line` made, without parsing all of it; number 0 where it is not of that shape.
struct LineHead {
  std::int64_t number = 0;
  std::string_view app;
};
LineHead head_of(std::string_view line);

}  // namespace berth::store
