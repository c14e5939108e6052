#include "daemon/deploy/queries.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {
namespace {

constexpr std::size_t kAppsATurn = 10;  ///< of the loop, each some 30 µs

/// "web@v1 failed: not ready within 1m", to be said of an app that has no active release.
std::string end_of(const store::DeploymentRow& row) {
  if (row.state == to_string(State::active))  // the state of this node is from a backup, or its database was made anew
    return fmt::format("{}@{} was active and is not on this disk: 'berth deploy {}@{}', 'berth import' or what the node follows brings it back", row.app, row.release, row.app, row.release);
  std::string text = fmt::format("{}@{} {}", row.app, row.release, row.state);
  const std::string prefix = fmt::format("{}@{}: ", row.app, row.release);
  if (!row.reason.empty()) text += ": " + (row.reason.starts_with(prefix) ? row.reason.substr(prefix.size()) : row.reason);
  return text;
}

/// How an app does, from what its processes want and have. An instance that somebody stopped by hand makes nothing worse, and the app is stopped where all are.
std::string health_of(const App& app, const std::vector<ProcessStatus>& processes, bool under_way, bool drained) {
  if (app.row.stopped || drained) return "stopped";
  if (app.row.active.empty()) return under_way ? "deploying" : "down";
  int wanted = 0, ready = 0, stopped = 0;
  for (const ProcessStatus& process : processes) {
    const int should = std::max(process.wanted - process.stopped, 0);
    wanted += should;
    ready += std::min(process.ready, should);
    stopped += process.stopped;
  }
  if (wanted == 0 && stopped > 0) return "stopped";
  if (ready == wanted) return "healthy";
  return ready > 0 ? "degraded" : "down";
}

/// v2 comes before v10.
bool natural_less(const std::string& a, const std::string& b) {
  const auto digit = [](char letter) { return letter >= '0' && letter <= '9'; };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (!digit(a[i]) || !digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
      continue;
    }
    const auto number = [&](const std::string& text, std::size_t& at) {
      while (at < text.size() && text[at] == '0') ++at;
      const std::size_t begin = at;
      while (at < text.size() && digit(text[at])) ++at;
      return text.substr(begin, at - begin);
    };
    const std::string left = number(a, i), right = number(b, j);
    if (left.size() != right.size()) return left.size() < right.size();
    if (left != right) return left < right;
  }
  if (i == a.size() && j == b.size()) return a < b;
  return i == a.size();
}

}  // namespace

awaitable<Result<DeploymentStatus>> Queries::deployment(std::int64_t id) {
  const auto [app, run] = node_.find_run(id);
  if (run) co_return status_of(*run);
  const auto look = [this, id] { return node_.store.deployment(id); };
  const auto row = co_await node_.pool.run(look);
  if (!row) co_return std::unexpected(row.error());
  if (!*row) co_return fail(Errc::not_found, fmt::format("there is no deployment {}; 'berth history' lists them", id));
  co_return status_of(**row);
}

awaitable<Result<std::vector<DeploymentStatus>>> Queries::deployments(store::DeploymentQuery wanted) {
  const auto list = [this, wanted] { return node_.store.deployments(wanted); };
  const auto rows = co_await node_.pool.run(list);
  if (!rows) co_return std::unexpected(rows.error());
  std::vector<DeploymentStatus> found;
  for (const store::DeploymentRow& row : *rows) {
    const auto [app, run] = node_.find_run(row.id);
    found.push_back(run ? status_of(*run) : status_of(row));
  }
  co_return found;
}

