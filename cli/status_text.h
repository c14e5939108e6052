#pragma once

#include <string>

#include <boost/json/value.hpp>

#include "cli/deployment.h"

namespace berth::cli {

struct StatusView {
  WallTime now;
  bool colour = false;
  int width = 0;  ///< 0: nothing is shortened
  std::string node{};  ///< that was asked by --node: what is advised is for it
};

/// The node in a line or two, with what is wrong about it: "edge-1 (production), berthd 0.1.0 since 3d".
std::string node_text(const boost::json::value& status, const StatusView& view);

/// What an app, whose active release is `active`, follows and how that goes; empty where it follows nothing. `always`: also where there is nothing to do about it.
std::string follow_text(const boost::json::value& follow, const std::string& active, const StatusView& view, bool always);

/// That whoever asks is limited to some apps, and to which: "this node shows you web, api alone"; empty where all is shown.
std::string limits_text(const boost::json::value& status);

/// A table of all apps, the ones in trouble first.
std::string apps_text(const boost::json::value& status, const StatusView& view);

/// Everything about one app: its release, deployment, rejected releases, and a table of its instances.
std::string app_text(const boost::json::value& app, const StatusView& view);

}  // namespace berth::cli
