#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "daemon/store/private_port.h"
#include "daemon/store/state.h"

namespace berth::store {

namespace {

constexpr std::string_view kInstanceColumns = "SELECT app, process, number, release, port, paused, stopped_at, stopped_by, stopped_why FROM instances ";

InstanceRow read_instance(const Statement& row) {
  return {.app = row.text(0), .process = row.text(1), .number = static_cast<int>(row.integer(2)), .release = row.text(3),
          .port = static_cast<std::uint16_t>(row.integer(4)), .paused = row.integer(5) != 0,
          .stop = {.at = row.text(6), .by = row.text(7), .why = row.text(8)}, .named_ports = {}};
}

/// The deployment that brought its release here, into it.
Result<void> read_deployment(Database& database, InstanceRow& row) {
  const auto id_of = [](const Statement& one) { return one.integer(0); };
  BERTH_TRY(const auto found, database.row("SELECT id FROM deployments WHERE app = ? AND release = ? ORDER BY id DESC LIMIT 1", id_of, row.app, row.release));
  row.deployment = found.value_or(0);
  return {};
}

Result<std::optional<InstanceRow>> find(Database& database, const InstanceRow& row) {
  return database.row(std::string(kInstanceColumns) + "WHERE app = ? AND process = ? AND number = ? AND release = ?", read_instance, row.app, row.process,
                      std::int64_t{row.number}, row.release);
}

/// The named ports of `row`, into it.
Result<void> read_named_ports(Database& database, InstanceRow& row) {
  const auto named = [](const Statement& one) { return std::pair(one.text(0), static_cast<std::uint16_t>(one.integer(1))); };
  BERTH_TRY(const auto ports, database.rows("SELECT name, port FROM instance_ports WHERE app = ? AND process = ? AND number = ? AND release = ?", named, row.app,
                                            row.process, std::int64_t{row.number}, row.release));
  row.named_ports = {ports.begin(), ports.end()};
  return {};
}

/// Takes a port that nobody has.
Result<std::uint16_t> free_port(Database& database) {
  const auto port_of = [](const Statement& row) { return static_cast<std::uint16_t>(row.integer(0)); };
  BERTH_TRY(const auto ports, database.rows("SELECT port FROM instances WHERE port <> 0 UNION ALL SELECT port FROM instance_ports", port_of));
  BERTH_TRY(const auto last, database.number("SELECT coalesce(max(port), 0) FROM last_port"));
  BERTH_TRY(const std::uint16_t port, pick_private_port({ports.begin(), ports.end()}, static_cast<std::uint16_t>(last)));
  BERTH_CHECK(database.run("UPDATE last_port SET port = ?", std::int64_t{port}));
  return port;
}

Result<void> add_named_ports(Database& database, InstanceRow& row, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (row.named_ports.contains(name)) continue;
    BERTH_TRY(const std::uint16_t port, free_port(database));
    BERTH_CHECK(database.run("INSERT INTO instance_ports (app, process, number, release, name, port) VALUES (?, ?, ?, ?, ?, ?)", row.app, row.process,
                             std::int64_t{row.number}, row.release, name, std::int64_t{port}));
    row.named_ports[name] = port;
  }
  return {};
}

}  // namespace

Result<std::vector<InstanceRow>> Store::instances(const std::string& app) {
  const std::lock_guard guard(state_->mutex);
  BERTH_TRY(auto rows, state_->database.rows(std::string(kInstanceColumns) + "WHERE app = ? ORDER BY process, number, release", read_instance, app));
  for (InstanceRow& row : rows) {
    BERTH_CHECK(read_named_ports(state_->database, row));
    BERTH_CHECK(read_deployment(state_->database, row));
  }
  return rows;
}

Result<InstanceRow> Store::add_instance(InstanceRow row, bool with_port, const std::vector<std::string>& names) {
  const std::lock_guard guard(state_->mutex);
  BERTH_CHECK(state_->require_app(row.app));
  BERTH_TRY(const auto known, find(state_->database, row));
  row.port = 0;
  row.paused = false;
  row.stop = {};
  if (known) {
    row = *known;
    BERTH_CHECK(read_named_ports(state_->database, row));
  }
  BERTH_CHECK(read_deployment(state_->database, row));
  const bool has_all = std::ranges::all_of(names, [&row](const std::string& name) { return row.named_ports.contains(name); });
  if (known && (!with_port || row.port != 0) && has_all) return row;

  const auto add_row = [&]() -> Result<void> {
    if (with_port && row.port == 0) {
      BERTH_TRY(row.port, free_port(state_->database));
    }
    BERTH_CHECK(state_->database.run("INSERT INTO instances (app, process, number, release, port) VALUES (?, ?, ?, ?, ?) "
                                     "ON CONFLICT (app, process, number, release) DO UPDATE SET port = excluded.port", row.app,
                                     row.process, std::int64_t{row.number}, row.release, std::int64_t{row.port}));
    return add_named_ports(state_->database, row, names);
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

Result<void> Store::set_paused(const std::vector<InstanceRow>& rows, std::optional<Stop> stop, std::optional<Event> event) {
  const std::lock_guard guard(state_->mutex);
  std::vector<Event> events;
  if (event) events.push_back(std::move(*event));
  const Stop said = stop.value_or(Stop{});
  return state_->change(std::move(events), [&]() -> Result<void> {
    for (const InstanceRow& row : rows) {
      BERTH_CHECK(state_->database.run("UPDATE instances SET paused = ?, stopped_at = ?, stopped_by = ?, stopped_why = ? "
                                       "WHERE app = ? AND process = ? AND number = ? AND release = ?", std::int64_t{stop.has_value()}, said.at, said.by, said.why,
                                       row.app, row.process, std::int64_t{row.number}, row.release));
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
