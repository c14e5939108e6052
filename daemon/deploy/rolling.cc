#include <algorithm>
#include <functional>
#include <ranges>

#include <fmt/core.h>

#include "daemon/deploy/engine.h"
#include "daemon/deploy/rollout.h"

// Instances are replaced a few at a time (`rolling`, `canary`). Meanwhile two releases serve: the routed one, and those instances of the other that have
// joined it. Both directions are the same work: what goes wrong on the way is rolled back within the same limits.

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using io::Steady;

constexpr auto kVerdicts = 10s;          ///< for the probes of what was adopted
constexpr auto kLookForVerdicts = 50ms;  ///< one that is bad changes nothing of which somebody is told

/// What takes part in the route.
bool may_serve(const App& app, const Member& member) { return !member.leaving && !member.row.paused && (member.joined || member.row.release == app.routed); }

}  // namespace

bool is_routed(const App& app, const InstanceId& id) {
  const auto found = std::ranges::find(app.members, id, &Member::id);
  return id.release == app.routed || (found != app.members.end() && found->joined);
}

void forget_joined(App& app) {
  for (Member& member : app.members) member.joined = false;
}

bool can_share_ports(const bundle::Manifest& one, const bundle::Manifest& other) {
  const std::set<route::Public> theirs = public_ports(other);
  return std::ranges::none_of(public_ports(one), [&](const route::Public& pub) {
    return std::ranges::any_of(theirs, [&](const route::Public& that) { return that.port == pub.port && that != pub; });
  });
}

/// How the release takes over, once it is known that something runs that it takes over from. What there is to note of it; empty: nothing.
awaitable<std::string> Engine::way_over(AppPtr app, RunPtr run) {
  std::string text;
  const spec::Deploy& rules = run->manifest->spec.deploy;
  run->course.gradual = run->course.canary = false;
  const bool something_runs = !members_of(*app, app->row.active).empty();
  if (!rules.replaces_gradually() || run->course.stop_first || !run->course.has_previous || !something_runs || run->row.from == run->row.release) co_return text;
  const auto old = co_await node_.manifest_of(app, run->row.from);
  if (!old || !can_share_ports(*run->manifest, **old)) {
    text = fmt::format("all instances are switched at once: {}", old ? "a port is reached in another way than before" : old.error().message);
    co_return text;
  }
  run->course.gradual = true;
  run->course.canary = rules.strategy == spec::Strategy::canary && !run->is_revert();
  co_return text;
}

awaitable<void> Engine::choose_strategy(AppPtr app, RunPtr run) {
  const std::string text = co_await way_over(app, run);
  if (!text.empty()) co_await node_.note(run, text);
}

/// The first instances of the new release, beside all of the old one.
awaitable<Result<void>> Engine::start_canary(AppPtr app, RunPtr run) {
  const auto wanted = co_await members_.wanted_by_process(app, run->manifest);
  if (!wanted) co_return std::unexpected(wanted.error());
  const std::vector<std::string> order = spec::start_order(run->manifest->spec);
  for (const std::string& process : order) {
    const int number = wanted->at(process);
    const auto awaited = co_await members_.await_processes(app, run->manifest, process, run);
    if (!awaited) co_return awaited;
    const int first = std::min(number, run->manifest->spec.deploy.canary.instances);
    for (int each = 1; each <= first; ++each) {
      const InstanceId id{app->name(), process, each, run->row.release};
      auto started = co_await members_.start(app, run->manifest, id);
      if (!started) co_return started;
    }
  }
  co_return Result<void>();
}

/// What a crash left: instances that run are adopted, those of the release that goes that do not run are forgotten, and so is what nobody wants.
awaitable<Result<void>> Engine::take_stock(AppPtr app, Rolling what, std::map<std::string, int> wanted) {
  std::vector<InstanceId> useless;
  const auto members = app->members;
  for (const Member& member : members) {
    const InstanceId id = member.id();
    const bool comes = id.release == what.to->release;
    const auto number = wanted.find(id.process);
    const bool surplus = comes && (number == wanted.end() || id.number > number->second);
    const bool ended = !comes && !node_.supervisor.status(id);
    if (surplus || (ended && !member.row.paused)) {
      useless.push_back(id);
      continue;
    }
    const auto manifest = co_await node_.manifest_of(app, id.release);
    if (!manifest) continue;
    auto adopted = co_await members_.start(app, *manifest, id);
    if (!adopted && comes && !what.insist) co_return adopted;
    if (!adopted) note_problem(*app, adopted.error().message);
  }
  co_await await_verdicts(app, std::min(what.rules.ready_timeout, milliseconds(kVerdicts)));
  co_await members_.stop(app, std::move(useless), 0ms);
  co_return Result<void>();
}

/// What runs was adopted, and of none of it is known yet whether it is ready: a route by what is known first would lead all to one.
awaitable<void> Engine::await_verdicts(AppPtr app, milliseconds at_most) {
  const auto end = Steady::now() + at_most;
  const auto is_open = [this](const Member& member) {
    const auto status = node_.supervisor.status(member.id());
    return status && !status->judged;
  };
  while (!node_.closed && std::ranges::any_of(app->members, is_open)) {
    const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
    if (left <= 0ms) co_return;
    co_await app->changed.wait(std::min(left, milliseconds(kLookForVerdicts)));
  }
}

/// Ready instances of the release that comes enter the route; how many did.
awaitable<Result<int>> Engine::join_ready(AppPtr app, std::string release) {
  int joined = 0;
  for (Member& member : app->members) {
    if (member.row.release != release || member.joined || member.leaving || release == app->routed) continue;
    const auto status = node_.supervisor.status(member.id());
    if (!status || !status->ready) continue;
    member.joined = true;
    ++joined;
  }
  if (joined == 0) co_return 0;
  auto routed = co_await routes_.lead(app);
  if (!routed) co_return std::unexpected(routed.error());
  co_return joined;
}

