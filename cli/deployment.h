#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "cli/output/transfer_rate.h"
#include "core/exit_code.h"

namespace berth::cli {

using WallTime = std::chrono::system_clock::time_point;

/// A deployment as berthd tells it; docs/api.md.
struct Deployment {
  struct Step {
    std::string state, at;
  };
  std::int64_t id = 0;
  std::string app, release, kind, state, reason, from, by, why;
  bool decided = false;
  bool rejected = false;
  bool stopped = false;  ///< the app was, when it was asked for
  bool already = false;
  int exit = -1;  ///< -1 until it ended
  std::string created_at, ended_at, bake_until;
  std::int64_t bytes_done = 0, bytes_total = 0, instances_ready = 0, instances_wanted = 0;
  struct Hook {
    std::string hook, release, began_at, ended_at, result;
    std::int64_t attempts = 1;
  };
  std::vector<Step> steps;
  std::vector<std::string> last_lines;
  std::vector<Hook> hooks;
  std::vector<std::string> notes;

  bool ended() const { return exit >= 0; }
  std::string name() const { return app + "@" + release; }
};

Deployment read_deployment(const boost::json::value& json);

/// The exit code of a deployment that ended.
Exit exit_of(const Deployment& deployment);

/// Its reason, whose beginning may name it once more, or in full with its environment: without that.
std::string without_name(const Deployment& deployment);

/// What is going on, for a line that is drawn over itself: "web@v2 fetching [####....] 1.0 MB of 4.1 MB, 512.0 kB/s, 7s left", the latter as far as
/// `rate` knows.
std::string live_text(const Deployment& deployment, WallTime now, int width, const TransferRate& rate = {});

/// One line for a step that was reached: "web@v2: switching (2 of 2 instances ready)".
std::string step_text(const Deployment& deployment, const Deployment::Step& step);

/// How it ended, and where it failed: why, the app's last lines, and the way out, at `node` where it was asked by --node.
std::string result_text(const Deployment& deployment, bool colour, const std::string& node = {});

/// A line of `berth history` for its hooks: "hooks: pre-start 1.2s, ready-to-switch exited with 1"; empty where it ran none.
std::string hooks_text(const Deployment& deployment);

/// A line of `berth history` for its steps: "queued 0ms, fetching 1.2s, … active".
std::string steps_text(const Deployment& deployment);

}  // namespace berth::cli
