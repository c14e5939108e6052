#include <algorithm>

#include "core/utf8.h"
#include "daemon/api/to_json.h"

namespace berth::api {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

const char* routing_text(spec::Routing routing) {
  switch (routing) {
    case spec::Routing::none: return "none";
    case spec::Routing::socket: return "socket";
    case spec::Routing::port: return "port";
  }
  return "none";
}

value last_exit_json(const std::optional<supervise::Exit>& exit) {
  if (!exit) return nullptr;
  return {{"reason", as_utf8(exit->reason)}, {"at", exit->at}, {"ran_ms", exit->ran.count()}, {"asked", exit->kind.empty()}};
}

array texts_json(const std::vector<std::string>& texts) { return array(texts.begin(), texts.end()); }

object process_json(const deploy::ProcessStatus& process) {
  return {{"process", process.process},
          {"wanted", process.wanted},
          {"by_spec", process.by_spec},
          {"ready", process.ready},
          {"stopped", process.stopped},
          {"public_port", process.public_port},
          {"routing", routing_text(process.routing)}};
}

object release_json(const deploy::ReleaseStatus& release) {
  return {{"release", release.release},
          {"active", release.active},
          {"previous", release.previous},
          {"in_repository", release.in_repository},
          {"on_node", release.on_node},
          {"bytes", release.bytes},
          {"sealed_at", release.sealed_at},
          {"pinned", release.pinned},
          {"imported", release.imported},
          {"expired", as_utf8(release.expired)},
          {"rejected", as_utf8(release.rejected)}};
}

object exec_json(const deploy::ExecStatus& exec) {
  InstanceId id = exec.id;
  id.release.clear();
  return {{"instance", to_string(id)}, {"release", exec.id.release}, {"process", exec.process}, {"by", as_utf8(exec.by)}, {"since", exec.since}};
}

/// "" → "never".
std::string job_state(const store::JobRow& row) { return row.run == 0 ? std::string("never") : row.state; }

object copy_json(const store::DataCopy& copy) {
  return {{"folder", copy.folder},
          {"deployment", copy.deployment},
          {"release", copy.release},
          {"set_aside", copy.moved()},
          {"since", copy.moved() ? copy.since : copy.at}};
}

}  // namespace

object to_json(const deploy::InstanceView& view) {
  const supervise::InstanceStatus& status = view.status;
  object exits, ports;
  for (const auto& [name, port] : view.ports) ports[name] = port;
  for (const auto& [reason, count] : status.exits_by_reason) exits[reason] = count;
  InstanceId id = status.id;
  id.release.clear();
  return {{"instance", to_string(id)},
          {"process", status.id.process},
          {"number", status.id.number},
          {"release", status.id.release},
          {"phase", std::string(supervise::to_string(status.phase))},
          {"pid", status.pid},
          {"keeper_pid", status.keeper_pid},
          {"ready", status.ready},
          {"serving", view.serving},
          {"not_ready", as_utf8(status.not_ready)},
          {"stopped", view.stopped.has_value()},
          {"stopped_by", view.stopped ? as_utf8(view.stopped->by) : std::string()},
          {"stopped_at", view.stopped ? view.stopped->at : std::string()},
          {"stopped_why", view.stopped ? as_utf8(view.stopped->why) : std::string()},
          {"says", as_utf8(status.says)},
          {"restarts", status.restarts},
          {"started_at", status.started_at},
          {"port", view.port},
          {"ports", std::move(ports)},
          {"crash_loop", status.crash_loop},
          {"unenforced_limits", texts_json(status.unenforced)},
          {"exits_by_reason", std::move(exits)},
          {"last_exit", last_exit_json(status.last_exit)}};
}

object to_json(const follow::Status& follow) {
  return {{"app", follow.app},
          {"channel", follow.channel},
          {"wanted", follow.wanted},
          {"serial", follow.serial},
          {"interval_ms", follow.interval.count()},
          {"last_poll", follow.last_poll},
          {"last_success", follow.last_success},
          {"failing_since", follow.failing_since},
          {"last_error", as_utf8(follow.last_error)},
          {"note", as_utf8(follow.note)},
          {"polls", follow.polls},
          {"failures", follow.failures}};
}

