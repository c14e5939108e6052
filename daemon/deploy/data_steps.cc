#include "daemon/deploy/data_steps.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "daemon/data/snapshot.h"
#include "daemon/deploy/app_facts.h"

// What becomes of an app's data folder in a deployment. A copy that a deployment made `before` it changed anything is what a revert of it puts back; the store
// says first what is to be and finishes it after a crash, and what is there already tells these steps, which may run twice, what is done.

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

constexpr int kMostLookedBack = 1000;  ///< deployments of an app

const store::DataCopy* copy_before(const std::vector<store::DataCopy>& copies, std::int64_t deployment) {
  const auto found = std::ranges::find_if(copies, [&](const store::DataCopy& copy) { return copy.before && copy.deployment == deployment; });
  return found == copies.end() ? nullptr : &*found;
}

bool ran_migration(const store::DeploymentRow& row) {
  const auto hooks = status_of(row).hooks;
  return std::ranges::any_of(hooks, [&](const HookRun& one) { return one.hook == "pre-start" && one.release == row.release; });
}

data::CopyLimits limits_of(const Run& run, std::uint64_t reserve) {
  return {.max_bytes = run.manifest->spec.data.max_bytes, .reserve_bytes = reserve, .stop = run.stop.get_token()};
}

/// A one-off command may write the data. Whoever runs it says when it may end; a deployment can be asked for again.
Result<void> no_exec_runs(const App& app) {
  if (app.execs.empty()) return {};
  const auto& [number, run] = *app.execs.begin();
  return fail(Errc::conflict, fmt::format("a one-off command runs (exec.{}{}{}, since {}) and may write the data, which are to be copied or put back: let it end, or "
                                          "end its 'berth exec', and deploy again",
                                          number, run.by.empty() ? "" : " of ", run.by, run.since));
}

/// Where a run's row has the copy that `plan_data` chose, so that it is known after a restart, too, and `berth gc` leaves it.
constexpr std::string_view kPutsBack = "puts_back";

std::string chosen_copy(const Run& run) {
  const auto* chosen = run.row.detail.if_contains(kPutsBack);
  return chosen != nullptr && chosen->is_string() ? std::string(chosen->get_string()) : std::string();
}

}  // namespace

awaitable<Result<void>> finish_pending_data(Node& node, AppPtr app) {
  const store::DataMove pending{.app = app->name()};
  const auto finish = [&node, pending] { return node.store.put_data_back(pending); };
  auto finished = co_await node.pool.run(finish);
  if (!finished) co_return pass(finished.error(), app->name() + ": a move of its data that was begun cannot be finished, and nothing of it starts before that");
  co_return finished;
}

/// Processes of an instance that was stopped before, and that do not end, may write the data still, whichever berthd stopped it.
awaitable<Result<void>> DataSteps::nobody_left_behind(AppPtr app) {
  const auto left = co_await node_.supervisor.left_behind(app->name());
  if (left.empty()) co_return Result<void>();
  co_return fail(Errc::timeout, fmt::format("{}: processes of it do not end ({}), and may write its data still: no copy of them would be whole. Find out what they "
                                            "wait for (a disk or network file system that hangs?), or restart the machine",
                                            app->name(), fmt::join(left, "; ")));
}

awaitable<Result<Leaving>> DataSteps::leaving(AppPtr app, RunPtr run) {
  const auto look = [this, name = app->name(), target = run->row.release, own = run->row.id]() -> Result<Leaving> {
    BERTH_TRY(const auto deployments, node_.store.deployments(name, kMostLookedBack));
    BERTH_TRY(const auto copies, node_.store.data_copies(name));
    Leaving found;
    for (const store::DeploymentRow& row : deployments) {  // the newest first
      if (!row.decided || row.id == own) continue;
      if (found.migrated.empty() && row.state != "reverted" && ran_migration(row)) found.migrated = row.app + "@" + row.release;
      if (row.from != target) continue;
      found.deployment = row.id;
      if (const auto* copy = copy_before(copies, row.id)) found.copy = *copy;
      return found;
    }
    return Leaving{};
  };
  auto found = co_await node_.pool.run(look);
  co_return found;
}

