#pragma once

#include <string>

namespace berth::store {

/// A time of `now_text` without its fraction, for sentences: "2026-11-24T09:00:00Z".
inline std::string to_seconds(const std::string& at) {
  const auto point = at.find('.');
  return point == std::string::npos || !at.ends_with('Z') ? at : at.substr(0, point) + "Z";
}

}  // namespace berth::store
