#include <algorithm>
#include <iterator>
#include <sstream>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include "core/bundle/manifest.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/ids.h"
#include "daemon/store/collection.h"
#include "daemon/store/mend.h"
#include "daemon/store/seal.h"
#include "daemon/store/state.h"

namespace berth::store {

namespace {

constexpr std::string_view kColumns =
    "SELECT app, release, manifest_sha256, bytes, sealed_at, pinned, verified_at, drifted, drift, signed_by, signing_keys FROM slots ";
constexpr std::size_t kMostTold = 20;  ///< drifted paths in an event

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
}

SlotRow read_slot(const Statement& row) {
  return {.app = row.text(0), .release = row.text(1), .manifest_sha256 = row.text(2), .bytes = static_cast<std::uint64_t>(row.integer(3)),
          .sealed_at = row.text(4), .pinned = row.integer(5) != 0, .verified_at = row.text(6), .drifted = static_cast<std::uint64_t>(row.integer(7)),
          .drift = row.text(8), .signed_by = row.text(9), .signing_keys = words_of(row.text(10))};
}

/// Slots whose removal a disk in trouble let fail halfway: their rows are gone.
Result<void> remove_unknown(const fs::path& folder, const std::vector<SlotRow>& known) {
  std::error_code failure;
  std::vector<fs::path> unknown;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure))
    if (std::ranges::find(known, entry->path().filename().string(), &SlotRow::release) == known.end()) unknown.push_back(entry->path());
  for (const fs::path& slot : unknown) BERTH_CHECK(files::remove_tree(slot));
  return {};
}

fs::path staging_of(const Paths& paths, std::int64_t deployment) { return paths.staging() / std::to_string(deployment); }

}  // namespace

Result<std::optional<SlotRow>> Store::State::slot(const std::string& name, const std::string& release) {
  return database.row(std::string(kColumns) + "WHERE app = ? AND release = ?", read_slot, name, release);
}

Result<std::vector<SlotRow>> Store::State::slots(const std::string& name) {
  return database.rows(std::string(kColumns) + of_app(name) + "ORDER BY sequence DESC", read_slot, name);
}

Result<void> Store::State::require_slot(const std::string& name, const std::string& release) {
  BERTH_TRY(const auto found, slot(name, release));
  if (!found) return fail(Errc::conflict, fmt::format("{0}@{1} is not on this node any more; 'berth deploy {0}@{1}' fetches it again", name, release));
  return {};
}

Result<void> Store::State::swap_current(const std::string& name) {
  BERTH_TRY(const auto row, app(name));
  const fs::path link = paths.current(name);
  std::error_code missing;
  const fs::path now = fs::read_symlink(link, missing);
  if (!row || row->active.empty()) {
    if (!fs::exists(fs::symlink_status(link, missing))) return {};
    BERTH_CHECK(files::remove_tree(link));
    return files::sync(link.parent_path());
  }
  const std::string target = "slots/" + row->active;
  if (now == target) return {};
  return files::swap_symlink(link, target);
}

Result<void> Store::swap_current(const std::string& app) {
  const std::lock_guard guard(state_->mutex);
  return state_->swap_current(app);
}

Result<fs::path> Store::make_staging(std::int64_t deployment) {
  const fs::path folder = staging_of(state_->paths, deployment);
  BERTH_CHECK(files::remove_tree(folder));
  if (::mkdir(folder.c_str(), 0755) != 0) return fail_errno("mkdir " + folder.string());
  return folder;
}

Result<void> Store::drop_staging(std::int64_t deployment) {
  return files::remove_tree(staging_of(state_->paths, deployment));
}

