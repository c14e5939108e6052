#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/store/history.h"
#include "daemon/store/rebuild.h"

namespace berth::store {

/// Writes what is known from elsewhere into a database, in one transaction: what is on the disk, what events tell, what runs. With `goes_on` the database says
/// something itself, which stays where nothing else is known; else it is empty.
class Rebuilding {
 public:
  Rebuilding(Database& database, const Paths& paths, Rebuilt& rebuilt, bool goes_on) : database_(database), paths_(paths), rebuilt_(rebuilt), goes_on_(goes_on) {}

  /// What the database has as active, by app, and its deployments that have not ended.
  Result<std::map<std::string, std::string>> active();
  Result<std::vector<DeploymentRow>> unfinished();

  Result<void> write(const History& history, const FindRunning& running);

 private:
  Result<void> find_apps(const History& history);
  Result<void> write_slots(const std::string& app, const AppHistory& told);
  Result<void> write_app(const std::string& app, const AppHistory& told);
  Result<void> write_state(const std::string& app, const AppHistory& told);
  Result<void> write_rest(const std::string& app, const AppHistory& told);
  Result<void> write_deployments(const History& history);
  Result<void> choose_active(const std::string& app, const AppHistory& told);
  Result<void> write_instances(const History& history, const FindRunning& running);
  Result<int> instances_of(const std::string& app, const std::string& process);
  std::vector<MayRun> may_run(const std::string& app, const std::string& release) const;
  Result<bool> has_slot(const std::string& app, const std::string& release);
  void lose(std::string what) { rebuilt_.lost.push_back(std::move(what)); }

  Database& database_;
  const Paths& paths_;
  Rebuilt& rebuilt_;
  bool goes_on_;
  std::vector<std::string> apps_;  ///< that are known
};

}  // namespace berth::store
