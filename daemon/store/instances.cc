#include <set>

#include <fmt/core.h>

#include "daemon/store/private_port.h"
#include "daemon/store/state.h"

namespace berth::store {

namespace {

InstanceRow read_instance(const Statement& row) {
  return {.app = row.text(0), .process = row.text(1), .number = static_cast<int>(row.integer(2)), .release = row.text(3),
          .port = static_cast<std::uint16_t>(row.integer(4)), .paused = row.integer(5) != 0};
}

Result<std::optional<InstanceRow>> find(Database& database, const InstanceRow& row) {
  return database.row("SELECT app, process, number, release, port, paused FROM instances WHERE app = ? AND process = ? AND number = ? AND release = ?",
                      read_instance, row.app, row.process, std::int64_t{row.number}, row.release);
}

Result<std::uint16_t> free_port(Database& database) {
  const auto port_of = [](const Statement& row) { return static_cast<std::uint16_t>(row.integer(0)); };
  BERTH_TRY(const auto ports, database.rows("SELECT port FROM instances WHERE port <> 0", port_of));
  BERTH_TRY(const auto last, database.number("SELECT coalesce(max(port), 0) FROM last_port"));
  return pick_private_port({ports.begin(), ports.end()}, static_cast<std::uint16_t>(last));
}

}  // namespace

Result<std::vector<InstanceRow>> Store::instances(const std::string& app) {
  const std::lock_guard guard(state_->mutex);
  return state_->database.rows("SELECT app, process, number, release, port, paused FROM instances WHERE app = ? ORDER BY process, number, release",
                               read_instance, app);
}

Result<InstanceRow> Store::add_instance(InstanceRow row, bool with_port) {
  const std::lock_guard guard(state_->mutex);
  BERTH_CHECK(state_->require_app(row.app));
  BERTH_TRY(const auto known, find(state_->database, row));
  if (known && (!with_port || known->port != 0)) return *known;

  row.port = 0;
  row.paused = known && known->paused;
  const auto add_row = [&]() -> Result<void> {
    if (with_port) {
      BERTH_TRY(row.port, free_port(state_->database));
      BERTH_CHECK(state_->database.run("UPDATE last_port SET port = ?", std::int64_t{row.port}));
    }
    return state_->database.run("INSERT OR REPLACE INTO instances (app, process, number, release, port, paused) VALUES (?, ?, ?, ?, ?, ?)", row.app,
                                row.process, std::int64_t{row.number}, row.release, std::int64_t{row.port}, std::int64_t{row.paused});
  };
  BERTH_CHECK(state_->change({}, add_row));
  return row;
}

Result<void> Store::remove_instance(const InstanceRow& row) {
  const std::lock_guard guard(state_->mutex);
  return state_->change({}, [&] {
    return state_->database.run("DELETE FROM instances WHERE app = ? AND process = ? AND number = ? AND release = ?", row.app, row.process,
                                std::int64_t{row.number}, row.release);
  });
}

Result<void> Store::set_paused(const std::vector<InstanceRow>& rows, bool paused, std::optional<Event> event) {
  const std::lock_guard guard(state_->mutex);
  std::vector<Event> events;
  if (event) events.push_back(std::move(*event));
  return state_->change(std::move(events), [&]() -> Result<void> {
    for (const InstanceRow& row : rows) {
      BERTH_CHECK(state_->database.run("UPDATE instances SET paused = ? WHERE app = ? AND process = ? AND number = ? AND release = ?", std::int64_t{paused}, row.app,
                                       row.process, std::int64_t{row.number}, row.release));
    }
    return {};
  });
}

Result<void> Store::set_scale(const std::string& app, const std::string& process, int number, int spec_number, Event event) {
  const std::lock_guard guard(state_->mutex);
  BERTH_CHECK(state_->require_app(app));
  std::vector<Event> events;
  events.push_back(std::move(event));
  return state_->change(std::move(events), [&] {
    return state_->database.run("INSERT OR REPLACE INTO scales (app, process, number, spec_number) VALUES (?, ?, ?, ?)", app, process,
                                std::int64_t{number}, std::int64_t{spec_number});
  });
}

Result<std::optional<std::pair<int, int>>> Store::scale(const std::string& app, const std::string& process) {
  const std::lock_guard guard(state_->mutex);
  return state_->database.row("SELECT number, spec_number FROM scales WHERE app = ? AND process = ?",
                              [](const Statement& row) { return std::pair(static_cast<int>(row.integer(0)), static_cast<int>(row.integer(1))); },
                              app, process);
}

}  // namespace berth::store
