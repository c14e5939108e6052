#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "cli/api_client.h"
#include "core/logs/record_time.h"

namespace berth::cli {

/// Which events are wanted of those that a node tells.
struct EventFilter {
  std::optional<logs::Time> since{}, until{};
  std::vector<std::string> kinds{};  ///< patterns of kinds, or of types as webhooks have them; any of them will do
  std::string grep{};                ///< a text of the line that is shown

  bool is_any() const { return since || until || !kinds.empty() || !grep.empty(); }
  /// `line` is what is shown of the event.
  bool wants(const boost::json::value& event, const std::string& line) const;
};

/// What --since, --until, --kind and --grep say. Fails with `Errc::usage` where a moment is none, nothing lies between them, or no event can be of a kind.
Result<EventFilter> event_filter(const std::string& since, const std::string& until, const std::vector<std::string>& kinds, const std::string& grep);

/// The number of an event before which none is of `since` or later, so that reading begins there; 1 where that is not known. `app` is a parameter that narrows, or empty.
Result<std::int64_t> first_since(const ApiClient& api, logs::Time since, const std::string& app);

}  // namespace berth::cli
