#include "daemon/deploy/engine.h"

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "daemon/deploy/instance_plan.h"
#include "daemon/journal/message.h"

namespace berth::deploy {

namespace {

journal::About about_instance(const InstanceId& id, const std::string& reason) { return {.app = id.app, .release = id.release, .instance = to_string(id), .reason = reason}; }

}  // namespace

Engine::Engine(Parts parts) : node_(std::move(parts)) {}

void Engine::close() {
  node_.closed = true;
  ready_ = false;
  node_.supervisor.on_change(nullptr);
  settled_ = [](const std::string&) {};
  slots_.close();
  for (const auto* known : {&node_.apps, &node_.newcomers}) {
    for (const auto& [name, app] : *known) {
      if (app->run) app->run->stop.request_stop();
      app->changed.notify();
    }
  }
}

void Engine::log_end(const supervise::InstanceChange& change, bool meant) {
  const std::string name = to_string(change.id), reason = change.exit ? change.exit->reason : change.reason;
  const std::string text = fmt::format("{}: {}", name, reason);
  if (change.kind == supervise::InstanceChange::Kind::gone) return journal::log(meant ? spdlog::level::info : spdlog::level::warn, journal::Message::keeper_lost, about_instance(change.id, reason), text);
  const bool was_killed = change.exit && change.exit->killed;
  spdlog::log(meant && !was_killed ? spdlog::level::info : spdlog::level::warn, "{}", text);
  const auto status = node_.supervisor.status(change.id);
  if (meant || !status || !status->crash_loop) looping_.erase(change.id);
  else if (looping_.insert(change.id).second)
    journal::log(spdlog::level::warn, journal::Message::crash_loop, about_instance(change.id, reason), fmt::format("{} ends again and again: {} ({} restarts)", name, reason, status->restarts));
}

void Engine::on_change(const supervise::InstanceChange& change) {
  using Kind = supervise::InstanceChange::Kind;
  if (node_.closed) return;
  const AppPtr app = node_.find(change.id.app);
  const JobPtr job = app ? running_job(*app, change.id) : nullptr;
  if (spec::is_hook_name(change.id.process) || is_exec(change.id) || job) {  // it has events of its own, and is no trouble
    const auto status = job ? node_.supervisor.status(change.id) : std::nullopt;
    if (status) job->tries = static_cast<int>(status->restarts) + 1;
    if (app) app->changed.notify();
    return;
  }
  if (change.kind == Kind::exited || change.kind == Kind::gone) {
    const bool meant = (app && app->quiet > 0) || (change.kind == Kind::exited && change.stopped);
    log_end(change, meant);
    boost::json::object data{{"instance", to_string(change.id)}, {"reason", change.exit ? change.exit->reason : change.reason}};
    if (change.exit) data["ran_ms"] = change.exit->ran.count();
    if (change.exit && !meant && !change.exit->kind.empty()) data["cause"] = change.exit->kind;
    node_.spawn(node_.tell({.number = 0, .at = {}, .kind = change.kind == Kind::exited ? "instance.exit" : "keeper.gone", .app = change.id.app, .data = std::move(data)}));
  }
  if (change.kind == Kind::kept) {
    journal::log(spdlog::level::warn, journal::Message::keeper_taken_over, about_instance(change.id, change.reason), fmt::format("{}: {}", to_string(change.id), change.reason));
    boost::json::object data{{"instance", to_string(change.id)}, {"reason", change.reason}};
    return node_.spawn(node_.tell({.number = 0, .at = {}, .kind = "keeper.taken_over", .app = change.id.app, .data = std::move(data)}));
  }
  if (change.kind == Kind::renewed) return spdlog::info("{}: its keeper is the program of this berthd now", to_string(change.id));
  if (change.kind == Kind::not_renewed) return spdlog::warn("{}: its keeper goes on as it is: {}", to_string(change.id), change.reason);
  if (!app) return;
  readiness_events_.on_change(app, change);
  judge_.on_change(*app, change);
  if (app->run && (app->run->position.state == State::baking || app->run->position.state == State::canary)) count_ready(*app, *app->run);
  app->changed.notify();
  if (is_routed(*app, change.id) && change.kind != Kind::started) node_.spawn(routes_.lead_later(app));
}

/// Releases that may not be collected, since something runs of them.
std::vector<std::string> releases_in_use(const App& app) {
  std::vector<std::string> releases;
  for (const Member& member : app.members) releases.push_back(member.row.release);
  for (const auto& [number, run] : app.execs) releases.push_back(run.release);
  for (const auto& [process, job] : app.jobs)
    if (job->row.running()) releases.push_back(job->row.release);
  for (const RunPtr& run : app.giving_way) releases.insert(releases.end(), {run->row.release, run->row.from});
  return releases;
}

void note_problem(App& app, std::string what) {
  if (app.problem != what) spdlog::warn("{}: {}", app.name(), what);
  app.problem = std::move(what);
}

store::Event deployment_event(const Run& run) {
  boost::json::object data{{"deployment", run.row.id}, {"release", run.row.release}, {"kind", run.row.kind}, {"state", to_string(run.position.state)}};
  if (!run.row.reason.empty()) data["reason"] = run.row.reason;
  if (run.position.decided) data["decided"] = true;
  if (run.position.state == State::queued) {
    data["by"] = run.row.by;
    if (!run.row.why.empty()) data["why"] = run.row.why;
    if (!run.row.from.empty()) data["from"] = run.row.from;
  }
  return {.number = 0, .at = {}, .kind = "deployment.state", .app = run.row.app, .data = std::move(data)};
}

boost::json::object sealed_data(const store::SlotRow& slot, const fetch::Staged& staged) {
  boost::json::object data{{"release", slot.release},
                           {"manifest_sha256", slot.manifest_sha256},
                           {"bytes", slot.bytes},
                           {"fetched", {{"layer", staged.layer_bytes}, {"patch", staged.patch_bytes}, {"index", staged.index_bytes}}}};
  if (!slot.signed_by.empty())
    data["signed_by"] = {{"role", slot.signed_by}, {"keys", boost::json::array(slot.signing_keys.begin(), slot.signing_keys.end())}};
  if (!staged.patched_from.empty()) data["patched_from"] = staged.patched_from;
  if (!staged.notes.empty()) data["notes"] = boost::json::array(staged.notes.begin(), staged.notes.end());
  return data;
}

store::Event operator_event(std::string kind, const std::string& app, const Asked& asked, boost::json::object data) {
  data["by"] = asked.by;
  if (!asked.why.empty()) data["why"] = asked.why;
  if (asked.pid > 0) data["pid"] = asked.pid;
  return {.number = 0, .at = {}, .kind = "operator." + std::move(kind), .app = app, .data = std::move(data)};
}

}  // namespace berth::deploy
