#include "cli/doctor/belongings.h"

#include "cli/json_view.h"
#include "daemon/store/database.h"
#include "daemon/supervise/keeper_key.h"

namespace berth::cli::doctor {
namespace {

InstanceId instance_of(const store::Statement& row) {
  return {.app = row.text(0), .process = row.text(1), .number = static_cast<int>(row.integer(2)), .release = row.text(3)};
}

/// Instances that berthd runs and the database does not list: those of a release that is being replaced, and jobs.
void add_running(const json::value& status, Belongings& known) {
  for (const auto& app : list_of(status, "apps")) {
    const auto* deployment = member(app, "deployment");
    known.busy = known.busy || (deployment != nullptr && deployment->is_object()) || !list_of(app, "execs").empty();
    for (const auto& one : list_of(app, "instances")) {
      const InstanceId id{.app = text_of(app, "app"), .process = text_of(one, "process"), .number = static_cast<int>(number_of(one, "number")), .release = text_of(one, "release")};
      known.keeper_keys.insert(supervise::keeper_key(id));
    }
  }
}

}  // namespace

Result<Belongings> read_belongings(const Subject& subject) {
  Belongings known;
  BERTH_TRY(store::Database database, store::Database::open_to_read(subject.paths.database()));
  BERTH_TRY(const auto slots, database.rows("SELECT app, release FROM slots", [](const store::Statement& row) { return std::pair(row.text(0), row.text(1)); }));
  known.slots.insert(slots.begin(), slots.end());
  BERTH_TRY(const auto unfinished, database.rows("SELECT id FROM deployments WHERE ended_at = ''", [](const store::Statement& row) { return row.text(0); }));
  known.deployments.insert(unfinished.begin(), unfinished.end());
  for (const char* query : {"SELECT app, process, number, release FROM instances", "SELECT app, process, 1, release FROM job_runs WHERE state = 'running'"}) {
    BERTH_TRY(const auto instances, database.rows(query, instance_of));
    for (const InstanceId& id : instances) known.keeper_keys.insert(supervise::keeper_key(id));
  }
  BERTH_TRY(const auto ports, database.rows("SELECT port FROM instances UNION SELECT port FROM instance_ports", [](const store::Statement& row) { return static_cast<std::uint16_t>(row.integer(0)); }));
  known.ports.insert(ports.begin(), ports.end());
  if (subject.status) add_running(*subject.status, known);
  known.busy = known.busy || (subject.status && !known.deployments.empty());
  return known;
}

}  // namespace berth::cli::doctor
