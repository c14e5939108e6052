#include <limits>

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/json/json.h"
#include "daemon/store/state.h"

namespace berth::store {

namespace {

constexpr std::string_view kColumns =
    "SELECT id, app, release, kind, state, reason, from_release, decided, manifest_sha256, asked_by, why, idempotency_key, force, created_at, "
    "ended_at, bake_until_ms, detail FROM deployments ";

DeploymentRow read_deployment(const Statement& row) {
  DeploymentRow found{.id = row.integer(0), .app = row.text(1), .release = row.text(2), .kind = row.text(3), .state = row.text(4),
                      .reason = row.text(5), .from = row.text(6), .decided = row.integer(7) != 0, .manifest_sha256 = row.text(8),
                      .by = row.text(9), .why = row.text(10), .key = row.text(11), .force = row.integer(12) != 0,
                      .created_at = row.text(13), .ended_at = row.text(14), .bake_until_ms = row.integer(15), .detail = {}};
  if (auto detail = json::parse(row.text(16), {}, true); detail && detail->is_object()) found.detail = detail->as_object();
  return found;
}

Result<std::vector<DeploymentRow>> query(Database& database, std::string_view where, const auto&... values) {
  return database.rows(std::string(kColumns) + std::string(where), read_deployment, values...);
}

Result<std::optional<DeploymentRow>> first(Result<std::vector<DeploymentRow>> found) {
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return std::optional<DeploymentRow>();
  return std::optional(std::move(found->front()));
}

Result<void> insert(Database& database, const DeploymentRow& row) {
  return database.run(
      "INSERT INTO deployments (app, release, kind, state, reason, from_release, decided, manifest_sha256, asked_by, why, idempotency_key, force, "
      "created_at, ended_at, bake_until_ms, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      row.app, row.release, row.kind, row.state, row.reason, row.from, std::int64_t{row.decided}, row.manifest_sha256, row.by, row.why, row.key,
      std::int64_t{row.force}, row.created_at, row.ended_at, row.bake_until_ms, json::text(row.detail));
}

constexpr const char* kCancelledBy = "cancelled_by";
constexpr const char* kBeforeRevert = "before_revert";

/// The detail with what `note_cancel` and `hold_by_revert` wrote, which whoever made it may not know.
Result<std::string> detail_of(Database& database, const DeploymentRow& row) {
  BERTH_TRY(const auto before, first(query(database, "WHERE id = ?", row.id)));
  json::object detail = row.detail;
  for (const char* name : {kCancelledBy, kBeforeRevert})
    if (const auto* noted = before ? before->detail.if_contains(name) : nullptr) detail[name] = *noted;
  return json::text(detail);
}

Result<void> update(Database& database, const DeploymentRow& row) {
  BERTH_TRY(const std::string detail, detail_of(database, row));
  BERTH_CHECK(database.run(
      "UPDATE deployments SET app = ?, release = ?, kind = ?, state = ?, reason = ?, from_release = ?, decided = ?, manifest_sha256 = ?, "
      "asked_by = ?, why = ?, idempotency_key = ?, force = ?, created_at = ?, ended_at = ?, bake_until_ms = ?, detail = ? WHERE id = ?",
      row.app, row.release, row.kind, row.state, row.reason, row.from, std::int64_t{row.decided}, row.manifest_sha256, row.by, row.why, row.key,
      std::int64_t{row.force}, row.created_at, row.ended_at, row.bake_until_ms, detail, row.id));
  if (database.rows_changed() == 0) return fail(Errc::not_found, fmt::format("there is no deployment {}", row.id));
  return {};
}

/// Of a row of `apps`: the release that was found good last. Where there is none, the last one that served in its bake until a newer one took its place, but none that came after the active
/// release: to go back is never to go forward. Then what was active before, where no deployment tells how it did: the database was made anew.
constexpr std::string_view kReleaseBefore =
    "COALESCE("
    "(SELECT d.release FROM deployments d WHERE d.app = apps.app AND d.state = 'active' AND d.release <> apps.active "
    "AND EXISTS (SELECT 1 FROM slots s WHERE s.app = d.app AND s.release = d.release) "
    "AND NOT EXISTS (SELECT 1 FROM rejected r WHERE r.app = d.app AND r.release = d.release) ORDER BY d.id DESC LIMIT 1), "
    "(SELECT d.release FROM deployments d WHERE d.app = apps.app AND d.decided = 1 AND d.state IN ('baking', 'superseded') AND d.release <> apps.active "
    "AND EXISTS (SELECT 1 FROM slots s WHERE s.app = d.app AND s.release = d.release) "
    "AND NOT EXISTS (SELECT 1 FROM rejected r WHERE r.app = d.app AND r.release = d.release) "
    "AND d.id < COALESCE((SELECT MIN(o.id) FROM deployments o WHERE o.app = d.app AND o.release = apps.active AND o.decided = 1 "
    "AND o.state NOT IN ('reverting', 'reverted', 'failed')), 9223372036854775807) ORDER BY d.id DESC LIMIT 1), "
    "CASE WHEN previous <> active AND EXISTS (SELECT 1 FROM slots s WHERE s.app = apps.app AND s.release = previous) "
    "AND NOT EXISTS (SELECT 1 FROM rejected r WHERE r.app = apps.app AND r.release = previous) "
    "AND NOT EXISTS (SELECT 1 FROM deployments d WHERE d.app = apps.app AND d.release = previous AND d.decided = 1 "
    "AND d.state IN ('baking', 'superseded', 'reverting', 'reverted', 'failed')) THEN previous ELSE '' END)";

std::string text_of(const json::object& said, std::string_view name) {
  const auto* member = said.if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

Result<void> write_hold(Database& database, const std::string& app, const Hold& hold) {
  return database.run("UPDATE apps SET held = ?, held_by = ?, held_at = ?, held_firmly = ? WHERE app = ?", hold.why, hold.by, hold.at, std::int64_t{hold.firm}, app);
}

}  // namespace

bool was_active(const DeploymentRow& row) { return row.decided && (row.state == "active" || row.state == "superseded" || row.state == "baking"); }

std::string reverted_by_hand(const DeploymentRow& row) { return fmt::format("{} was reverted by hand{}{}", row.from, row.why.empty() ? "" : ": ", row.why); }

Result<std::string> release_before(Database& database, const std::string& app) {
  const auto read = [](const Statement& row) { return row.text(0); };
  BERTH_TRY(const auto found, database.row("SELECT " + std::string(kReleaseBefore) + " FROM apps WHERE app = ?", read, app));
  return found.value_or("");
}

Result<void> choose_previous(Database& database, const std::string& app) {
  return database.run("UPDATE apps SET previous = " + std::string(kReleaseBefore) + " WHERE app = ?", app);
}

Result<std::vector<DeploymentRow>> deployments_where(Database& database, std::string_view where) { return query(database, where); }

Result<DeploymentRow> Store::add_deployment(DeploymentRow row, Event event) {
  const std::lock_guard guard(state_->mutex);
  if (row.created_at.empty()) row.created_at = now_text();
  if (!row.key.empty()) {
    BERTH_TRY(const auto used, query(state_->database, "WHERE app = ? AND idempotency_key = ?", row.app, row.key));
    if (!used.empty()) return fail(Errc::exists, fmt::format("deployment {} of {} has the key {}", used[0].id, row.app, row.key));
  }
  const auto add_row = [&]() -> Result<void> {
    BERTH_CHECK(insert(state_->database, row));
    row.id = state_->database.last_row();
    if (event.data.contains("deployment")) event.data["deployment"] = row.id;
    std::vector<Event> events;
    events.push_back(std::move(event));
    return state_->put(std::move(events));
  };
  BERTH_CHECK(state_->change({}, add_row));
  return row;
}

Result<void> Store::update_deployment(const DeploymentRow& row, std::vector<Event> events, const std::optional<Rejected>& rejected) {
  const std::lock_guard guard(state_->mutex);
  return state_->change(std::move(events), [&]() -> Result<void> {
    BERTH_CHECK(update(state_->database, row));
    return rejected ? state_->put_rejected(row.app, *rejected) : Result<void>();
  });
}

Result<void> Store::note_cancel(std::int64_t id, const std::string& by) {
  const std::lock_guard guard(state_->mutex);
  const auto note = [&]() -> Result<void> {
    BERTH_TRY(auto row, first(query(state_->database, "WHERE id = ? AND ended_at = ''", id)));
    if (!row || row->detail.contains(kCancelledBy)) return {};
    row->detail[kCancelledBy] = by;
    return update(state_->database, *row);
  };
  return state_->change({}, note);
}

Result<std::optional<DeploymentRow>> Store::deployment(std::int64_t id) {
  const std::lock_guard guard(state_->mutex);
  return first(query(state_->database, "WHERE id = ?", id));
}

Result<std::optional<DeploymentRow>> Store::deployment_by_key(const std::string& app, const std::string& key) {
  if (key.empty()) return std::optional<DeploymentRow>();
  const std::lock_guard guard(state_->mutex);
  return first(query(state_->database, "WHERE app = ? AND idempotency_key = ?", app, key));
}

Result<void> Store::keep_key(const KeptKey& kept) {
  constexpr std::int64_t kMostKept = 1000;
  const std::lock_guard guard(state_->mutex);
  return state_->change({}, [&]() -> Result<void> {
    BERTH_CHECK(state_->database.run("INSERT OR IGNORE INTO kept_keys (app, key, release, deployment, already) VALUES (?, ?, ?, ?, ?)", kept.app, kept.key, kept.release, kept.deployment,
                                     std::int64_t{kept.already}));
    return state_->database.run("DELETE FROM kept_keys WHERE app = ? AND id NOT IN (SELECT id FROM kept_keys WHERE app = ? ORDER BY id DESC LIMIT ?)", kept.app, kept.app, kMostKept);
  });
}

Result<std::optional<KeptKey>> Store::kept_key(const std::string& app, const std::string& key) {
  const auto read = [](const Statement& row) {
    return KeptKey{.app = row.text(0), .key = row.text(1), .release = row.text(2), .deployment = row.integer(3), .already = row.integer(4) != 0};
  };
  if (key.empty()) return std::optional<KeptKey>();
  const std::lock_guard guard(state_->mutex);
  return state_->database.row("SELECT app, key, release, deployment, already FROM kept_keys WHERE app = ? AND key = ?", read, app, key);
}

Result<std::vector<DeploymentRow>> Store::deployments(const DeploymentQuery& wanted) {
  constexpr const char* kEver = "9999-12-31T23:59:59.999999Z";
  const std::int64_t before = wanted.before > 0 ? wanted.before : std::numeric_limits<std::int64_t>::max();
  const std::string until = wanted.until.empty() ? kEver : wanted.until;
  const std::lock_guard guard(state_->mutex);
  if (wanted.app.empty())
    return query(state_->database, "WHERE id < ? AND created_at >= ? AND created_at < ? ORDER BY id DESC LIMIT ?", before, wanted.since, until, std::int64_t{wanted.most});
  return query(state_->database, "WHERE app = ? AND id < ? AND created_at >= ? AND created_at < ? ORDER BY id DESC LIMIT ?", wanted.app, before, wanted.since, until,
               std::int64_t{wanted.most});
}

Result<std::vector<DeploymentRow>> Store::deployments(const std::string& app, int most) {
  const DeploymentQuery wanted{.app = app, .most = most, .since = {}, .until = {}};
  return deployments(wanted);
}

Result<std::vector<DeploymentRow>> Store::unfinished_deployments() {
  const std::lock_guard guard(state_->mutex);
  return query(state_->database, "WHERE ended_at = '' ORDER BY id");
}

Result<std::vector<DeploymentRow>> Store::State::last_ended(const std::string& app) {
  return query(database,
               "WHERE id IN (SELECT (SELECT d.id FROM deployments d WHERE d.app = apps.app AND d.ended_at <> '' ORDER BY d.id DESC LIMIT 1) FROM apps " +
                   of_app(app) + ")",
               app);
}

Result<void> Store::decide(const DeploymentRow& row, std::vector<Event> events) {
  const std::lock_guard guard(state_->mutex);
  BERTH_CHECK(state_->require_app(row.app));
  BERTH_CHECK(state_->require_slot(row.app, row.release));
  return state_->change(std::move(events), [&]() -> Result<void> {
    BERTH_CHECK(update(state_->database, row));
    BERTH_CHECK(state_->database.run("UPDATE apps SET previous = active, active = ? WHERE app = ? AND active <> ?", row.release, row.app, row.release));
    if (row.force) BERTH_CHECK(state_->database.run("UPDATE apps SET stopped = 0, stopped_at = '', stopped_by = '', stopped_why = '' WHERE app = ?", row.app));
    return choose_previous(state_->database, row.app);
  });
}

Result<void> Store::decide_revert(const DeploymentRow& row, const std::string& to, std::vector<Event> events, const std::optional<Rejected>& rejected) {
  const std::lock_guard guard(state_->mutex);
  BERTH_CHECK(state_->require_app(row.app));
  if (!to.empty()) BERTH_CHECK(state_->require_slot(row.app, to));
  return state_->change(std::move(events), [&]() -> Result<void> {
    BERTH_CHECK(update(state_->database, row));
    BERTH_CHECK(state_->database.run("UPDATE apps SET active = ?, previous = CASE previous WHEN ? THEN '' ELSE previous END WHERE app = ?", to, to, row.app));
    return rejected ? state_->put_rejected(row.app, *rejected) : choose_previous(state_->database, row.app);
  });
}

Result<std::string> Store::release_before(const std::string& app) {
  const std::lock_guard guard(state_->mutex);
  return store::release_before(state_->database, app);
}

Result<std::optional<Rejected>> Store::State::rejection(const std::string& app, const std::string& release) {
  BERTH_TRY(const auto all, rejected(app));
  for (const auto& [of, one] : all)
    if (one.release == release) return std::optional(one);
  return std::optional<Rejected>();
}

Result<Hold> Store::hold_by_revert(const DeploymentRow& row, const Hold& hold, const std::optional<Rejected>& left, Event event) {
  const std::lock_guard guard(state_->mutex);
  Hold counts;
  const auto say = [&]() -> Result<void> {
    BERTH_TRY(const auto app, state_->app(row.app));
    if (!app) return fail(Errc::not_found, fmt::format("app {} is not on this node", row.app));
    BERTH_TRY(auto known, first(query(state_->database, "WHERE id = ?", row.id)));
    const bool is_said = app->held.why == hold.why && app->held.by == hold.by;  // by a berthd that ended in between
    if (known && !known->detail.contains(kBeforeRevert)) {
      json::object before;
      if (app->held && !app->held.firm && !is_said) before = {{"held", app->held.why}, {"by", app->held.by}, {"at", app->held.at}};
      if (left) {
        BERTH_TRY(const auto rejected, state_->rejection(row.app, left->release));
        if (rejected && rejected->reason != left->reason) before["rejected"] = {{"manifest_sha256", rejected->manifest_sha256}, {"reason", rejected->reason}, {"at", rejected->at}};
      }
      known->detail[kBeforeRevert] = std::move(before);
      BERTH_CHECK(update(state_->database, *known));
    }
    if (left) BERTH_CHECK(state_->put_rejected(row.app, *left));
    const bool stays = app->held.firm || is_said;
    counts = stays ? app->held : hold;
    if (stays) return {};
    BERTH_CHECK(write_hold(state_->database, row.app, hold));
    return state_->put({event});
  };
  BERTH_CHECK(state_->change({}, say));
  return counts;
}

Result<Hold> Store::end_undone_revert(const DeploymentRow& row, Event event) {
  const std::lock_guard guard(state_->mutex);
  const std::string said = reverted_by_hand(row), why = fmt::format("the revert to {} was itself reverted", row.release);
  Hold counts;
  const auto take_back = [&]() -> Result<void> {
    BERTH_CHECK(update(state_->database, row));
    BERTH_TRY(const auto known, first(query(state_->database, "WHERE id = ?", row.id)));
    json::object before;
    if (const auto* kept = known ? known->detail.if_contains(kBeforeRevert) : nullptr; kept != nullptr && kept->is_object()) before = kept->get_object();
    BERTH_TRY(const auto rejected, state_->rejection(row.app, row.from));
    if (rejected && rejected->reason == said) {
      BERTH_CHECK(state_->database.run("DELETE FROM rejected WHERE app = ? AND release = ?", row.app, row.from));
      if (const auto* older = before.if_contains("rejected"); older != nullptr && older->is_object()) {
        const json::object& its = older->get_object();
        const Rejected again{.release = row.from, .manifest_sha256 = text_of(its, "manifest_sha256"), .reason = text_of(its, "reason"), .at = text_of(its, "at")};
        BERTH_CHECK(state_->put_rejected(row.app, again));
      } else {
        event.data["accepted"] = row.from;
      }
    }
    BERTH_TRY(const auto app, state_->app(row.app));
    if (app) counts = app->held;
    std::vector<Event> events;
    if (app && !app->held.firm && app->held.why == said && app->held.by == row.by) {
      counts = {.why = text_of(before, "held"), .by = text_of(before, "by"), .at = text_of(before, "at"), .firm = false};
      BERTH_CHECK(write_hold(state_->database, row.app, counts));
      if (counts) events.push_back({.number = 0, .at = {}, .kind = "operator.hold", .app = row.app, .data = {{"by", counts.by}, {"why", why}, {"held", counts.why}, {"firm", false}}});
      else events.push_back({.number = 0, .at = {}, .kind = "operator.resume", .app = row.app, .data = {{"by", row.by}, {"why", why}}});
    }
    events.push_back(std::move(event));
    BERTH_CHECK(choose_previous(state_->database, row.app));
    return state_->put(std::move(events));
  };
  BERTH_CHECK(state_->change({}, take_back));
  return counts;
}

Result<void> Store::State::put_rejected(const std::string& name, const Rejected& rejected) {
  BERTH_CHECK(database.run("INSERT OR REPLACE INTO rejected (app, release, manifest_sha256, reason, at) VALUES (?, ?, ?, ?, ?)", name, rejected.release,
                           rejected.manifest_sha256, rejected.reason, rejected.at.empty() ? now_text() : rejected.at));
  return choose_previous(database, name);
}

Result<void> Store::reject(const std::string& app, const std::string& release, const std::string& manifest_sha256, const std::string& reason,
                           std::vector<Event> events) {
  const std::lock_guard guard(state_->mutex);
  const Rejected rejected{.release = release, .manifest_sha256 = manifest_sha256, .reason = reason, .at = {}};
  return state_->change(std::move(events), [&] { return state_->put_rejected(app, rejected); });
}

Result<void> Store::unreject(const std::string& app, const std::string& release, std::vector<Event> events) {
  const std::lock_guard guard(state_->mutex);
  return state_->change(std::move(events), [&]() -> Result<void> {
    BERTH_CHECK(state_->database.run("DELETE FROM rejected WHERE app = ? AND release = ?", app, release));
    return choose_previous(state_->database, app);
  });
}

Result<std::vector<std::pair<std::string, Rejected>>> Store::State::rejected(const std::string& app) {
  const auto read = [](const Statement& row) {
    return std::pair(row.text(0), Rejected{.release = row.text(1), .manifest_sha256 = row.text(2), .reason = row.text(3), .at = row.text(4)});
  };
  return database.rows("SELECT app, release, manifest_sha256, reason, at FROM rejected " + of_app(app) + "ORDER BY at DESC", read, app);
}

Result<std::vector<Rejected>> Store::rejected(const std::string& app) {
  const std::lock_guard guard(state_->mutex);
  BERTH_TRY(auto rows, state_->rejected(app));
  std::vector<Rejected> found;
  for (auto& [of, one] : rows) found.push_back(std::move(one));
  return found;
}

}  // namespace berth::store