awaitable<Result<Releases>> Queries::releases(std::string name) {
  const AppPtr app = node_.find(name);
  struct Found {
    std::vector<store::SlotRow> slots;
    std::vector<store::Rejected> rejected;
    std::vector<store::Import> imports;
    Result<std::vector<fetch::Repository::Listed>> listed = std::vector<fetch::Repository::Listed>();
  };
  const auto look = [this, name, known = app != nullptr]() -> Result<Found> {
    Found found;
    if (known) {
      BERTH_TRY(found.slots, node_.store.slots(name));
      BERTH_TRY(found.rejected, node_.store.rejected(name));
    }
    found.imports = node_.store.imports(name);
    if (node_.repository != nullptr && !node_.repository->options().url.empty()) found.listed = node_.repository->list({});
    return found;
  };
  const Visits::Visit visit = co_await node_.visits.begin();
  const auto found = co_await node_.pool.run(look);
  if (!found) co_return std::unexpected(found.error());

  std::map<std::string, ReleaseStatus> releases;
  for (const store::SlotRow& slot : found->slots) {
    ReleaseStatus& one = releases[slot.release];
    one.on_node = true;
    one.pinned = slot.pinned;
    one.bytes = slot.bytes;
    one.sealed_at = slot.sealed_at;
  }
  for (const store::Import& import : found->imports) {
    ReleaseStatus& one = releases[import.release];
    one.imported = true;
    one.expired = import.expired;
  }
  if (found->listed) {
    for (const auto& listed : *found->listed)
      if (listed.app == name && listed.environment == node_.options.node.environment) releases[listed.release].in_repository = true;
  }
  for (const auto& rejected : found->rejected)
    if (const auto one = releases.find(rejected.release); one != releases.end()) one->second.rejected = rejected.reason;

  Releases result;
  if (!found->listed) result.repository_error = found->listed.error().message;
  for (auto& [release, one] : releases) {
    one.release = release;
    one.active = app && app->row.active == release;
    one.previous = app && app->row.previous == release;
    result.releases.push_back(std::move(one));
  }
  std::ranges::sort(result.releases, natural_less, &ReleaseStatus::release);
  if (!app && result.releases.empty()) {
    if (!result.repository_error.empty())
      co_return fail(Errc::not_found, fmt::format("app {} is not on this node, and the repository could not be read: {}", name, result.repository_error));
    co_return fail(Errc::not_found, fmt::format("app {} is neither on this node nor in its repository; 'berth apps' lists what is", name));
  }
  co_return result;
}

awaitable<Result<std::map<std::string, std::vector<std::string>>>> Queries::repository_apps() {
  if (node_.repository == nullptr) co_return fail(Errc::not_found, "berthd.toml names no [repository]");
  const auto list = [this] { return node_.repository->list({}); };
  const Visits::Visit visit = co_await node_.visits.begin();
  const auto listed = co_await node_.pool.run(list);
  if (!listed) co_return std::unexpected(listed.error());
  std::map<std::string, std::vector<std::string>> apps;
  for (const auto& one : *listed)
    if (one.environment == node_.options.node.environment) apps[one.app].push_back(one.release);
  for (auto& [name, releases] : apps) std::ranges::sort(releases, natural_less);
  co_return apps;
}

awaitable<Result<std::vector<AppStatus>>> Queries::status() {
  const auto look = [this] { return node_.store.records({}); };
  auto records = co_await node_.pool.run(look);
  if (!records) co_return std::unexpected(records.error());
  std::vector<std::string> names;
  for (const auto& [name, app] : node_.apps) names.push_back(name);
  std::vector<AppStatus> all;
  for (const std::string& name : names) {
    if (const AppPtr app = node_.find(name)) all.push_back(status_of_app(*app, std::move((*records)[name])));
    if (all.size() % kAppsATurn == 0) co_await io::next_turn();
  }
  co_return all;
}

std::string Queries::decision_of(const std::string& name) const {
  const auto found = node_.apps.find(name);
  if (found == node_.apps.end()) return {};
  const App& app = *found->second;
  return fmt::format("{} {} {} {} {} {} {}", app.row.active, app.row.previous, static_cast<bool>(app.row.held), app.row.held.firm, app.row.stopped, app.run ? app.run->row.id : 0, app.queue.size());
}

awaitable<bool> Queries::knows_key(std::string name, std::string key) {
  const auto look = [this, name, key] {
    const auto row = node_.store.deployment_by_key(name, key);
    const auto kept = node_.store.kept_key(name, key);
    return (row && row->has_value()) || (kept && kept->has_value());
  };
  const bool is_known = co_await node_.pool.run(look);
  co_return is_known;
}

