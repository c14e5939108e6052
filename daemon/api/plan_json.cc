#include "core/utf8.h"
#include "daemon/api/problem.h"
#include "daemon/api/to_json.h"

namespace berth::api {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;
using deploy::DeploymentPlan;

constexpr std::size_t kMostChanges = 1000;

value other_json(const DeploymentPlan::Other& other) {
  return {{"id", other.id}, {"release", other.release}, {"state", other.state}, {"gives_way", other.gives_way}};
}

value count_json(const DeploymentPlan::Count& count) { return {{"files", count.files}, {"bytes", count.bytes}}; }

value change_json(const bundle::Change& change) {
  constexpr std::string_view kKinds[] = {"added", "removed", "changed"};
  return {{"kind", kKinds[static_cast<std::size_t>(change.kind)]}, {"what", change.what}, {"name", as_utf8(change.name)}, {"before", as_utf8(change.before)},
          {"after", as_utf8(change.after)}};
}

/// How a release may be reached: as berth.toml says it.
std::string_view way_in(spec::Routing routing) { return routing == spec::Routing::socket ? "socket" : "port"; }

object build_json(const DeploymentPlan& plan) {
  return {{"platform", plan.platform}, {"digest", plan.digest},           {"version", as_utf8(plan.version)},
          {"tree", count_json(plan.tree)}, {"from_digest", plan.from_digest}, {"from_version", as_utf8(plan.from_version)}};
}

object difference_json(const DeploymentPlan& plan) {
  array changes;
  for (const bundle::Change& one : plan.changes)
    if (changes.size() < kMostChanges) changes.push_back(change_json(one));
  const std::size_t left_out = plan.changes.size() - changes.size();
  return {{"added", count_json(plan.added)}, {"changed", count_json(plan.changed)}, {"removed", count_json(plan.removed)}, {"changes", std::move(changes)},
          {"left_out", left_out}};
}

object fetch_json(const DeploymentPlan& plan) {
  array blobs;
  for (const auto& one : plan.fetched)
    blobs.push_back({{"part", one.part}, {"kind", one.kind}, {"from", one.from}, {"sha256", one.sha256}, {"bytes", one.bytes}});
  return {{"from", plan.source}, {"bytes", plan.fetched_bytes()}, {"blobs", std::move(blobs)}};
}

object way_json(const DeploymentPlan& plan) {
  const spec::Deploy& rules = plan.manifest->spec.deploy;
  array ports, waits_for;
  for (const auto& one : plan.ports) ports.push_back({{"process", one.process}, {"port", one.port}, {"routing", way_in(one.routing)}});
  for (const auto& app : rules.after)
    if (!plan.is_revert) waits_for.push_back(value(app));
  return {{"strategy", spec::to_string(plan.manifest->spec.strategy())},
          {"stops_first", plan.course.stop_first},
          {"gradual", plan.course.gradual},
          {"goes_on", plan.goes_on},
          {"canary", plan.course.canary ? value{{"instances", rules.canary.instances}, {"bake_ms", rules.canary.bake.count()}} : value(nullptr)},
          {"ports", std::move(ports)},
          {"waits_for", std::move(waits_for)},
          {"ready_timeout_ms", rules.ready_timeout.count()},
          {"drain_ms", rules.drain.count()}};
}

array instances_json(const DeploymentPlan& plan) {
  std::map<std::string, std::pair<int, int>> all;
  for (const auto& [process, number] : plan.instances_before) all[process].first = number;
  for (const auto& [process, number] : plan.instances) all[process].second = number;
  array list;
  for (const auto& [process, numbers] : all) list.push_back({{"process", process}, {"before", numbers.first}, {"after", numbers.second}});
  return list;
}

object bake_json(const DeploymentPlan& plan) {
  const spec::Bake& bake = plan.manifest->spec.deploy.bake;
  value metric, log;
  if (bake.metric) metric = {{"query", as_utf8(bake.metric->query)}, {"max_rate", spec::to_string(bake.metric->max_rate)}};
  if (bake.log) log = {{"pattern", as_utf8(bake.log->pattern)}, {"max_rate", spec::to_string(bake.log->max_rate)}};
  if (plan.is_revert) return {{"duration_ms", 0}, {"reboots", bake.reboots}, {"metric", nullptr}, {"log", nullptr}};  // what ran before is not judged again
  return {{"duration_ms", bake.duration.count()}, {"reboots", bake.reboots}, {"metric", std::move(metric)}, {"log", std::move(log)}};
}

/// What of the app's own a revert could not undo, or would set aside; of a revert, what becomes of it.
object data_json(const DeploymentPlan& plan) {
  const auto& spec = plan.manifest->spec;
  const bool migrates = spec.hooks.contains("pre-start") && !plan.is_revert;
  const bool copied = !plan.snapshot.empty();
  const bool stays = plan.is_revert ? !plan.migrated.empty() : migrates && !copied && !plan.from.empty();
  value back;
  if (const auto& copy = plan.puts_back)
    back = {{"folder", copy->folder}, {"method", copy->method}, {"bytes", copy->bytes}, {"at", copy->at}};
  return {{"snapshot", copied}, {"method", plan.snapshot}, {"bytes", plan.data_bytes}, {"migrates", migrates}, {"revert_sets_aside", copied || plan.puts_back.has_value()},
          {"migration_stays", stays}, {"migrated", plan.migrated}, {"puts_back", std::move(back)}, {"keeps", plan.keeps_data}};
}

}  // namespace

