#include "daemon/deploy/trouble_judge.h"

#include <algorithm>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "core/logs/record_time.h"
#include "daemon/deploy/app_facts.h"

namespace berth::deploy {
namespace {

constexpr std::string_view kBefore = "troubles_before", kOfBake = "bake", kOfCanary = "canary", kInstances = "instances", kNow = "troubles";

const boost::json::object* object_in(const boost::json::object& in, std::string_view name) {
  const auto* member = in.if_contains(name);
  return member == nullptr ? nullptr : member->if_object();
}

int instances_of(const App& app, const std::string& release) {
  return static_cast<int>(std::ranges::count_if(app.members, [&](const Member& member) { return member.row.release == release && !member.row.paused; }));
}

const char* when_of(const Run& run) {
  if (run.position.state == State::canary) return "in the canary's bake";
  if (run.position.state == State::baking) return "in its bake";
  return run.course.gradual ? "while instances were replaced" : "after the switch, before its bake";
}

/// When its instances ended last, of those that did.
std::map<std::string, std::string> last_exits_of(const Node& node, const App& app, const std::string& release) {
  std::map<std::string, std::string> last;
  for (const InstanceId& id : members_of(app, release))
    if (const auto status = node.supervisor.status(id); status && status->last_exit) last[to_string(id)] = status->last_exit->at;
  return last;
}

/// What the release before did in a time as long as the state that the deployment is in.
TroubleCounts before_of(const Run& run, State state) {
  const auto* before = object_in(run.row.detail, kBefore);
  const auto* counts = before == nullptr ? nullptr : object_in(*before, state == State::canary ? kOfCanary : kOfBake);
  return counts == nullptr ? TroubleCounts() : counts_in(*counts);
}

/// For the canary, its share of that.
int allowed_of(const App& app, const Run& run, Trouble kind) {
  const State state = run.position.state;
  const int times = before_of(run, state).of(kind);
  const auto* before = object_in(run.row.detail, kBefore);
  const auto* instances = before == nullptr ? nullptr : before->if_contains(kInstances);
  if (state != State::canary || instances == nullptr || !instances->is_int64()) return times;
  return allowed_times(times, instances_of(app, run.row.release), static_cast<int>(instances->get_int64()));
}

/// Whether what the instance does tells against a deployment. Where instances are replaced a few at a time, one counts from when it serves.
bool is_judged_now(const App& app, const InstanceId& id) {
  if (!app.run || id.release != app.run->row.release || !app.run->trouble.empty() || !is_judged(*app.run)) return false;
  return app.run->position.state != State::switching || !app.run->course.gradual || is_routed(app, id);
}

}  // namespace

bool is_judged(const Run& run) {
  return (run.position.decided || run.position.state == State::canary) && run.troubles.state == to_string(run.position.state) && !bake_waits(run);
}

void count_troubles_again(Run& run) {
  run.troubles.counts = {};
  run.row.detail[kNow] = to_json(run.troubles);
}

awaitable<void> TroubleJudge::note_before(AppPtr app, RunPtr run) {
  if (run->interruptions > 0 && run->row.detail.contains(kBefore)) co_return;
  run->row.detail.erase(kBefore);
  if (run->is_revert() || !run->course.has_previous || run->row.from.empty()) co_return;
  const spec::Deploy& rules = run->manifest->spec.deploy;
  const std::vector<store::Event> told = co_await told_before(app, std::max(rules.bake.duration, rules.canary.bake));
  const auto count = [&](milliseconds within) {
    TroubleCounts counts = app->troubles.since(run->row.from, io::Steady::now() - within);
    const auto since = std::chrono::system_clock::now() - within;
    for (const store::Event& event : told)
      if (const auto kind = trouble_told(event, run->row.from, since)) ++counts.of(*kind);
    for (const InstanceId& id : members_of(*app, run->row.from))
      if (const auto status = node_.supervisor.status(id); status && status->crash_loop) counts.crash_loop = true;
    return to_json(counts);
  };
  boost::json::object before{{kOfBake, count(rules.bake.duration)}, {kOfCanary, count(rules.canary.bake)}, {kInstances, instances_of(*app, run->row.from)}};
  run->row.detail[kBefore] = std::move(before);
}

/// What happened before this berthd began, or while none was there. Nothing where that is longer ago.
awaitable<std::vector<store::Event>> TroubleJudge::told_before(AppPtr app, milliseconds within) {
  std::vector<store::Event> told;
  if (io::Steady::now() - within > began_) co_return told;
  const auto since = logs::format_rfc3339(std::chrono::system_clock::now() - within, 6);
  const auto look = [this, name = app->name(), since] { return node_.store.events_between(name, since, {}); };
  const auto events = co_await node_.pool.run(look);
  if (!events) {
    spdlog::warn("{}: what its instances did before berthd began cannot be read, and a new release is compared with nothing of it: {}", app->name(), events.error().message);
    co_return told;
  }
  for (const store::Event& event : *events)
    if (event.number <= last_before_ || event.data.contains("missed")) told.push_back(event);
  co_return told;
}

void TroubleJudge::begin(const App& app, Run& run) const {
  run.troubles = {.state = std::string(to_string(run.position.state)), .counts = {}, .last_exits = last_exits_of(node_, app, run.row.release)};
  run.row.detail[kNow] = to_json(run.troubles);
}

void TroubleJudge::on_change(App& app, const supervise::InstanceChange& change) {
  using Kind = supervise::InstanceChange::Kind;
  if (change.exit && app.run && change.id.release == app.run->row.release) app.run->troubles.last_exits[to_string(change.id)] = change.exit->at;
  if (app.quiet > 0 || change.stopped || change.kind == Kind::started || change.kind == Kind::ready || change.exit_follows) return;
  const auto status = node_.supervisor.status(change.id);
  if (change.kind == Kind::ended) return judge_end(app, change.id);
  // It ended, or is ended since its keeper is gone, which is told by itself.
  if (change.kind == Kind::unready && (!status || status->pid == 0 || status->phase == supervise::Phase::lost)) return;
  const Trouble kind = change.exit ? trouble_of(*change.exit) : change.kind == Kind::unready ? Trouble::unready : Trouble::ended;
  const auto member = std::ranges::find(app.members, change.id, &Member::id);
  if (member != app.members.end() && !member->leaving)
    app.troubles.add(kind, change.id.release, status && status->crash_loop && kind != Trouble::unready, io::Steady::now());
  if (!is_judged_now(app, change.id)) return;
  const std::string what = change.exit ? change.exit->reason : change.reason;
  judge(app, change.id, kind, change.kind == Kind::unready ? "was no longer ready: " + what : what);
}

/// Counts what an instance of the release in its bake did, and says whether that is more than the release before did.
void TroubleJudge::judge(App& app, const InstanceId& id, Trouble kind, std::string what) {
  Run& run = *app.run;
  const State state = run.position.state;
  const int times = ++run.troubles.counts.of(kind);
  run.row.detail[kNow] = to_json(run.troubles);
  run.unsaved = true;
  const int most = allowed_of(app, run, kind);
  const auto status = node_.supervisor.status(id);
  const bool loops = kind != Trouble::unready && status && status->crash_loop && !before_of(run, state).crash_loop;
  const std::string told = fmt::format("{} {} {}", short_name(id), what, when_of(run));
  if (loops && times <= most) run.trouble = fmt::format("{}, and keeps ending early, which no instance of {} did before", told, run.row.from);
  else if (times > most && most == 0) run.trouble = told;
  else if (times > most) run.trouble = fmt::format("{}: instances {} {} times, and those of {} {} times in as long a time before", told, said_of(kind), times, run.row.from, most);
  else if (times == 1) run.to_note.push_back(fmt::format("{}, which reverts nothing yet: instances of {} {} {} times in as long a time before", told, run.row.from, said_of(kind), most));
  run.changed.notify();
}

/// One that is not started again is missing from now on, however often those of the release before ended and came back.
void TroubleJudge::judge_end(App& app, const InstanceId& id) {
  const auto status = node_.supervisor.status(id);
  if (!is_judged_now(app, id) || !status) return;
  if (status->phase != supervise::Phase::ended) return;
  app.run->trouble = fmt::format("{}, {}", why_hopeless(*status), when_of(*app.run));
  app.run->changed.notify();
}

/// By what is known of each instance's last end, not by when that was: the clock may have been set since.
void TroubleJudge::look_back(App& app) {
  Run& run = *app.run;
  if (run.troubles.state != to_string(run.position.state)) return begin(app, run);  // by a berthd before, which kept nothing
  if (bake_waits(run)) {
    run.troubles.last_exits = last_exits_of(node_, app, run.row.release);
    run.row.detail[kNow] = to_json(run.troubles);
    return;
  }
  for (const InstanceId& id : members_of(app, run.row.release)) {
    const auto status = node_.supervisor.status(id);
    if (!run.trouble.empty()) return;
    if (!status || !status->last_exit || status->last_exit->kind.empty()) continue;  // it was to end
    std::string& known = run.troubles.last_exits[to_string(id)];
    if (known == status->last_exit->at) continue;
    known = status->last_exit->at;
    judge(app, id, trouble_of(*status->last_exit), status->last_exit->reason);
    if (run.trouble.empty()) judge_end(app, id);
  }
}

awaitable<Result<void>> TroubleJudge::whole_after(AppPtr app, RunPtr run) {
  const State state = run->position.state;
  const milliseconds at_most = run->manifest->spec.deploy.ready_timeout;
  const auto end = io::Steady::now() + at_most;
  const bool was_as_bad = before_of(*run, state).crash_loop;
  while (!was_as_bad && !run->is_revert()) {
    std::string missing;
    for (const InstanceId& id : members_of(*app, run->row.release)) {
      const auto status = node_.supervisor.status(id);
      if (missing.empty() && !is_paused(*app, id) && !(status && status->ready)) missing = fmt::format("{}: {}", short_name(id), status ? status->not_ready : "it does not run");
    }
    if (missing.empty()) break;
    const bool rests = state == State::baking && (app->row.stopped || node_.drained);
    const bool is_cancelled = !run->cancelled_by.empty() && !run->position.decided;
    if (node_.closed || rests || is_cancelled || !run->trouble.empty() || !run->superseded.empty()) co_return fail(Errc::cancelled, "cancelled");
    const auto left = std::chrono::ceil<milliseconds>(end - io::Steady::now());
    if (left <= milliseconds(0)) co_return fail(Errc::timeout, fmt::format("not ready within {}: {}", spec::to_string(at_most), missing));
    co_await app->changed.wait(left);
  }
  co_return Result<void>();
}

awaitable<void> TroubleJudge::save(RunPtr run) {
  run->unsaved = false;
  const auto write = [this, row = run->row] { static_cast<void>(node_.store.update_deployment(row, {})); };
  co_await node_.pool.run(write);
}

}  // namespace berth::deploy