awaitable<Result<void>> DataSteps::plan(AppPtr app, RunPtr run) {
  auto finished = co_await finish_pending_data(node_, app);
  if (!finished) co_return finished;
  run->row.detail.erase(kPutsBack);
  run->row.detail.erase("puts_back_of");
  if (!run->course.has_previous) co_return Result<void>();
  if (run->is_revert()) {
    const auto left = co_await leaving(app, run);
    if (!left) co_return std::unexpected(left.error());
    const bool puts_back = left->copy && !run->keep_data;
    if (puts_back) {
      run->row.detail[kPutsBack] = left->copy->folder;
      run->row.detail["puts_back_of"] = left->copy->deployment;
      auto possible = co_await may_put_back(app, run);
      co_return possible;
    }
    if (!left->migrated.empty()) {
      const std::string why = run->keep_data ? "--keep-data was said" : "there is no copy of them from before";
      const std::string text = fmt::format("the pre-start hook of {} may have migrated the data, and they stay as they are: {}", left->migrated, why);
      co_await node_.note(run, text);
    }
  }
  if (!run->manifest->spec.data.snapshot) co_return Result<void>();
  auto possible = co_await may_copy(app, run);
  co_return possible;
}

awaitable<Result<void>> DataSteps::may_put_back(AppPtr app, RunPtr run) {
  if (auto free = no_exec_runs(*app); !free) co_return free;
  run->course.stop_first = true;
  auto alone = co_await nobody_left_behind(app);
  co_return alone;
}

awaitable<Result<void>> DataSteps::may_copy(AppPtr app, RunPtr run) {
  const auto alone = co_await may_put_back(app, run);
  if (!alone) co_return alone;
  const auto look = [folder = node_.store.paths().data(app->name()), limits = limits_of(*run, node_.options.stage.reserve_bytes)] { return data::may_snapshot(folder, limits); };
  auto possible = co_await node_.pool.run(look);
  co_return possible;
}

awaitable<Result<void>> DataSteps::arrange(AppPtr app, RunPtr run) {
  auto finished = co_await finish_pending_data(node_, app);
  if (!finished) co_return finished;
  const auto list = [this, name = app->name()] { return node_.store.data_copies(name); };
  const auto copies = co_await node_.pool.run(list);
  if (!copies) co_return std::unexpected(copies.error());
  Result<void> done;
  if (copy_before(*copies, run->row.id) == nullptr) {  // else it was done before berthd ended
    std::optional<store::DataCopy> back;
    if (run->is_revert() && !run->keep_data) {
      auto left = co_await leaving(app, run);
      if (!left) co_return std::unexpected(left.error());
      back = std::move(left->copy);
      const std::string chosen = chosen_copy(*run);
      if (!chosen.empty() && (!back || back->folder != chosen))
        co_return fail(Errc::not_found, fmt::format("{}: the copy of its data that was to be put back, {}, is gone", app->name(), chosen));
    }
    if (!back && !run->manifest->spec.data.snapshot) co_return done;
    const NoExecs no_execs(app);
    co_await execs_.end_all(app);  // that began since `plan_data` looked
    auto alone = co_await nobody_left_behind(app);
    if (!alone) co_return alone;
    if (back) {
      const store::DataMove move{.app = app->name(), .folder = back->folder, .aside = fmt::format("data.{}", run->row.id), .deployment = run->row.id,
                                 .release = run->row.from, .before = true};
      done = co_await put_back(app, run, move);
    } else {
      done = co_await take_snapshot(app, run);
    }
  }
  if (done) co_await note_data(app, run);
  co_return done;
}

