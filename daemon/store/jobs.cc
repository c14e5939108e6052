#include "daemon/store/state.h"

namespace berth::store {

Result<std::vector<JobRow>> Store::jobs(const std::string& app) {
  const std::lock_guard guard(state_->mutex);
  const auto read = [](const Statement& row) {
    return JobRow{.app = row.text(0), .process = row.text(1), .run = row.integer(2), .release = row.text(3), .deployment = row.integer(4), .by = row.text(5),
                  .why = row.text(6), .state = row.text(7), .result = row.text(8), .attempts = static_cast<int>(row.integer(9)), .began_at = row.text(10),
                  .ended_at = row.text(11), .succeeded_at = row.text(12)};
  };
  return state_->database.rows("SELECT app, process, run, release, deployment, asked_by, why, state, result, attempts, began_at, ended_at, succeeded_at "
                               "FROM job_runs WHERE app = ? ORDER BY process", read, app);
}

Result<void> Store::set_job(const JobRow& row, std::optional<Event> event) {
  const std::lock_guard guard(state_->mutex);
  BERTH_CHECK(state_->require_app(row.app));
  std::vector<Event> events;
  if (event) events.push_back(std::move(*event));
  return state_->change(std::move(events), [&] {
    return state_->database.run("INSERT OR REPLACE INTO job_runs (app, process, run, release, deployment, asked_by, why, state, result, attempts, began_at, "
                                "ended_at, succeeded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                row.app, row.process, row.run, row.release, row.deployment, row.by, row.why, row.state, row.result, std::int64_t{row.attempts},
                                row.began_at, row.ended_at, row.succeeded_at);
  });
}

}  // namespace berth::store
