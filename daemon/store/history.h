#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/store/store.h"

namespace berth::store {

/// How a slot was sealed, as its event tells it.
struct Sealing {
  std::int64_t number = 0;  ///< of the event
  std::string at, manifest_sha256;
  std::uint64_t bytes = 0;
  std::string signed_by;
  std::vector<std::string> signing_keys;
};

/// What events tell of an app; what they do not tell is absent.
struct AppHistory {
  bool removed = false;  ///< and nothing of it came after that
  bool forgotten = false;  ///< it was removed: what was known of it before counts no more
  std::optional<std::string> active;
  bool going_back = false;  ///< it was being reverted at the end: which of two is active, the link says
  std::optional<Hold> held;
  std::optional<std::optional<Stop>> stopped;
  std::map<std::string, Sealing> sealed;                   ///< by release
  std::map<std::string, bool> pinned;                      ///< likewise
  std::map<std::string, std::optional<Rejected>> rejected; ///< likewise; nothing: not any more
  std::map<std::string, std::pair<int, int>> scales;       ///< by process: the number that was asked for, and the spec's then; that is 0 where it was not told
  std::map<std::string, std::optional<Stop>> paused;       ///< by what was said: "web/worker.2", "web/worker"; nothing: it was started again
  std::map<std::string, std::optional<DataCopy>> copies;   ///< by folder; nothing: it was removed
  std::map<std::string, JobRow> jobs;                      ///< by process
};

/// What a database would say, as far as events tell it.
struct History {
  std::map<std::string, AppHistory> apps;
  std::map<std::int64_t, DeploymentRow> deployments;  ///< those that events tell of; an unfinished one has no `ended_at`
  std::optional<std::optional<Drain>> drained;
};

/// Reads events in their order. Pure.
class HistoryReader {
 public:
  HistoryReader() = default;
  /// For events that come after what a database says: what it has as active, by app, and its deployments that have not ended.
  HistoryReader(const std::map<std::string, std::string>& active, const std::vector<DeploymentRow>& unfinished);

  void read(const Event& event);
  const History& history() const { return history_; }

 private:
  void deployment(const Event& event);
  void slot(const Event& event);
  void data(const Event& event);
  void job(const Event& event);
  void operator_did(const Event& event);

  History history_;
  std::map<std::string, std::string> active_;  ///< by app
  std::map<std::int64_t, DeploymentRow> open_;
};

}  // namespace berth::store
