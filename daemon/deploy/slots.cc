#include "daemon/deploy/slots.h"

#include <algorithm>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "core/logs/record_time.h"
#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/idle_thread.h"
#include "daemon/fetch/sealed_release.h"
#include "daemon/journal/message.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using Wall = std::chrono::system_clock;

constexpr milliseconds kLongestNap{10 * 60'000};
constexpr milliseconds kShortestNap{100};
constexpr milliseconds kAfterTrouble{60'000};

/// What a person is told of a slot's drift on a line.
std::string drift_text(const store::Verdict& verdict) {
  const store::Drift& first = verdict.drift.front();
  return fmt::format("{} path{}, {}{}: {}", verdict.drifted, verdict.drifted == 1 ? "" : "s", verdict.drifted == 1 ? "" : "such as ", first.path, first.what);
}

void log_drift(const store::SlotRow& row, const std::string& drift) {
  journal::log(spdlog::level::warn, journal::Message::release_drifted, {.app = row.app, .release = row.release, .reason = drift},
               fmt::format("{}@{} is not as it was sealed any more: {}", row.app, row.release, drift));
}

/// When a slot is to be looked at again. Up to a tenth earlier than the period says, by its name: slots that came together do not stay together.
Wall::time_point due_at(const store::SlotRow& slot, milliseconds every) {
  const auto looked = logs::parse_rfc3339(slot.looked_at());
  if (!looked) return Wall::time_point();
  const auto early = every / 10 * static_cast<long>(std::hash<std::string>()(slot.app + slot.release) % 100) / 100;
  return store::due_after(std::chrono::time_point_cast<Wall::duration>(*looked), every, early, Wall::now());
}

}  // namespace

/// Compares a slot with what is signed.
awaitable<Result<store::Verdict>> Slots::compare(store::SlotRow row, bool idle) {
  const auto look = [path = node_.store.paths().slot(row.app, row.release), sha256 = row.manifest_sha256, stop = looking_.get_token(), idle] {
    if (idle) give_way();
    return store::verify_slot(path, sha256, stop);
  };
  io::Pool& pool = idle ? node_.idle : node_.pool;
  auto verdict = co_await pool.run(look);
  co_return verdict;
}

/// The same, and keeps what was found.
awaitable<Result<store::Verdict>> Slots::look_at(store::SlotRow row, bool idle) {
  auto verdict = co_await compare(row, idle);
  if (!verdict) co_return verdict;
  // Not by the idle thread: it would hold the store while it gives way.
  const auto note = [this, row, found = *verdict] { return node_.store.note_verdict(row, found); };
  auto noted = co_await node_.pool.run(note);
  if (!noted) co_return std::unexpected(noted.error());
  if (verdict->drifted > 0 && row.drifted == 0) log_drift(row, drift_text(*verdict));
  co_return verdict;
}

awaitable<Result<void>> Slots::require_whole(RunPtr run, store::SlotRow row) {
  run->drift.clear();
  auto verdict = co_await look_at(row, false);
  if (!verdict) co_return std::unexpected(verdict.error());
  if (verdict->drifted == 0) co_return Result<void>();
  run->course.on_node = false;
  run->drift = drift_text(*verdict);
  co_return Result<void>();
}

Result<void> Slots::fits(const std::string& app, const std::string& release, const std::string& manifest_sha256) const {
  BERTH_TRY(const auto slot, node_.store.slot(app, release));
  if (!slot) return {};
  return fetch::check_same_release({.app = app, .environment = node_.options.node.environment, .release = release}, slot->manifest_sha256, manifest_sha256);
}

awaitable<Result<void>> Slots::whole_or_repaired(AppPtr app, RunPtr run, std::string release) {
  struct Found {
    std::optional<store::SlotRow> row;
    bool may_have_changed = false;
  };
  const auto look = [this, name = app->name(), release]() -> Result<Found> {
    Found one;
    BERTH_TRY(one.row, node_.store.slot(name, release));
    one.may_have_changed = one.row && (one.row->drifted > 0 || store::shares_files(node_.store.paths().slot(name, release)));
    return one;
  };
  // The app goes back also where the disk takes, or tells, nothing for a while.
  Found found;
  const std::function<Result<void>()> find = [&look, &found]() -> Result<void> {
    BERTH_TRY(found, look());
    return {};
  };
  co_await node_.insist(app, find);
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  if (!found.row) {
    auto fetched = co_await repair(app, run, release);
    if (!fetched)
      co_return fail(fetched.error().code, fmt::format("{}@{} is not on this node any more, and could not be fetched again: {}", app->name(), release, fetched.error().message));
    co_return fetched;
  }
  if (!found.may_have_changed) co_return Result<void>();
  auto verdict = co_await compare(*found.row, false);
  if (!verdict) co_return std::unexpected(verdict.error());
  const std::function<Result<void>()> note = [this, row = *found.row, told = *verdict] { return node_.store.note_verdict(row, told); };
  if (verdict->drifted == 0) {  // which somebody else will find, too, where it cannot be written down
    static_cast<void>(co_await node_.pool.run(note));
    co_return Result<void>();
  }
  co_await node_.insist(app, note);  // what is staged takes the place of one that is known to have drifted
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  if (found.row->drifted == 0) log_drift(*found.row, drift_text(*verdict));
  const std::string drift = drift_text(*verdict);
  auto repaired = co_await repair(app, run, release);
  if (!repaired) {
    co_return fail(repaired.error().code, fmt::format("{}@{} is not as it was sealed any more ({}), and could not be repaired from the repository: {}",
                                                      app->name(), release, drift, repaired.error().message));
  }
  spdlog::info("{}@{} was repaired from the repository ({})", app->name(), release, drift);
  co_return Result<void>();
}

/// Stages a release that is on the node again, and puts that in its slot's place.
awaitable<Result<void>> Slots::repair(AppPtr app, RunPtr run, std::string release) {
  if (node_.repository == nullptr) co_return fail(Errc::not_found, "berthd.toml names no [repository]");
  const auto work = [this, name = app->name(), id = run->row.id, release]() -> Result<fetch::Staged> {
    fetch::Progress progress;
    const std::function<void(fetch::StagePhase)> nothing = [](fetch::StagePhase) {};
    const auto source = source_of(name, release);
    BERTH_TRY(const fetch::Resolved resolved, source->resolve(name, node_.options.node.environment, release, looking_.get_token()));
    BERTH_CHECK(fits(name, release, resolved.manifest_sha256));
    BERTH_TRY(const auto options, stage_options(name));
    BERTH_TRY(const std::filesystem::path staging, node_.store.make_staging(id));
    auto staged = fetch::stage(*source, resolved, staging, options, progress, nothing, looking_.get_token());
    if (staged) {
      const store::SlotRow row{.app = name, .release = release, .manifest_sha256 = resolved.manifest_sha256, .bytes = staged->tree_bytes,
                               .signed_by = staged->signers.role, .signing_keys = staged->signers.keys};
      BERTH_CHECK(node_.store.seal(id, row, {.number = 0, .at = {}, .kind = "slot.sealed", .app = name, .data = sealed_data(row, *staged)}));
      return staged;
    }
    static_cast<void>(node_.store.drop_staging(id));
    return std::unexpected(staged.error());
  };
  const Visits::Visit visit = co_await node_.visits.begin();
  auto done = co_await node_.pool.run(work);
  if (!done) co_return std::unexpected(done.error());
  count_fetched(app->name(), *done);
  for (const std::string& note : done->notes) spdlog::warn("{}@{}: {}", app->name(), release, note);
  co_return Result<void>();
}

awaitable<Result<Verified>> Slots::verify(VerifyRequest request) {
  if (!request.app.empty())
    if (const auto known = node_.known(request.app); !known) co_return std::unexpected(known.error());
  struct Chosen {
    std::vector<store::SlotRow> slots;
    std::size_t others = 0;
  };
  const auto list = [this, request]() -> Result<Chosen> {
    BERTH_TRY(const auto apps, node_.store.apps());
    Chosen chosen;
    for (const store::AppRow& app : apps) {
      if (!request.app.empty() && app.app != request.app) continue;
      const std::string wanted = request.release.empty() ? app.active : request.release;
      BERTH_TRY(const auto slots, node_.store.slots(app.app));
      for (const store::SlotRow& slot : slots) {
        if (request.all || slot.release == wanted) chosen.slots.push_back(slot);
        else ++chosen.others;
      }
    }
    if (chosen.slots.empty() && !request.release.empty())
      return fail(Errc::not_found, fmt::format("{}@{} is not on this node; 'berth releases {}' lists what is", request.app, request.release, request.app));
    return chosen;
  };
  const auto chosen = co_await node_.pool.run(list);
  if (!chosen) co_return std::unexpected(chosen.error());
  const Visits::Visit visit = co_await looks_.begin();
  Verified verified{.slots = {}, .others = chosen->others};
  for (const store::SlotRow& slot : chosen->slots) {
    auto verdict = co_await look_at(slot, false);
    if (!verdict && verdict.error().code == Errc::not_found && request.release.empty()) continue;  // collected meanwhile
    if (!verdict) co_return std::unexpected(verdict.error());
    verified.slots.push_back({.app = slot.app, .release = slot.release, .verdict = std::move(*verdict)});
  }
  co_return verified;
}

awaitable<void> Slots::watch() {
  const milliseconds every = node_.options.verify_every;
  if (every <= 0ms) co_return;
  const auto choose = [this, every]() -> Result<std::optional<store::SlotRow>> {
    std::optional<store::SlotRow> next;
    BERTH_TRY(const auto apps, node_.store.apps());
    for (const store::AppRow& app : apps) {
      BERTH_TRY(const auto slots, node_.store.slots(app.app));
      for (const store::SlotRow& slot : slots)
        if (!next || due_at(slot, every) < due_at(*next, every)) next = slot;
    }
    return next;
  };
  while (!node_.closed) {
    const auto next = co_await node_.pool.run(choose);
    if (node_.closed) co_return;
    milliseconds nap = std::clamp(every / 10, kShortestNap, kLongestNap);
    if (next && *next) {
      const auto left = std::chrono::duration_cast<milliseconds>(due_at(**next, every) - Wall::now());
      if (left <= 0ms) {
        const auto looked = co_await look_at(**next, true);
        nap = looked || looked.error().code == Errc::not_found ? kShortestNap : kAfterTrouble;
        if (!looked && looked.error().code != Errc::cancelled)
          spdlog::warn("{}@{} cannot be verified: {}", (*next)->app, (*next)->release, looked.error().message);
      } else {
        nap = std::clamp(left, kShortestNap, nap);
      }
    }
    co_await io::sleep_for(nap);
  }
}

std::shared_ptr<fetch::Repository> Slots::source_of(const std::string& app, const std::string& release) const {
  std::error_code ignored;
  const std::filesystem::path folder = node_.store.paths().import(app, release);
  if (!std::filesystem::exists(folder, ignored)) return {std::shared_ptr<void>(), node_.repository};
  fetch::RepositoryOptions options = node_.repository->options();
  options.url = folder.string();
  options.tls = {};
  options.partial_directory.clear();  // nothing is far away
  options.offline = true;
  return std::make_shared<fetch::Repository>(std::move(options));
}

Result<fetch::StageOptions> Slots::stage_options(const std::string& app) const {
  BERTH_TRY(const auto slots, node_.store.slots(app));
  fetch::StageOptions options = node_.options.stage;
  for (const store::SlotRow& slot : slots) options.sealed_slots.push_back(node_.store.paths().slot(slot.app, slot.release));
  return options;
}

void Slots::count_fetched(const std::string& app, const fetch::Staged& staged) {
  node_.counts.fetched[{app, "layer"}] += staged.layer_bytes;
  node_.counts.fetched[{app, "patch"}] += staged.patch_bytes;
  node_.counts.fetched[{app, "index"}] += staged.index_bytes;
}

}  // namespace berth::deploy