awaitable<Result<AppStatus>> Queries::status(std::string name) {
  const auto app = node_.known(name);
  if (!app) co_return std::unexpected(app.error());
  const auto look = [this, name] { return node_.store.records(name); };
  auto records = co_await node_.pool.run(look);
  if (!records) co_return std::unexpected(records.error());
  co_return status_of_app(**app, std::move((*records)[name]));
}

AppStatus Queries::status_of_app(const App& app, store::AppRecord record) const {
  const ManifestPtr active = app.active();
  AppStatus status{.row = app.row, .since = app.since, .problem = app.problem};
  status.rejected = std::move(record.rejected);
  status.slots = std::move(record.slots);
  status.copies = std::move(record.copies);
  const RunPtr run = app.run ? app.run : app.queue.empty() ? nullptr : app.queue.front();
  if (run && !is_terminal(run->position.state)) status.deployment = status_of(*run);

  std::map<std::string, int> ready, stopped;
  std::map<route::Public, std::vector<route::Backend>> serving;
  for (const Member& member : app.members) {
    auto instance = node_.supervisor.status(member.id());
    if (!instance && member.row.paused)
      instance = supervise::InstanceStatus{.id = member.id(), .phase = supervise::Phase::ended, .not_ready = "it was stopped by hand"};
    if (!instance) instance = supervise::InstanceStatus{.id = member.id(), .phase = supervise::Phase::starting, .not_ready = member.lacks.empty() ? "it is not started yet" : member.lacks};
    InstanceView view{.status = std::move(*instance), .port = member.row.port, .ports = member.row.named_ports};
    if (const auto manifest = app.manifests.find(member.row.release); manifest != app.manifests.end()) {
      if (const auto pub = public_port(*manifest->second, member.row.process)) {
        const auto [known, is_new] = serving.try_emplace(*pub);
        if (is_new) known->second = node_.router.serving(*pub);
        view.serving = std::ranges::find(known->second, member.id(), &route::Backend::id) != known->second.end();
      }
    }
    // While instances are replaced those of both releases serve.
    const bool counts = member.row.release == app.row.active || (app.routed != app.row.active && is_routed(app, member.id()));
    if (view.status.ready && counts) ++ready[member.row.process];
    if (member.row.paused) view.stopped = member.row.stop;
    if (member.row.paused && member.row.release == app.row.active) ++stopped[member.row.process];
    status.instances.push_back(std::move(view));
  }
  for (const auto& [number, exec] : app.execs)
    status.execs.push_back({.id = {app.name(), kExec, number, exec.release}, .process = exec.process, .by = exec.by, .since = exec.since});
  status.jobs = statuses_of_jobs(app);
  if (active) {
    status.strategy = spec::to_string(active->spec.strategy());
    status.ready_timeout = active->spec.deploy.ready_timeout;
    for (const auto& [process, rules] : active->spec.processes) {
      if (rules.job) continue;
      const auto scale = record.scales.find(process);
      const int wanted = scale != record.scales.end() && scale->second.second == rules.instances ? scale->second.first : rules.instances;
      status.processes.push_back({.process = process, .wanted = wanted, .by_spec = rules.instances, .ready = ready[process], .stopped = stopped[process], .public_port = rules.public_port,
                                  .routing = rules.routing});
    }
  }
  if (record.last) status.last = status_of(*record.last);
  const auto by_port = [](const ProcessStatus& process) { return process.routing == spec::Routing::port; };
  if (status.problem.empty() && !app.row.stopped && std::ranges::any_of(status.processes, by_port)) status.problem = node_.router.trouble();
  if (app.row.active.empty() && !status.deployment && status.problem.empty() && record.last) status.problem = end_of(*record.last);
  status.health = health_of(app, status.processes, status.deployment.has_value(), node_.drained.has_value());
  return status;
}

awaitable<Result<std::string>> Queries::release_before(AppPtr app) {
  const auto look = [this, name = app->name()] { return node_.store.release_before(name); };
  auto before = co_await node_.pool.run(look);
  co_return before;
}

}  // namespace berth::deploy
