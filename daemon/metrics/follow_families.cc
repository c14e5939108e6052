#include <algorithm>

#include "core/logs/record_time.h"
#include "daemon/metrics/families.h"

namespace berth::metrics {
namespace {

/// A value for each app that follows; as many as berthd.toml has.
template <class Value>
Family each_follower(const Snapshot& snapshot, Family family, Value value) {
  for (const follow::Status& one : snapshot.node.follows) family.add({{"app", one.app}}, static_cast<double>(value(one)));
  return family;
}

Family wanted_release(const Snapshot& snapshot) {
  auto family = Family::gauge("berth_follow_wanted_info", "The release that a followed channel points to, or that is followed itself.");
  for (const follow::Status& one : snapshot.node.follows)
    if (!one.wanted.empty()) family.add({{"app", one.app}, {"channel", one.channel}, {"release", one.wanted}}, 1);
  return family;
}

Family last_poll(const Snapshot& snapshot) {
  auto family =
      Family::gauge("berth_follow_last_success_timestamp_seconds", "When it was last known what is wanted of an app that follows, in seconds since 1970.");
  for (const follow::Status& one : snapshot.node.follows)
    if (const auto at = logs::parse_rfc3339(one.last_success))
      family.add({{"app", one.app}}, std::chrono::duration<double>(at->time_since_epoch()).count());
  return family;
}

/// Whether another release is active than is wanted.
bool is_behind(const Snapshot& snapshot, const follow::Status& one) {
  const auto app = std::ranges::find(snapshot.apps, one.app, [](const deploy::AppStatus& each) { return each.row.app; });
  return !one.wanted.empty() && (app == snapshot.apps.end() || app->row.active != one.wanted);
}

}  // namespace

std::vector<Family> follow_families(const Snapshot& snapshot) {
  std::vector<Family> families;
  families.push_back(wanted_release(snapshot));
  families.push_back(last_poll(snapshot));
  families.push_back(each_follower(snapshot, Family::gauge("berth_follow_behind", "Whether another release of the app is active than is wanted."),
                                   [&](const follow::Status& one) { return is_behind(snapshot, one) ? 1 : 0; }));
  families.push_back(
      each_follower(snapshot, Family::gauge("berth_follow_failing", "Whether the last poll failed: the repository could not be asked, or not be believed."),
                    [](const follow::Status& one) { return one.failing_since.empty() ? 0 : 1; }));
  families.push_back(each_follower(snapshot, Family::counter("berth_follow_polls_total", "Polls of what an app follows since berthd began."),
                                   [](const follow::Status& one) { return one.polls; }));
  families.push_back(each_follower(snapshot, Family::counter("berth_follow_failures_total", "Polls of them that failed."),
                                   [](const follow::Status& one) { return one.failures; }));
  return families;
}

}  // namespace berth::metrics