awaitable<Result<void>> DataSteps::take_snapshot(AppPtr app, RunPtr run) {
  const store::DataCopy copy{.app = app->name(), .folder = fmt::format("snapshot.{}", run->row.id), .deployment = run->row.id, .release = run->row.from, .before = true,
                             .method = "copy", .since = {}, .at = store::now_text()};
  const auto work = [this, copy, data = node_.store.paths().data(app->name()), limits = limits_of(*run, node_.options.stage.reserve_bytes)]() -> Result<void> {
    BERTH_TRY(const std::filesystem::path folder, node_.store.begin_data_copy(copy));
    const auto taken = data::take_snapshot(data, folder, limits);
    if (!taken) {
      static_cast<void>(node_.store.drop_data_copy(copy.app, copy.folder));
      return std::unexpected(taken.error());
    }
    store::DataCopy made = copy;
    made.method = to_string(taken->method);
    made.bytes = taken->bytes;
    return node_.store.keep_data_copy(made, {.number = 0, .at = {}, .kind = "data.copied", .app = made.app,
                                        .data = {{"deployment", made.deployment}, {"release", made.release}, {"folder", made.folder}, {"method", made.method},
                                                 {"bytes", made.bytes}}});
  };
  const Visits::Visit visit = co_await copies_.begin();
  auto taken = co_await node_.pool.run(work);
  co_return taken;
}

/// A copy becomes the data; what they were is kept.
awaitable<Result<void>> DataSteps::put_back(AppPtr app, RunPtr run, store::DataMove move) {
  const auto work = [this, move] { return node_.store.put_data_back(move); };
  auto put = co_await node_.pool.run(work);
  if (put) spdlog::info("{}: deployment {} put {} in the place of its data, which are kept as {}", app->name(), run->row.id, move.folder, move.aside);
  co_return put;
}

/// Says what this deployment did with the data, as the store has it.
awaitable<void> DataSteps::note_data(AppPtr app, RunPtr run) {
  const auto list = [this, name = app->name()] { return node_.store.data_copies(name); };
  const auto copies = co_await node_.pool.run(list);
  if (!copies) co_return;
  for (const store::DataCopy& copy : *copies) {
    if (copy.deployment != run->row.id) continue;
    std::string text = fmt::format("data were copied ({}) at {}: a revert sets aside what is written since", copy.method, copy.at);
    if (copy.moved()) {
      const std::string whose = copy.before ? run->row.release : run->row.from;
      text = fmt::format("data are those of {}@{} again; what was written since {} is set aside in {} until 'berth gc {}', or until the next is set aside and a "
                         "deployment ends well", app->name(), whose, copy.since,
                         (node_.store.paths().app(app->name()) / copy.folder).string(), app->name());
    }
    co_await node_.note(run, text);
  }
}

awaitable<void> DataSteps::undo(AppPtr app, RunPtr run) {
  for (auto pause = 100ms; !node_.closed; pause = std::min(pause * 2, milliseconds(5000))) {
    auto undone = co_await undo_once(app, run);
    if (undone) co_return;
    note_problem(*app, undone.error().message);
    co_await io::sleep_for(pause);
  }
}

awaitable<Result<void>> DataSteps::undo_once(AppPtr app, RunPtr run) {
  // Only what is finished shows in the list of copies.
  auto finished = co_await finish_pending_data(node_, app);
  if (!finished) co_return finished;
  const auto list = [this, name = app->name()] { return node_.store.data_copies(name); };
  const auto copies = co_await node_.pool.run(list);
  if (!copies) co_return std::unexpected(copies.error());
  const store::DataCopy* copy = copy_before(*copies, run->row.id);
  const bool is_done = std::ranges::any_of(*copies, [&](const store::DataCopy& other) { return other.deployment == run->row.id && !other.before; });
  if (copy == nullptr && !is_done) {
    note_migration(*run);  // it is written with the revert
    co_return Result<void>();
  }
  if (copy != nullptr) {
    const NoExecs no_execs(app);
    co_await execs_.end_all(app);
    store::DataMove move{.app = app->name(), .folder = copy->folder, .aside = fmt::format("data.{}", run->row.id), .deployment = run->row.id,
                         .release = run->row.release};
    if (run->is_revert()) {
      // It had put back what the release had left, which so becomes again what a later revert to it finds.
      auto left = co_await leaving(app, run);
      if (!left) co_return std::unexpected(left.error());
      move.aside = fmt::format("snapshot.{}", left->deployment);
      move.deployment = left->deployment;
      move.before = true;
      move.method = "copy";
      std::erase_if(run->notes, [](const std::string& text) { return text.starts_with("data are those of "); });
    }
    auto put = co_await put_back(app, run, move);
    if (!put) co_return put;
  }
  co_await note_data(app, run);
  co_return Result<void>();
}

}  // namespace berth::deploy
