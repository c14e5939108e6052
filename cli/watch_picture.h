#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "cli/status_text.h"
#include "core/result.h"

namespace berth::cli {

/// What is known of a node whose status is watched.
struct Watched {
  std::string name;                          ///< as of --node; empty for the one that is here
  std::optional<boost::json::value> answer;  ///< the last one that there was
  WallTime answered_at{};
  std::optional<Error> away;                 ///< why there is no newer one
  WallTime away_since{};
};

struct WatchLook {
  std::string app;  ///< that one alone
  bool quiet = false;
  std::string head; ///< what the first row says after the time
};

/// What one look at the status of an app, or of all where `app` is empty, shows.
std::string answer_text(const boost::json::value& answer, const std::string& app, bool quiet, const StatusView& view);

/// The whole screen of `berth status --watch`: the time, and then each node, those that do not answer first, then those where something is wrong.
std::string watch_picture(const std::vector<Watched>& nodes, const WatchLook& look, const StatusView& view);

}  // namespace berth::cli
