#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "core/logs/record_time.h"
#include "daemon/deploy/app.h"
#include "daemon/deploy/run.h"

namespace berth::deploy {

// What the engine and its parts share beside the node: what they ask about apps, instances and deployments, and small changes of an App. Each is
// defined in the file of the part that it belongs to.

/// The hook of a deployment under way that this instance is, and that goes on.
bool is_awaited_hook(const App& app, const InstanceId& id);

/// A time that this program wrote down.
logs::Time moment_of(const std::string& rfc3339);

/// Whether what ran once ended by itself, and with 0.
bool succeeded(const supervise::Exit& exit);
/// How it ended, as the history shows it: "ok", or "exited with 1".
std::string result_of(const supervise::Exit& exit);
inline constexpr const char* kOk = "ok";
/// How what ran once ended where nobody could see it.
inline constexpr const char* kCutOff = "was cut off: its keeper was killed, or the machine went down. How far it came is not known";
/// What a failure to start it says, without the name of what failed.
std::string without_name(std::string message, const InstanceId& id);

/// The run of a job that this instance is, and that goes on; null where it is none.
JobPtr running_job(const App& app, const InstanceId& id);
/// The job that `what` names: its last run; null where it names none that ever ran.
bool is_job(const App& app, const InstanceSelector& what);
/// All jobs of the active release, and those others that run.
std::vector<JobStatus> statuses_of_jobs(const App& app);

/// Releases that may not be collected, since an instance or a one-off command is of them.
std::vector<std::string> releases_in_use(const App& app);
/// Whether new connections may go to the instance: it is of the routed release, or has joined it.
bool is_routed(const App& app, const InstanceId& id);
/// From now on only the routed release serves.
void forget_joined(App& app);

/// Whether each public port that both have is reached in the same way and belongs to the same process.
bool can_share_ports(const bundle::Manifest& one, const bundle::Manifest& other);

/// "web/web.1", where it is said already which release it is of.
std::string short_name(InstanceId id);

/// Whether its bake looks at what the app tells of itself.
bool watches_rates(const Run& run);

/// Why the instance will not become ready whatever one waits; empty while it may.
std::string why_hopeless(const supervise::InstanceStatus& status);

/// Those of the release that berthd keeps.
std::vector<InstanceId> members_of(const App& app, const std::string& release);
/// Whether an instance was stopped on its own, by hand.
bool is_paused(const App& app, const InstanceId& id);

/// What is wrong with a request that nothing has to be looked up for.
Result<void> check_request(const DeployRequest& request, const std::string& environment);

/// Whether what runs is stopped before the release's instances start, since it is to be so; its data may ask for that, too.
bool stops_first(const Course& course, const bundle::Manifest& manifest, bool something_runs);
/// Whether the app is stopped and its data copied before anything of the new release touches them.
bool starts_after_snapshot(const Course& course, const bundle::Manifest& manifest);

/// Whether a newer request is carried before this deployment goes on; else it waits for its end.
bool gives_way(const Run& run);

/// The deployment of the app, under way or waiting, that was asked for after `run` and whose place `run` cannot take; null where there is none. Of two that
/// are written down at once, the answers can come in another order than the numbers. What is followed is never in an operator's way.
RunPtr newer_than(const App& app, const Run& run);
/// Takes those out of the queue that are not decided. What is decided waits there only after berthd was away, until its turn has come.
std::vector<RunPtr> take_undecided(App& app);
/// Why a deployment is superseded that gives way to `newer`.
std::string took_place(const Run& newer);
/// "; 'berth deploy web@v1 --force' goes back to v1 and starts it", of a run in whose bake the app was stopped; empty where there was no release before.
std::string or_back(const App& app, const Run& run);

/// The deployment of the app, under way or waiting, that somebody else than `by` asked for, or that goes back; null where there is none.
RunPtr under_way_for_others(const App& app, const std::string& by);

/// Whoever changes the app by hand must not meet a deployment in the middle; a bake gives way. `what`: "stopping it".
Result<void> nothing_under_way(const App& app, const std::string& what);

/// What berthd could not do for the app: for `berth status`, and the log where it is new.
void note_problem(App& app, std::string what);

/// Public ports of a manifest's processes.
std::set<route::Public> public_ports(const bundle::Manifest& manifest);
/// The port that a process of it is reached at, if any.
std::optional<route::Public> public_port(const bundle::Manifest& manifest, const std::string& process);

/// An event of a deployment.
store::Event deployment_event(const Run& run);
/// What the event of a sealed slot tells: the slot, and how its release came here.
boost::json::object sealed_data(const store::SlotRow& slot, const fetch::Staged& staged);

/// An event of an operator.
/// The releases whose slots go when slots are collected, or those whose slots stay.
std::vector<std::string> releases_of(const std::vector<store::SlotFate>& fates, bool that_go);
/// The manifests of those that went are not kept any more.
void forget_manifests(App& app, const std::vector<store::SlotFate>& fates);
store::Event operator_event(std::string kind, const std::string& app, const Asked& asked, boost::json::object data = {});

}  // namespace berth::deploy
