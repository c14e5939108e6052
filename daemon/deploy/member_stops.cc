#include <algorithm>

#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/data_steps.h"
#include "daemon/deploy/instance_plan.h"
#include "daemon/deploy/members.h"

namespace berth::deploy {

milliseconds drain_of(const App& app) {
  const ManifestPtr active = app.active();
  return active ? active->spec.deploy.drain : milliseconds(30'000);
}

awaitable<void> Members::stop(AppPtr app, std::vector<InstanceId> ids, milliseconds at_most, RunPtr unless_trouble) {
  if (ids.empty()) co_return;
  const auto set_leaving = [app, &ids](bool leaving) {
    for (Member& member : app->members)
      if (std::ranges::find(ids, member.id()) != ids.end()) member.leaving = leaving;
  };
  set_leaving(true);
  static_cast<void>(co_await routes_.lead(app));
  co_await routes_.drain(app, ids, at_most, unless_trouble);
  if (unless_trouble && !unless_trouble->trouble.empty()) co_return set_leaving(false);
  std::vector<awaitable<void>> stops;
  for (const InstanceId& id : ids) stops.push_back(stop_one(app, id));
  co_await node_.at_once(std::move(stops));
}

/// Stops an instance, and forgets it.
awaitable<void> Members::stop_one(AppPtr app, InstanceId id) {
  const auto stopped = co_await end(app, id);
  if (node_.closed) co_return;
  if (!stopped) note_problem(*app, stopped.error().message);
  const auto found = std::ranges::find(app->members, id, &Member::id);
  if (found == app->members.end()) co_return;
  const store::InstanceRow row = found->row;
  const auto forget = [this, row, id]() -> Result<void> {
    BERTH_CHECK(remove_folders(node_.options.node, id));
    return node_.store.remove_instance(row);
  };
  const auto forgotten = co_await node_.pool.run(forget);
  if (!forgotten) {
    note_problem(*app, forgotten.error().message);
    node_.spawn(forget_later(app, row, app->problem));
  }
  std::erase_if(app->members, [&](const Member& member) { return member.id() == id; });
}

/// A listening socket of its own leaves the port's group while its keeper still holds it. With a private port, no client is led to where nobody listens any more.
awaitable<Result<void>> Members::end(AppPtr app, InstanceId id) {
  std::function<void()> let_go;
  std::optional<route::Public> pub;
  if (const auto manifest = app->manifests.find(id.release); manifest != app->manifests.end()) pub = public_port(*manifest->second, id.process);
  if (pub && pub->kind == spec::Routing::socket)
    let_go = [this, port = *pub, id] { static_cast<void>(node_.router.close_listener(port, id)); };
  route::Backend backend{.id = id};
  if (const auto member = std::ranges::find(app->members, id, &Member::id); member != app->members.end()) backend.private_port = member->row.port;
  if (pub) static_cast<void>(co_await node_.router.forget_closed(*pub, backend));
  auto stopped = co_await node_.supervisor.stop(id, let_go);
  if (pub && !node_.closed) static_cast<void>(co_await node_.router.forget_closed(*pub, backend));  // its end may have reset some
  co_return stopped;
}

awaitable<void> Members::stop_release(AppPtr app, std::string release, milliseconds at_most) {
  co_await stop(app, members_of(*app, release), at_most);
}

awaitable<void> Members::stop_all_but(AppPtr app, std::string release, milliseconds at_most, RunPtr unless_trouble) {
  std::vector<InstanceId> ids;
  for (const Member& member : app->members)
    if (member.row.release != release) ids.push_back(member.id());
  co_await jobs_.end_but(app, release);
  co_await stop(app, std::move(ids), at_most, unless_trouble);
}

awaitable<void> Members::stop_strangers(AppPtr app) {
  for (const auto& status : node_.supervisor.all()) {
    if (status.id.app != app->name() || is_awaited_hook(*app, status.id) || is_exec(status.id) || running_job(*app, status.id) || std::ranges::find(app->members, status.id, &Member::id) != app->members.end()) continue;
    const InstanceId id = status.id;
    const auto stopped = co_await end(app, id);
    if (node_.closed) co_return;
    if (!stopped) continue;
    const auto remove = [this, id] { return remove_folders(node_.options.node, id); };
    if (const auto removed = co_await node_.pool.run(remove); !removed) note_problem(*app, removed.error().message);
  }
}

awaitable<Result<void>> Members::pause(AppPtr app, std::vector<InstanceId> ids) {
  static_cast<void>(co_await routes_.lead(app));
  co_await routes_.drain(app, ids, drain_of(*app));
  const auto outcome = std::make_shared<Result<void>>();
  std::vector<awaitable<void>> stops;
  for (const InstanceId& id : ids) stops.push_back(pause_one(app, id, outcome));
  co_await node_.at_once(std::move(stops));
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  co_return *outcome;
}

awaitable<void> Members::pause_one(AppPtr app, InstanceId id, std::shared_ptr<Result<void>> outcome) {
  auto stopped = co_await end(app, id);
  const auto remove = [this, id] { return remove_folders(node_.options.node, id); };  // its secrets; a start makes them anew
  if (stopped) stopped = co_await node_.pool.run(remove);
  if (!stopped && *outcome) *outcome = stopped;
}

awaitable<Result<void>> Members::restart(AppPtr app, ManifestPtr manifest, InstanceId id, std::string reason) {
  auto finished = co_await finish_pending_data(node_, app);
  if (!finished) co_return finished;
  const auto member = std::ranges::find(app->members, id, &Member::id);
  if (member == app->members.end() || member->row.paused) co_return Result<void>();
  const store::InstanceRow row = member->row;
  const auto beside = std::ranges::count_if(app->members, [&](const Member& other) {
    return other.row.process == id.process && other.row.release == id.release && !other.row.paused;
  });
  if (beside > 1) {
    member->leaving = true;
    static_cast<void>(co_await routes_.lead(app));
    const std::vector<InstanceId> alone{id};
    co_await routes_.drain(app, alone, drain_of(*app));
  }
  auto planned = co_await make_plan(app, manifest, row);
  Result<void> restarted;
  if (!planned) restarted = std::unexpected(planned.error());
  if (planned) restarted = co_await node_.supervisor.ensure(std::move(planned->plan));
  if (restarted) restarted = co_await node_.supervisor.restart(id, reason);
  const auto again = std::ranges::find(app->members, id, &Member::id);
  if (again != app->members.end()) again->leaving = false;
  if (again != app->members.end()) again->lacks = restarted ? std::string() : restarted.error().message;
  // What the caller named is there; it is the node that lacks something.
  if (!restarted && (restarted.error().code == Errc::not_found || restarted.error().code == Errc::permission)) restarted.error().code = Errc::io;
  if (!restarted && !planned && node_.supervisor.status(id)) restarted.error().message += "; it goes on as it is";
  if (restarted && beside > 1) static_cast<void>(co_await wait_ready(app, id.release, nullptr, manifest->spec.deploy.ready_timeout));
  static_cast<void>(co_await routes_.lead(app));
  co_return restarted;
}

}  // namespace berth::deploy
