#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <utility>

namespace berth::deploy {

/// Deployments that ended, by app and state.
using EndCounts = std::map<std::pair<std::string, std::string>, std::uint64_t>;
/// Bytes that were fetched, by app and kind: "layer", "patch" or "index".
using FetchedBytes = std::map<std::pair<std::string, std::string>, std::uint64_t>;
/// Runs of hooks by app, hook and result: "ok", "postponed" or "failed".
using HookCounts = std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t>;

/// How often deployments were in a step, and for how long in all, by app and step; see DeploymentStatus::Step.
struct StepTime {
  std::uint64_t count = 0;
  double seconds = 0;
};
using StepTimes = std::map<std::pair<std::string, std::string>, StepTime>;

/// One-off commands that ended, by app and result: "ok", "failed" or "stopped".
using ExecCounts = std::map<std::pair<std::string, std::string>, std::uint64_t>;
/// Runs of jobs that ended, by app, process and state: "ok", "failed" or "stopped".
using JobCounts = std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t>;

/// What is counted since this berthd began, for metrics. Nothing has a release in its key: deployments add no series.
struct Counts {
  EndCounts ended;
  FetchedBytes fetched;  ///< of releases that were staged
  StepTimes steps;       ///< that were left
  HookCounts hooks;
  ExecCounts execs;
  JobCounts jobs;

  /// All of an app.
  void forget(const std::string& app);
};

/// Apps that are not on the node and had a deployment that ended: the first release of one did not get here, or its name was mistyped. What is counted of
/// them stays for so long that an alert sees it, and of so few that it does not matter how many names there are.
class UnknownApps {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::hours kKept{1};
  static constexpr std::size_t kMost = 16;

  /// A deployment of the app ended now. The one that waits longest is forgotten where they are too many.
  void add(const std::string& app, Time now, Counts& counts);
  /// The app is on the node now: its counts stay with it.
  void remove(const std::string& app);
  /// Those whose time is over.
  void forget_old(Time now, Counts& counts);

 private:
  std::deque<std::pair<std::string, Time>> apps_;  ///< by when their last deployment ended
};

}  // namespace berth::deploy
