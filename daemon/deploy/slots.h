#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/deploy/node.h"

namespace berth::deploy {

/// Releases on this node: where they come from, whether they are as they were sealed, and what mends those that are not.
class Slots {
 public:
  explicit Slots(Node& node) : node_(node), looks_(node.executor, 1) {}
  void close() { looking_.request_stop(); }

  /// Compares releases with what is signed, as somebody asked for.
  awaitable<Result<Verified>> verify(VerifyRequest request);
  /// For ever: the slot that was not looked at for the longest time is, once it is due. Drift is told, and nothing is done about it: whoever runs from a
  /// slot may have all it needs, and a slot is repaired when it is taken again.
  awaitable<void> watch();
  /// A slot is compared before it is taken again. One that has drifted is fetched and staged once more, as if it were not there; what is staged takes its place.
  awaitable<Result<void>> require_whole(RunPtr run, store::SlotRow row);
  /// The same within an automatic revert, which has no time to lose: only a slot that may have changed is read.
  awaitable<Result<void>> whole_or_repaired(AppPtr app, RunPtr run, std::string release);
  /// What takes the place of a slot has to be the same release: a node that has one does not change it for another of its id. Blocking.
  Result<void> fits(const std::string& app, const std::string& release, const std::string& manifest_sha256) const;

  /// Loads a release from a file, for a deployment to take it from there.
  awaitable<Result<store::Import>> import(ImportRequest request);
  /// Where a release comes from: from its file, where one was loaded, else from the repository. Blocking.
  std::shared_ptr<fetch::Repository> source_of(const std::string& app, const std::string& release) const;
  /// What is staged with: files that a slot of the app has are linked. Blocking.
  Result<fetch::StageOptions> stage_options(const std::string& app) const;
  void count_fetched(const std::string& app, const fetch::Staged& staged);

  /// Having the disk for oneself, to read much of it.
  awaitable<Visits::Visit> look() { return looks_.begin(); }
  /// Of what reads slots.
  std::stop_token stopped() const { return looking_.get_token(); }

 private:
  awaitable<Result<store::Verdict>> look_at(store::SlotRow row, bool idle);
  awaitable<Result<store::Verdict>> compare(store::SlotRow row, bool idle);
  awaitable<Result<void>> repair(AppPtr app, RunPtr run, std::string release);

  Node& node_;
  Visits looks_;  ///< slots are read one after the other when somebody asks for it
  std::stop_source looking_;
  std::int64_t imports_ = 0;  ///< begun so far; their staging folders have the numbers below 0
};

}  // namespace berth::deploy