Result<void> Store::seal(std::int64_t deployment, SlotRow row, Event event) {
  if (!is_release_id(row.release)) return fail(Errc::usage, fmt::format("'{}' is no release id", row.release));
  const std::lock_guard trees(state_->trees);
  const std::lock_guard guard(state_->mutex);
  BERTH_CHECK(state_->require_app(row.app));
  const fs::path staged = staging_of(state_->paths, deployment);
  const fs::path slot = state_->paths.slot(row.app, row.release);
  BERTH_TRY(const auto known, state_->slot(row.app, row.release));
  if (known) {
    if (known->manifest_sha256 != row.manifest_sha256) {
      return fail(Errc::exists, fmt::format("{}@{} is on this node with another manifest ({}, not {}): release ids are never reused", row.app,
                                            row.release, known->manifest_sha256, row.manifest_sha256));
    }
    if (fs::is_directory(slot) && known->drifted == 0) return state_->remove_unlocked(staged);
  } else {
    BERTH_CHECK(state_->remove_unlocked(slot));  // of a sealing whose row was not written
  }
  if (::chmod(staged.c_str(), 0555) != 0) return fail_errno("chmod " + staged.string());
  if (auto synced = state_->unlocked([&] { return sync_tree(staged); }); !synced) return pass(synced.error(), fmt::format("sync {}@{}", row.app, row.release));
  if (known && known->drifted > 0) return state_->mend_slot(*known, staged);
  // On a full disk a slot that nobody knows of would be the last that is wanted.
  const auto undo = [&] {
    if (const auto there = state_->slot(row.app, row.release); there && !there->has_value()) static_cast<void>(state_->remove_unlocked(slot));
  };
  if (auto renamed = files::rename_durably(staged, slot); !renamed) {
    undo();
    return renamed;
  }
  if (known) return {};

  if (row.sealed_at.empty()) row.sealed_at = now_text();
  std::vector<Event> events;
  events.push_back(std::move(event));
  auto written = state_->change(std::move(events), [&] {
    return state_->database.run("INSERT INTO slots (app, release, manifest_sha256, bytes, sealed_at, pinned, signed_by, signing_keys) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                                row.app, row.release, row.manifest_sha256, static_cast<std::int64_t>(row.bytes), row.sealed_at, std::int64_t{row.pinned},
                                row.signed_by, fmt::format("{}", fmt::join(row.signing_keys, " ")));
  });
  if (!written) undo();
  return written;
}

/// What runs in the slot goes on in it. Should berthd end in between, the slot still counts as drifted, and is mended or compared anew.
Result<void> Store::State::mend_slot(const SlotRow& known, const fs::path& staged) {
  const fs::path slot = paths.slot(known.app, known.release);
  if (fs::is_directory(fs::symlink_status(slot))) {
    const auto mend = [&]() -> Result<void> {
      BERTH_CHECK(mend_tree(staged, slot));
      return sync_tree(slot);
    };
    BERTH_CHECK(unlocked(mend));
  } else {
    BERTH_CHECK(remove_unlocked(slot));
    BERTH_CHECK(files::rename_durably(staged, slot));
  }
  std::vector<Event> told;
  told.push_back({.number = 0, .at = {}, .kind = "slot.repaired", .app = known.app, .data = {{"release", known.release}, {"drifted", known.drifted}}});
  BERTH_CHECK(change(std::move(told), [&] {
    return database.run("UPDATE slots SET verified_at = ?, drifted = 0, drift = '' WHERE app = ? AND release = ?", now_text(), known.app, known.release);
  }));
  return remove_unlocked(staged);
}

Result<void> Store::note_verdict(const SlotRow& row, const Verdict& verdict) {
  const std::lock_guard guard(state_->mutex);
  BERTH_TRY(const auto known, state_->slot(row.app, row.release));
  if (!known) return fail(Errc::not_found, fmt::format("{}@{} was removed from this node meanwhile", row.app, row.release));
  if (known->verified_at != row.verified_at || known->sealed_at != row.sealed_at) return {};
  const std::string first = verdict.drift.empty() ? std::string() : verdict.drift.front().path + ": " + verdict.drift.front().what;
  std::vector<Event> events;
  if (verdict.drifted != known->drifted || first != known->drift) {
    boost::json::array told;
    for (std::size_t i = 0; i < std::min(verdict.drift.size(), kMostTold); ++i) told.emplace_back(verdict.drift[i].path + ": " + verdict.drift[i].what);
    boost::json::object data{{"release", row.release}, {"drifted", verdict.drifted}};
    if (!told.empty()) data["paths"] = std::move(told);
    events.push_back({.number = 0, .at = {}, .kind = verdict.drifted > 0 ? "slot.drifted" : "slot.whole", .app = row.app, .data = std::move(data)});
  }
  return state_->change(std::move(events), [&] {
    return state_->database.run("UPDATE slots SET verified_at = ?, drifted = ?, drift = ? WHERE app = ? AND release = ?", now_text(),
                                static_cast<std::int64_t>(verdict.drifted), first, row.app, row.release);
  });
}

Result<std::vector<SlotRow>> Store::slots(const std::string& app) {
  const std::lock_guard guard(state_->mutex);
  return state_->slots(app);
}

Result<std::optional<SlotRow>> Store::slot(const std::string& app, const std::string& release) {
  const std::lock_guard guard(state_->mutex);
  return state_->slot(app, release);
}