object to_json(const DeploymentPlan& plan) {
  array others, notes, hooks, refusals, jobs, by_hand, ended_jobs;
  for (const auto& one : plan.others) others.push_back(other_json(one));
  for (const auto& note : plan.notes) notes.push_back(value(as_utf8(note)));
  for (const auto& one : plan.refusals)
    refusals.push_back({{"code", to_string(one.error.code)}, {"detail", as_utf8(one.error.message)}, {"exit", static_cast<int>(one.exit)}});
  object json{{"kind", plan.is_revert ? "revert" : "deploy"},
              {"app", plan.app},
              {"release", plan.release},
              {"from", plan.from},
              {"already", plan.already},
              {"same", plan.same ? other_json(*plan.same) : value(nullptr)},
              {"others", std::move(others)},
              {"refusals", std::move(refusals)},
              {"forcible", plan.forcible},
              {"notes", std::move(notes)},
              {"exit", plan.refusals.empty() ? 0 : static_cast<int>(plan.refusals.front().exit)}};
  if (!plan.manifest) return json;
  for (const auto& one : plan.hooks)
    hooks.push_back({{"hook", one.hook}, {"release", one.release}, {"timeout_ms", one.timeout.count()}, {"may_stop", one.may_stop}});
  for (const auto& [process, rules] : plan.manifest->spec.processes)
    if (rules.job && rules.job->run != spec::Job::When::deployment) by_hand.push_back(value(process));
    else if (rules.job && !plan.is_revert) jobs.push_back(value(process));
  for (const auto& process : plan.ended_jobs) ended_jobs.push_back(value(process));
  json["build"] = build_json(plan);
  json["difference"] = plan.compared ? value(difference_json(plan)) : value(nullptr);
  json["fetch"] = fetch_json(plan);
  json["disk"] = {{"needed", plan.disk_needed}, {"free", plan.disk_free}, {"reserve", plan.disk_reserve}};
  json["way"] = way_json(plan);
  json["instances"] = instances_json(plan);
  json["hooks"] = std::move(hooks);
  json["on_revert"] = !plan.is_revert && plan.manifest->spec.hooks.contains("on-revert");
  json["jobs"] = std::move(jobs);
  json["jobs_by_hand"] = std::move(by_hand);
  json["jobs_ended"] = std::move(ended_jobs);
  json["bake"] = bake_json(plan);
  json["data"] = data_json(plan);
  return json;
}

}  // namespace berth::api
