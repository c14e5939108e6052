#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/logs/record_time.h"
#include "daemon/deploy/last_lines.h"
#include "daemon/deploy/operations.h"

namespace berth::deploy {

/// Something that happened, for people.
struct Told {
  std::string at, until;  ///< RFC 3339, UTC; `until`: of the last one, where it happened more than once in a row
  std::string kind;       ///< of the event; "deployment.state" of a deployment's step
  std::string text;       ///< one line
  int times = 1;

  bool operator==(const Told&) const = default;
};

/// The last failure of an app: of a deployment, or what is wrong with its instances now, whichever is newer; where no instance is in trouble, that of a job, if it is newer.
/// A deployment's that is over since a later one's release became active is told where nothing is wrong now.
struct Story {
  enum class About { nothing, deployment, instances, job } about = About::nothing;
  std::string app, active;
  std::string health{}, since{};              ///< of the app now, as in AppStatus; empty of one that is not on the node
  std::string stopped{};                      ///< "stopped (by root (uid 0) since …: …)" where it is, or "drained (…)" where the node is; else empty
  bool over = false;                          ///< of a deployment: the release of a later one became active
  std::string why;                            ///< one line; empty where nothing is wrong
  std::optional<DeploymentStatus> deployment; ///< the newest one that failed or was reverted, also where the story is about instances
  std::vector<InstanceView> instances;        ///< that are not ready now, end again and again, or came back after they ended, also where the story is about a deployment
  std::vector<JobStatus> jobs{};              ///< whose last run failed, the newest first, also where the story is about something else
  std::vector<std::string> notes{};           ///< what there is to know beside: of the deployment, and what berthd could not do for the app
  std::vector<Told> told;                     ///< in the order of time
  std::string lines_of;                       ///< whose last lines those are: "web/web.1@v2"; empty: nobody's
  std::vector<PrintedLine> lines;             ///< what they printed last; without a moment where that is not known
  std::vector<std::string> advice;            ///< what to do next, a line each
};

/// Whether the deployment failed, or was reverted, and not because somebody wanted so.
bool is_failure(const store::DeploymentRow& row);

/// Whether it failed since there is no such release. Pure.
bool is_of_nothing(const store::DeploymentRow& row);

/// The newest deployment that failed, and that there is to tell of: one of a release that there is not, as one that was mistyped, only where the app `runs` no release and no other
/// failed. Null where there is none. `rows`: the newest first. Pure.
const store::DeploymentRow* failure_to_tell(const std::vector<store::DeploymentRow>& rows, bool runs);

/// Whether the release of a deployment after `failed` became active. `rows`: the newest first. Pure.
bool is_over(const store::DeploymentRow& failed, const std::vector<store::DeploymentRow>& rows);

/// Whether an instance of the release that is to serve ended by itself not long ago, and was started again: what `berth status` notes, too. Pure.
bool came_back(const InstanceView& instance, const std::string& active, logs::Time now);

/// Whether an instance of the release that is to serve is in trouble. One that only has not said yet is not.
bool is_troubled(const InstanceView& instance, const std::string& active);
/// "web/web.1 ends again and again: exited with 1 (12 restarts)".
std::string trouble_text(const InstanceView& instance);
/// "web/web.1@v3 was stopped at …: it did not end within 10s of being asked to, and was killed", of the last one to which that happened; empty where there
/// is none.
std::string killed_at_a_stop(const std::vector<store::Event>& events);
/// When that was seen last.
std::string trouble_at(const InstanceView& instance, const std::vector<store::Event>& events);

/// "web/report exited with 1 (run 3 of the job, after 2 tries)".
std::string failure_text(const JobStatus& job);

/// What the deployment's steps and events tell, in the order of time; what is repeated in a row is told once. `deployment` may be null. Pure.
std::vector<Told> timeline(const DeploymentStatus* deployment, const std::vector<store::Event>& events);

/// What to do about it. `before`: the release that a revert would go to; empty: none. Pure.
std::vector<std::string> advise(const Story& story, const std::string& before);

}  // namespace berth::deploy
