#include "daemon/follow/decision.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/logs/record_time.h"
#include "daemon/follow/windows.h"

namespace berth::follow {
namespace {

using Kind = Decision::Kind;
using Wall = std::chrono::system_clock;

constexpr std::chrono::hours kLongestWait{1};
constexpr std::chrono::minutes kClockSlack{1};  ///< clocks are set back by a little all the time

Decision left_alone(std::string why) { return {.kind = Kind::left_alone, .why = std::move(why)}; }

/// What an operator has decided about the app, which counts more than what is followed.
std::optional<Decision> because_of_operators(const std::string& app, const std::string& wanted, const Present& present) {
  const deploy::AppStatus& status = *present.app;
  const auto rejected = std::ranges::find(status.rejected, wanted, &store::Rejected::release);
  const std::string bad = rejected == status.rejected.end() ? std::string() : fmt::format("{} is rejected here ({})", wanted, rejected->reason);
  if (status.row.held.firm && !bad.empty()) {
    return left_alone(fmt::format("it is held ({}), and {}: 'berth resume {}', and point the channel to another release, or 'berth deploy {}@{} --force'", to_string(status.row.held), bad,
                                  app, app, wanted));
  }
  if (status.row.held.firm) return left_alone(fmt::format("it is held ({}): 'berth resume {}' lets it follow", to_string(status.row.held), app));
  // To end the hold alone would change nothing.
  if (status.row.held && !bad.empty())
    return left_alone(fmt::format("{}, and the app is held: point the channel to a release that was never active here, or 'berth deploy {}@{} --force'", bad, app, wanted));
  if (!bad.empty()) return left_alone(fmt::format("{}: point the channel to another release, or 'berth deploy {}@{} --force'", bad, app, wanted));
  // As in any deployment: a release that was never active here is a newer one, which ends the hold.
  const auto was_active = [&](const deploy::DeploymentStatus& one) { return one.row.release == wanted && store::was_active(one.row); };
  if (status.row.held && std::ranges::any_of(present.deployments, was_active))
    return left_alone(fmt::format("it is held ({}): 'berth resume {}', or a newer release, lets it follow", to_string(status.row.held), app));
  if (status.row.stopped) return left_alone(fmt::format("it is {}: 'berth start {}' lets it follow", store::stopped_text(status.row), app));
  const auto pinned = std::ranges::find_if(status.slots, [&](const store::SlotRow& slot) { return slot.release == status.row.active && slot.pinned; });
  if (pinned == status.slots.end() || pinned->release == wanted) return std::nullopt;
  return left_alone(fmt::format("{0} is pinned: 'berth unpin {1}@{0}' lets it follow", pinned->release, app));
}

/// The newest deployment that has not ended yet.
std::optional<Decision> because_of_present(const std::string& wanted, const std::vector<deploy::DeploymentStatus>& deployments) {
  const auto present = std::ranges::find_if(deployments, [](const auto& one) { return !one.ended(); });
  if (present == deployments.end()) return std::nullopt;
  const store::DeploymentRow& row = present->row;
  // Its own older wish gives way to the new one, by the rules of any newer request.
  const bool own = row.by == kFollow && row.release != wanted && row.state != "reverting";
  if (own) return std::nullopt;
  return Decision{.kind = Kind::under_way, .why = fmt::format("deployment {} of {} is {}", row.id, row.release, row.state)};
}

/// How the last tries of this very release ended.
std::optional<Decision> because_of_past(const std::string& app, const std::string& wanted, const std::vector<deploy::DeploymentStatus>& deployments,
                                        std::chrono::milliseconds interval, Wall::time_point now) {
  const auto last = std::ranges::find_if(deployments, [](const auto& one) { return one.ended(); });
  if (last == deployments.end() || last->row.release != wanted) return std::nullopt;
  const std::string& state = last->row.state;
  // What a drain cancelled is taken up again when the node is back at work: nobody said anything of the release.
  const bool by_drain = state == "cancelled" && last->row.reason == fmt::format("cancelled by {}", deploy::kDrain);
  if (!by_drain && (state == "cancelled" || state == "interrupted")) {
    return left_alone(fmt::format("deployment {} of {} was {}: 'berth deploy {}@{}' tries it again, or point the channel to another release", last->row.id,
                                  wanted, state, app, wanted));
  }
  // One that was reverted and is not rejected went back for want of something of the node.
  const auto failed = [&](const deploy::DeploymentStatus& one) { return one.row.release == wanted && (one.row.state == "failed" || one.row.state == "reverted"); };
  const auto failures = std::ranges::find_if_not(last, deployments.end(), failed) - last;
  const auto ended = logs::parse_rfc3339(last->row.ended_at);
  if (failures == 0 || !ended) return std::nullopt;
  const auto failed_at = std::chrono::time_point_cast<Wall::duration>(*ended);
  const auto next = failed_at + wait_after_failures(interval, static_cast<int>(failures));
  // What is still to come was written by a clock that was ahead: waiting for that may take years.
  if (now >= next || now < failed_at - kClockSlack) return std::nullopt;
  const auto at = logs::format_rfc3339(std::chrono::time_point_cast<std::chrono::nanoseconds>(next), 0);
  return Decision{
      .kind = Kind::later, .why = fmt::format("deployment {} {}, the next is tried after {}: {}", last->row.id, state == "failed" ? "failed" : "was reverted", at, last->row.reason), .at = next};
}

/// When what runs may be moved.
std::optional<Decision> because_of_windows(const std::string& app, const std::string& wanted, const Present& present, const std::vector<config::Window>& windows, Wall::time_point now) {
  if (!present.app || present.app->row.active.empty()) return std::nullopt;
  const int left = minutes_until_open(windows, minute_of_week(now));
  if (left == 0) return std::nullopt;
  const auto opens = std::chrono::floor<std::chrono::minutes>(now) + std::chrono::minutes(left);
  std::vector<std::string> texts;
  for (const config::Window& window : windows) texts.push_back(window.text);
  const auto at = logs::format_rfc3339(std::chrono::time_point_cast<std::chrono::nanoseconds>(opens), 0);
  return Decision{.kind = Kind::closed,
                  .why = fmt::format("it waits for its window ({}), which opens at {}; 'berth deploy {}@{}' does not", fmt::join(texts, ", "), at, app, wanted),
                  .at = opens};
}

}  // namespace

std::chrono::milliseconds wait_after_failures(std::chrono::milliseconds interval, int failures) {
  const int doublings = std::clamp(failures - 1, 0, 20);
  return std::max(interval, std::min<std::chrono::milliseconds>(interval * (1 << doublings), kLongestWait));
}

Decision decide(const std::string& app, const std::string& wanted, const Present& present, std::chrono::milliseconds interval, const std::vector<config::Window>& windows, Wall::time_point now) {
  const bool active = present.app && present.app->row.active == wanted;
  const bool idle = std::ranges::all_of(present.deployments, &deploy::DeploymentStatus::ended);
  if (active && idle) return {};
  if (!active && present.app)
    if (auto decided = because_of_operators(app, wanted, present)) return *decided;
  if (auto decided = because_of_present(wanted, present.deployments)) return *decided;
  if (auto decided = because_of_past(app, wanted, present.deployments, interval, now)) return *decided;
  if (auto decided = because_of_windows(app, wanted, present, windows, now)) return *decided;
  return {.kind = Kind::deploy};
}

}  // namespace berth::follow
