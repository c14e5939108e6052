#pragma once

#include <optional>
#include <string>
#include <vector>

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
struct Story {
  enum class About { nothing, deployment, instances, job } about = About::nothing;
  std::string app, active;
  std::string why;                            ///< one line; empty where nothing is wrong
  std::optional<DeploymentStatus> deployment; ///< the newest one that failed or was reverted, also where the story is about instances
  std::vector<InstanceView> instances;        ///< that are not ready now, or end again and again, also where the story is about a deployment
  std::vector<JobStatus> jobs{};              ///< whose last run failed, the newest first, also where the story is about something else
  std::vector<Told> told;                     ///< in the order of time
  std::string lines_of;                       ///< whose last lines those are: "web/web.1@v2"; empty: nobody's
  std::vector<std::string> last_lines;
  std::vector<std::string> advice;            ///< what to do next, a line each
};

/// Whether the deployment failed, or was reverted, and not because somebody wanted so.
bool is_failure(const store::DeploymentRow& row);

/// Whether an instance of the release that is to serve is in trouble. One that only has not said yet is not.
bool is_troubled(const InstanceView& instance, const std::string& active);
/// "web/web.1 ends again and again: exited with 1 (12 restarts)".
std::string trouble_text(const InstanceView& instance);
/// When that was seen last.
std::string trouble_at(const InstanceView& instance, const std::vector<store::Event>& events);

/// "web/report exited with 1 (run 3 of the job, after 2 tries)".
std::string failure_text(const JobStatus& job);

/// What the deployment's steps and events tell, in the order of time; what is repeated in a row is told once. `deployment` may be null. Pure.
std::vector<Told> timeline(const DeploymentStatus* deployment, const std::vector<store::Event>& events);

/// What to do about it. `before`: the release that a revert would go to; empty: none. Pure.
std::vector<std::string> advise(const Story& story, const std::string& before);

}  // namespace berth::deploy