/// What may be done now, and how far it is.
Engine::Round Engine::next_round(const App& app, const Rolling& what, const std::map<std::string, int>& wanted) const {
  Round round;
  const auto comes_now = [&](const std::string& process) {  // where those that it comes after are there, one of each at least
    return std::ranges::all_of(what.to->spec.processes.at(process).after, [&](const std::string& before) {
      return wanted.at(before) == 0 || std::ranges::any_of(app.members, [&](const Member& member) {
               const auto status = member.row.process == before && member.row.release == what.to->release ? node_.supervisor.status(member.id()) : std::nullopt;
               return status && status->ready;
             });
    });
  };
  for (const auto& [process, number] : wanted) {
    Replacing now{.wanted = number};
    std::vector<InstanceId> ready, unready;
    std::set<int> taken;
    bool any_ready = number == 0;
    for (const Member& member : app.members) {
      if (member.row.process != process) continue;
      const InstanceId id = member.id();
      const auto status = node_.supervisor.status(id);
      const bool is_ready = status && status->ready, serving = is_ready && may_serve(app, member);
      if (id.release != what.to->release) {
        ++now.old_all;
        now.old_ready += serving;
        (serving ? ready : unready).push_back(id);
        continue;
      }
      ++now.new_all;
      now.new_serving += serving || member.row.paused;  // what was stopped by hand is nobody's to wait for
      taken.insert(id.number);
      any_ready = any_ready || is_ready;
      round.ready += is_ready;
      if (is_ready || member.row.paused) continue;
      if (round.missing.empty()) round.missing = fmt::format("{}: {}", short_name(id), status ? status->not_ready : "it does not run");
      if (status && round.hopeless.empty()) round.hopeless = why_hopeless(*status);
    }
    round.wanted += number;
    now = with_limits(now, what.rules);
    round.done = round.done && now.done();
    round.each_ready = round.each_ready && any_ready;
    const Step step = next_step(now);
    for (int each = 1, left = comes_now(process) ? step.start : 0; each <= number && left > 0; ++each) {
      if (taken.contains(each)) continue;
      round.start.push_back({app.name(), process, each, what.to->release});
      --left;
    }
    for (auto* ids : {&unready, &ready}) {
      std::ranges::sort(*ids, std::greater(), &InstanceId::number);
      ids->resize(static_cast<std::size_t>(ids == &unready ? step.stop_unready : step.stop_ready));
      round.stop.insert(round.stop.end(), ids->begin(), ids->end());
    }
  }
  return round;
}

/// Replaces the instances of every other release by those of `what.to`, a few at a time; returns when all of them serve. What is only in the release that goes
/// stays. Fails when it takes longer than `ready_timeout` that the next one is ready, or one will not be, or one that serves already gives trouble.
awaitable<Result<void>> Engine::roll(AppPtr app, RunPtr run, Rolling what) {
  const auto wanted = co_await members_.wanted_by_process(app, what.to);
  if (!wanted) co_return std::unexpected(wanted.error());
  if (run->resumed) {
    auto stock = co_await take_stock(app, what, *wanted);
    if (!stock) co_return stock;
    run->resumed = false;
  }
  auto end = Steady::now() + what.rules.ready_timeout;
  while (!node_.closed) {
    bool moved = false;
    if (!what.until_first) {
      const auto joined = co_await join_ready(app, what.to->release);
      if (!joined && !what.insist) co_return std::unexpected(joined.error());
      moved = joined && *joined > 0;
    }
    const Round round = next_round(*app, what, *wanted);
    if (!what.insist && (run->ready != round.ready || run->wanted != round.wanted)) {
      run->ready = round.ready;
      run->wanted = round.wanted;
      run->changed.notify();
    }
    if (what.until_first ? round.each_ready : round.done) co_return Result<void>();
    if (!what.insist && !run->trouble.empty()) co_return fail(Errc::io, run->trouble);
    if (!what.insist && !round.hopeless.empty()) co_return fail(Errc::io, round.hopeless);
    if (!run->position.decided && !run->cancelled_by.empty()) co_return fail(Errc::cancelled, "cancelled by " + run->cancelled_by);
    for (const InstanceId& id : round.start) {
      auto started = co_await members_.start(app, what.to, id);
      if (!started) co_return started;
      moved = true;
    }
    if (!round.stop.empty()) {
      co_await members_.stop(app, round.stop, what.drain);
      moved = true;
    }
    if (moved) end = Steady::now() + what.rules.ready_timeout;
    const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
    if (left <= 0ms) co_return fail(Errc::timeout, fmt::format("not ready within {}: {}", spec::to_string(what.rules.ready_timeout), round.missing));
    if (!moved) co_await app->changed.wait(left);
  }
  co_return fail(Errc::cancelled, "berthd stops");
}

/// A canary serves beside the release before; then its bake.
awaitable<Result<void>> Engine::bake_canary(AppPtr app, RunPtr run) {
  const milliseconds at_most = run->manifest->spec.deploy.ready_timeout;
  const auto ready = co_await members_.wait_ready(app, run->row.release, run, at_most);  // hooks ran since
  if (!ready) co_return ready;
  const auto joined = co_await join_ready(app, run->row.release);
  if (!joined) co_return std::unexpected(joined.error());
  auto baked = co_await bake(app, run);
  co_return baked;
}

/// The rolling of this deployment, to its own release.
Engine::Rolling Engine::rolling_of(const Run& run, milliseconds drain) const {
  return {.to = run.manifest, .rules = run.manifest->spec.deploy, .drain = drain};
}

}  // namespace berth::deploy