Result<void> Store::set_pinned(const std::string& app, const std::string& release, bool pinned, Event event) {
  const std::lock_guard guard(state_->mutex);
  BERTH_TRY(const auto known, state_->slot(app, release));
  if (!known) return fail(Errc::not_found, fmt::format("{0}@{1} is not on this node; 'berth releases {0}' lists what is", app, release));
  if (known->pinned == pinned) return {};  // no event either
  std::vector<Event> events;
  events.push_back(std::move(event));
  return state_->change(std::move(events), [&] {
    return state_->database.run("UPDATE slots SET pinned = ? WHERE app = ? AND release = ?", std::int64_t{pinned}, app, release);
  });
}

Result<bundle::Manifest> Store::manifest(const std::string& app, const std::string& release) {
  BERTH_TRY(const auto known, slot(app, release));
  if (!known) return fail(Errc::not_found, fmt::format("{}@{} is not on this node", app, release));
  const fs::path file = paths().slot(app, release) / "manifest.json";
  BERTH_TRY(const std::string text, files::read(file, bundle::kLargestManifest));
  if (crypto::sha256_hex(text) != known->manifest_sha256)
    return fail(Errc::trust, fmt::format("{} is not what was sealed (its SHA-256 differs): remove {}@{} and deploy it again", file.string(), app, release));
  auto manifest = bundle::parse_manifest(text);
  if (!manifest) return pass(manifest.error(), file.string());
  return manifest;
}

InUse Store::use(const std::string& app, const std::vector<std::string>& releases) { return state_->uses.add(app, releases); }

Result<std::vector<SlotFate>> Store::collect(const std::string& app, const std::vector<std::string>& in_use, const Keep& keep, bool dry_run) {
  const std::lock_guard trees(state_->trees);
  const std::lock_guard guard(state_->mutex);
  BERTH_CHECK(state_->require_app(app));
  if (!dry_run) {
    BERTH_TRY(const auto known, state_->slots(app));
    BERTH_CHECK(state_->unlocked([&] { return remove_unknown(state_->paths.app(app) / "slots", known); }));
  }
  // From here until the rows are gone nobody else gets at the database: who is to use a release says so first, and looks for its slot then.
  BERTH_TRY(const auto all, state_->slots(app));
  BERTH_TRY(const auto row, state_->app(app));
  if (!row) return fail(Errc::not_found, fmt::format("app {} is not on this node", app));
  const auto release_of = [](const Statement& found) { return found.text(0); };
  Needs needs{.active = row->active, .previous = row->previous, .in_use = in_use};
  std::ranges::move(state_->uses.of(app), std::back_inserter(needs.in_use));
  BERTH_TRY(auto run_from, state_->database.rows("SELECT DISTINCT release FROM instances WHERE app = ?", release_of, app));
  std::ranges::move(run_from, std::back_inserter(needs.in_use));
  BERTH_TRY(needs.rejected, state_->database.rows("SELECT release FROM rejected WHERE app = ?", release_of, app));
  // Whoever went back may want what was left again, also where that is rejected now.
  BERTH_TRY(const auto replaced, state_->database.row(
                                     "SELECT from_release FROM deployments WHERE app = ? AND decided = 1 AND state = 'active' ORDER BY id DESC LIMIT 1", release_of, app));
  needs.replaced = replaced.value_or("");
  auto fates = judge_slots(all, needs, keep, keep.age.count() > 0 ? time_text(std::chrono::system_clock::now() - keep.age) : std::string());
  if (dry_run) return fates;

  std::vector<SlotRow> going;
  std::vector<Event> events;
  for (const SlotFate& fate : fates) {
    if (!fate.goes) continue;
    going.push_back(fate.slot);
    events.push_back({.number = 0, .at = {}, .kind = "slot.removed", .app = app,
                      .data = {{"release", fate.slot.release}, {"bytes", fate.slot.bytes}, {"reason", fate.why.front()}}});
  }
  if (going.empty()) return fates;
  const auto remove_rows = [&]() -> Result<void> {
    for (const SlotRow& slot : going) BERTH_CHECK(state_->database.run("DELETE FROM slots WHERE app = ? AND release = ?", app, slot.release));
    return {};
  };
  BERTH_CHECK(state_->change(std::move(events), remove_rows));
  // Rows first: what a crash leaves is a slot without a row, which the next start removes.
  Result<void> gone;
  for (const SlotRow& slot : going)
    if (auto removed = state_->remove_unlocked(state_->paths.slot(app, slot.release)); !removed && gone) gone = std::move(removed);
  if (gone) return fates;
  state_->rests.try_emplace(app);
  return std::unexpected(gone.error());
}

}  // namespace berth::store
