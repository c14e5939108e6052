#include "daemon/deploy/routes.h"

#include <algorithm>

#include "daemon/deploy/app_facts.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using io::Steady;

/// Of the routed release, and of those whose instances joined it.
std::set<route::Public> served_ports(const App& app) {
  const auto routed = app.manifests.find(app.routed);
  std::set<route::Public> ports = routed == app.manifests.end() ? app.claimed : public_ports(*routed->second);
  for (const Member& member : app.members) {
    const auto manifest = app.manifests.find(member.row.release);
    if (member.joined && manifest != app.manifests.end()) ports.merge(public_ports(*manifest->second));
  }
  return ports;
}

}  // namespace

std::optional<route::Public> public_port(const bundle::Manifest& manifest, const std::string& process) {
  const auto found = manifest.spec.processes.find(process);
  if (found == manifest.spec.processes.end() || found->second.routing == spec::Routing::none) return std::nullopt;
  return route::Public{manifest.app, process, found->second.public_port, found->second.routing};
}

std::set<route::Public> public_ports(const bundle::Manifest& manifest) {
  std::set<route::Public> ports;
  for (const auto& [process, rules] : manifest.spec.processes)
    if (const auto pub = public_port(manifest, process)) ports.insert(*pub);
  return ports;
}

awaitable<Result<void>> Routes::claim(AppPtr app, ManifestPtr manifest) {
  std::vector<route::Public> fresh;
  for (const route::Public& pub : public_ports(*manifest)) {
    if (app->claimed.contains(pub)) continue;
    auto claimed = co_await node_.router.claim(pub);
    if (claimed) {
      app->claimed.insert(pub);
      fresh.push_back(pub);
      continue;
    }
    for (const route::Public& taken : fresh) {
      static_cast<void>(co_await node_.router.give_up(taken));
      app->claimed.erase(taken);
    }
    co_return claimed;
  }
  co_return Result<void>();
}

awaitable<void> Routes::give_up_but(AppPtr app, ManifestPtr kept) {
  const std::set<route::Public> needed = kept ? public_ports(*kept) : std::set<route::Public>();
  const std::vector<route::Public> claimed(app->claimed.begin(), app->claimed.end());
  for (const route::Public& pub : claimed) {
    if (needed.contains(pub)) continue;
    const auto given = co_await node_.router.give_up(pub);
    if (!given) note_problem(*app, given.error().message);
    app->claimed.erase(pub);
  }
}

awaitable<Result<void>> Routes::lead(AppPtr app) {
  while (app->routing) co_await app->turn.wait(60s);
  app->routing = true;
  Result<void> result;
  // A port that the releases that serve do not have, or reach in another way, is left to be given up.
  const std::set<route::Public> ports = served_ports(*app);
  for (const route::Public& pub : ports) {
    if (!app->claimed.contains(pub)) continue;
    std::vector<route::Backend> ready, all;
    for (const Member& member : app->members) {
      if (!is_routed(*app, member.id()) || member.row.process != pub.process || member.leaving || member.row.paused) continue;
      const auto status = node_.supervisor.status(member.id());
      if (!status) continue;
      all.push_back({.id = member.id(), .private_port = member.row.port});
      if (status->ready) ready.push_back(all.back());
    }
    auto& backends = ready.empty() ? all : ready;
    std::ranges::sort(backends);
    auto now = node_.router.serving(pub);
    std::ranges::sort(now);
    if (now == backends) continue;
    auto served = co_await node_.router.serve(pub, backends);
    if (!served && result) result = served;
  }
  app->routing = false;
  app->turn.notify();
  if (!result) note_problem(*app, result.error().message);
  co_return result;
}

awaitable<void> Routes::lead_later(AppPtr app) {
  if (!app->gone) static_cast<void>(co_await lead(app));
}

awaitable<void> Routes::drain(AppPtr app, std::vector<InstanceId> ids, milliseconds at_most, RunPtr unless_trouble) {
  const auto end = Steady::now() + at_most;
  for (auto pause = 10ms; !node_.closed && !(unless_trouble && !unless_trouble->trouble.empty()); pause = std::min(pause * 2, 250ms)) {
    int open = 0;
    for (const InstanceId& id : ids) {
      const auto manifest = app->manifests.find(id.release);
      const auto member = std::ranges::find(app->members, id, &Member::id);
      if (manifest == app->manifests.end() || member == app->members.end()) continue;
      const auto pub = public_port(*manifest->second, id.process);
      if (!pub) continue;
      const route::Backend backend{.id = id, .private_port = member->row.port};
      const auto processes = node_.supervisor.processes(id);
      const auto connections = co_await node_.router.connections(*pub, backend, processes);
      // Where it cannot be told, the drain takes its whole time.
      open += connections ? *connections : 1;
      if (open > 0) break;
    }
    const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
    if (open == 0 || left <= 0ms) co_return;
    co_await io::sleep_for(std::min(left, milliseconds(pause)));
  }
}

}  // namespace berth::deploy