object to_json(const deploy::AppStatus& app, const std::vector<follow::Status>& follows) {
  const auto follow = std::ranges::find(follows, app.row.app, &follow::Status::app);
  array rejected, drifted, pinned, copies, processes, instances, execs, jobs;
  for (const auto& one : app.rejected) rejected.push_back({{"release", one.release}, {"reason", as_utf8(one.reason)}, {"at", one.at}});
  for (const auto& slot : app.slots)
    if (slot.drifted > 0)
      drifted.push_back({{"release", slot.release}, {"paths", slot.drifted}, {"first", as_utf8(slot.drift)}, {"verified_at", slot.verified_at}});
  for (const auto& slot : app.slots)
    if (slot.pinned) pinned.push_back(value(slot.release));
  object signers;
  for (const auto& slot : app.slots)
    if (!slot.signed_by.empty())
      signers[slot.release] = {{"role", as_utf8(slot.signed_by)}, {"keys", array(slot.signing_keys.begin(), slot.signing_keys.end())}};
  for (const auto& copy : app.copies) copies.push_back(copy_json(copy));
  for (const auto& process : app.processes) processes.push_back(process_json(process));
  for (const auto& instance : app.instances) instances.push_back(to_json(instance));
  for (const auto& exec : app.execs) execs.push_back(exec_json(exec));
  for (const auto& job : app.jobs) jobs.push_back(to_json(job));
  return {{"app", app.row.app},
          {"active", app.row.active},
          {"previous", app.row.previous},
          {"held", as_utf8(app.row.held.why)},
          {"held_by", as_utf8(app.row.held.by)},
          {"held_at", app.row.held.at},
          {"held_firmly", app.row.held.firm},
          {"stopped", app.row.stopped},
          {"stopped_by", as_utf8(app.row.stop.by)},
          {"stopped_at", app.row.stop.at},
          {"stopped_why", as_utf8(app.row.stop.why)},
          {"since", app.since},
          {"strategy", app.strategy},
          {"ready_timeout_ms", app.ready_timeout.count()},
          {"health", app.health},
          {"problem", as_utf8(app.problem)},
          {"deployment", app.deployment ? value(to_json(*app.deployment)) : value(nullptr)},
          {"last_deployment", app.last ? value(to_json(*app.last)) : value(nullptr)},
          {"follow", follow == follows.end() ? value(nullptr) : value(to_json(*follow))},
          {"rejected", std::move(rejected)},
          {"drifted", std::move(drifted)},
          {"pinned", std::move(pinned)},
          {"signers", std::move(signers)},
          {"data_copies", std::move(copies)},
          {"processes", std::move(processes)},
          {"instances", std::move(instances)},
          {"execs", std::move(execs)},
          {"jobs", std::move(jobs)}};
}

object to_json(const deploy::JobStatus& job) {
  array lines;
  for (const auto& line : job.last_lines) lines.push_back(value(as_utf8(line)));
  return {{"process", job.row.process},
          {"run", job.row.run},
          {"runs", job.by_hand ? "by hand" : "at deployments"},
          {"state", job_state(job.row)},
          {"release", job.row.release},
          {"deployment", job.row.deployment},
          {"by", as_utf8(job.row.by)},
          {"why", as_utf8(job.row.why)},
          {"attempts", job.row.attempts},
          {"began_at", job.row.began_at},
          {"ended_at", job.row.ended_at},
          {"result", as_utf8(job.row.result)},
          {"succeeded_at", job.row.succeeded_at},
          {"last_lines", std::move(lines)}};
}

object to_json(const deploy::Releases& releases) {
  array list;
  for (const auto& release : releases.releases) list.push_back(release_json(release));
  return {{"releases", std::move(list)}, {"repository_error", as_utf8(releases.repository_error)}};
}

object repository_apps_json(const std::map<std::string, std::vector<std::string>>& apps) {
  array list;
  for (const auto& [app, releases] : apps) list.push_back({{"app", app}, {"releases", array(releases.begin(), releases.end())}});
  return {{"apps", std::move(list)}};
}

object to_json(const store::Import& import) {
  return {{"app", import.app},
          {"release", import.release},
          {"manifest_sha256", import.manifest_sha256},
          {"bytes", import.bytes},
          {"expired", as_utf8(import.expired)},
          {"already", import.already}};
}

object verdicts_json(const deploy::Verified& verified) {
  array list;
  for (const auto& one : verified.slots) {
    array drift;
    for (const auto& path : one.verdict.drift) drift.push_back({{"path", as_utf8(path.path)}, {"what", as_utf8(path.what)}});
    list.push_back({{"app", one.app},
                    {"release", one.release},
                    {"paths", one.verdict.paths},
                    {"bytes", one.verdict.bytes},
                    {"drifted", one.verdict.drifted},
                    {"drift", std::move(drift)}});
  }
  return {{"slots", std::move(list)}, {"others", verified.others}};
}

object collected_json(const deploy::Collected& collected, bool dry_run) {
  array removed, kept, data, imports;
  for (const auto& [slot, goes, why] : collected.slots) {
    object one{{"app", slot.app}, {"release", slot.release}, {"bytes", slot.bytes}, {"why", array(why.begin(), why.end())}};
    (goes ? removed : kept).push_back(std::move(one));
  }
  for (const auto& copy : collected.data) data.push_back({{"app", copy.app}, {"folder", copy.folder}, {"release", copy.release}, {"bytes", copy.bytes}});
  for (const auto& one : collected.imports) imports.push_back({{"app", one.app}, {"release", one.release}, {"bytes", one.bytes}});
  return {{"dry_run", dry_run}, {"removed", std::move(removed)}, {"kept", std::move(kept)}, {"data", std::move(data)}, {"imports", std::move(imports)},
          {"partial", object{{"blobs", collected.partial_blobs}, {"bytes", collected.partial_bytes}}}};
}

}  // namespace berth::api
