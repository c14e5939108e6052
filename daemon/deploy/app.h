#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "daemon/deploy/run.h"
#include "daemon/deploy/troubles.h"
#include "daemon/route/router.h"
#include "daemon/store/store.h"

namespace berth::deploy {

/// An instance that berthd keeps, of whatever release.
struct Member {
  store::InstanceRow row;
  bool leaving = false;  ///< drained or stopped: no new connections
  bool joined = false;   ///< of the release that takes over: new connections go to it beside the routed one
  std::string lacks;     ///< why it could not be started; of one that runs, what its next start would lack. Empty: nothing

  InstanceId id() const { return {row.app, row.process, row.number, row.release}; }
};

/// A one-off command of a person, which berthd has accepted and that has not ended.
struct ExecRun {
  std::string release, process, by;  ///< the latter two are empty of one that a berthd before this one began
  std::string since;                 ///< RFC 3339, UTC
  bool unwanted = false;             ///< it is not to begin any more
  store::InUse in_use{};             ///< its release is not collected
};

/// The last run of a job of the app.
struct JobRun {
  store::JobRow row;
  int tries = 0;         ///< under its present keeper
  std::optional<Moment> began;  ///< its first try, as far as this berthd knows of it; its time is that of all of them
  std::string unwanted;  ///< what is to be said of its end, where it is to end: "was stopped by root (uid 0)"; else empty
  store::InUse in_use{};  ///< while it runs: its release is not collected
};
using JobPtr = std::shared_ptr<JobRun>;

/// One app as berthd knows it. Belongs to the loop's thread.
struct App {
  App(const boost::asio::any_io_executor& executor, store::AppRow its_row)
      : row(std::move(its_row)), changed(executor), turn(executor) {}

  store::AppRow row;                             ///< as the database has it
  std::string since;                             ///< when the active release became so
  std::string problem;                           ///< what berthd could not do for it; empty: nothing
  std::map<std::string, ManifestPtr> manifests;  ///< of sealed slots, by release, as they were asked for
  std::vector<Member> members;
  std::map<int, ExecRun> execs;                  ///< by the number of their instance
  std::map<std::string, JobPtr> jobs;            ///< the last run of each, by process
  int closed_to_execs = 0;                       ///< see NoExecs
  std::set<route::Public> claimed;               ///< public ports
  std::string routed;                            ///< the release that new connections go to
  RunPtr run;                                    ///< the deployment in work
  std::deque<RunPtr> queue;                      ///< those after it
  std::vector<RunPtr> giving_way;                ///< in their bakes, to `run`: they bake again where it does not become active; the newest is the last
  std::int64_t accepted = 0;                     ///< the newest deployment that became active since berthd began
  int unplaced = 0;                              ///< while a node starts its apps: instances that have no place yet; the next app begins when all have one
  bool up = true;                                ///< false: berthd has not taken it over or started it yet, and no deployment of it goes on before
  bool driven = false;                           ///< a coroutine works at `run` and `queue`
  bool busy = false;                             ///< somebody has the app for himself; see Turn
  bool routing = false;                          ///< the route is being set
  TroubleRecord troubles;                        ///< of its instances
  int quiet = 0;                                 ///< operators restart or stop instances: exits are no trouble now
  bool healing = false;                          ///< a coroutine tries to start what could not be started
  bool gone = false;                             ///< removed
  io::Event changed;                             ///< an instance, or the run, changed
  io::Event turn;                                ///< `busy` or `routing` became false

  const std::string& name() const { return row.app; }
  ManifestPtr active() const {
    const auto found = manifests.find(row.active);
    return found == manifests.end() ? nullptr : found->second;
  }
};
using AppPtr = std::shared_ptr<App>;

/// Having an app for oneself, until it is destroyed.
class Turn {
 public:
  explicit Turn(AppPtr app) : app_(std::move(app)) {}
  Turn(Turn&&) noexcept = default;
  Turn& operator=(Turn&&) = delete;
  ~Turn() { end(); }
  void end() {
    if (!app_) return;
    app_->busy = false;
    app_->turn.notify();
    app_.reset();
  }

 private:
  AppPtr app_;  // null once moved from or ended
};

/// Exits and lost readiness are no trouble while it lives: an operator is at work.
class Quiet {
 public:
  explicit Quiet(AppPtr app) : app_(std::move(app)) { ++app_->quiet; }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  ~Quiet() { --app_->quiet; }

 private:
  AppPtr app_;
};

/// No one-off command begins while it lives.
class NoExecs {
 public:
  explicit NoExecs(AppPtr app) : app_(std::move(app)) { ++app_->closed_to_execs; }
  NoExecs(const NoExecs&) = delete;
  NoExecs& operator=(const NoExecs&) = delete;
  ~NoExecs() { --app_->closed_to_execs; }

 private:
  AppPtr app_;
};

}  // namespace berth::deploy
