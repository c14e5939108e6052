#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "core/io/loop.h"
#include "daemon/deploy/app.h"
#include "daemon/deploy/deployer.h"
#include "daemon/deploy/parts.h"
#include "daemon/deploy/run.h"
#include "daemon/deploy/visits.h"

namespace berth::deploy {

/// What the parts of a deployer share: what they work with, the apps of the node, and who has which for himself. Belongs to the loop's thread, but for what
/// its functions say is blocking.
class Node {
 public:
  explicit Node(Parts parts);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Whoever has the node and its parts lives on while a coroutine that was spawned does.
  void held_by(std::weak_ptr<void> owner) { owner_ = std::move(owner); }
  void spawn(awaitable<void> task);
  /// Returns when all have ended, or berthd stops.
  awaitable<void> at_once(std::vector<awaitable<void>> tasks);

  /// The app; null where it is not on this node.
  AppPtr find(const std::string& name) const;
  /// The same; `not_found` says what to do, and of one that was removed what is there still.
  Result<AppPtr> known(const std::string& name) const;
  /// " (did you mean 'web'?)", of an app that is not on this node; empty where none is called nearly so.
  std::string meant(const std::string& name) const;
  /// The deployment of that number, under way or waiting, and its app; nulls where there is none.
  std::pair<AppPtr, RunPtr> find_run(std::int64_t id) const;
  /// The app, which gets its folders and user when its first release is to be staged.
  awaitable<Result<AppPtr>> ensure_app(std::string name);
  /// Takes over what the database says of the app's releases.
  awaitable<Result<void>> reload(AppPtr app);
  /// Waits until nobody has the app for himself, and has it.
  awaitable<Turn> take(AppPtr app);
  /// Does what must not be left undone, again and again until the disk lets it or berthd stops; meanwhile the app's problem says what keeps it from that.
  awaitable<void> insist(AppPtr app, std::function<Result<void>()> work);
  /// What the deployment works with is not collected, from here to its end.
  void keep_releases(Run& run);
  /// The manifest of a sealed release, as it was signed.
  awaitable<Result<ManifestPtr>> manifest_of(AppPtr app, std::string release);

  /// Adds an event on its own, of what has happened already: where the disk takes none now it is told later.
  awaitable<void> tell(store::Event event);
  /// Adds the event of what somebody asks for and the database has no other row of: what cannot be written down is not done.
  awaitable<Result<void>> write_down(store::Event event);
  /// Takes the secrets that the app was given out of a text that is kept or shown elsewhere. From any thread, also when this is gone.
  std::function<void(std::string&)> redacting(const std::string& app) const;
  /// Something to know about the deployment that is no failure of it.
  awaitable<void> note(RunPtr run, std::string text);
  /// Notes what was seen beside the deployment's own way; by its own coroutine, so that no write overtakes another.
  awaitable<void> tell_notes(RunPtr run);

  /// `conflict` on a node that is drained.
  Result<void> not_drained() const;

  const boost::asio::any_io_executor executor;
  io::Pool& pool;
  io::Pool& idle;
  store::Store& store;
  supervise::Supervisor& supervisor;
  route::Router& router;
  fetch::Repository* const repository;  ///< may be null
  const DeployerOptions options;
  std::map<std::string, AppPtr> apps;
  /// First deployments of apps that the node does not know yet have one of these.
  std::map<std::string, AppPtr> newcomers;
  Counts counts;
  UnknownApps unknown;  ///< that have counts
  /// A repository that hangs may hold some threads of the pool, never all: the rest have the node's own work.
  Visits visits;
  std::optional<store::Drain> drained;  ///< as the database has it
  bool closed = false;                  ///< berthd stops

 private:
  std::weak_ptr<void> owner_;
};

}  // namespace berth::deploy
