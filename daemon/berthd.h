#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/exit_code.h"
#include "core/io/http.h"
#include "core/io/loop.h"
#include "daemon/api/api.h"
#include "daemon/config/config.h"
#include "daemon/deploy/deployer.h"
#include "daemon/fetch/fetch.h"
#include "daemon/follow/follower.h"
#include "daemon/host/programs.h"
#include "daemon/host/service_manager.h"
#include "daemon/listener.h"
#include "daemon/live_node.h"
#include "daemon/metrics_token.h"
#include "daemon/route/router.h"
#include "daemon/ship/shipping.h"
#include "daemon/store/store.h"
#include "daemon/supervise/supervisor.h"

namespace berth {

namespace fs = std::filesystem;

/// The daemon: everything that it is made of, made and handed over, and what it does from its start to its end.
class Berthd {
 public:
  /// Makes it, and takes hold of the node's state. Fails with `Errc::conflict` when another berthd has it.
  static Result<std::unique_ptr<Berthd>> make(fs::path config_file, config::Config config, host::Programs programs);
  /// Leaves whatever runs running.
  ~Berthd();

  /// Takes over what runs, starts what should, and serves until it is told to end.
  Exit run();

 private:
  struct How;
  ship::ShippingParts shipping_of_events(const How& how);
  ship::ShippingParts shipping_of_logs(const How& how);
  Berthd(fs::path config_file, config::Config config, const How& how, std::unique_ptr<store::Store> store);

  Result<void> listen();
  Result<void> listen_for_operators();
  void admit_groups();
  bool change_groups();
  awaitable<void> start();
  awaitable<void> heed_signals();
  awaitable<void> tell_watchdog();
  awaitable<void> watch_routes();
  awaitable<void> rest();
  awaitable<void> tell(std::string kind, std::string reason);
  awaitable<Result<void>> add(store::Event event);
  Result<config::Config> read_again();
  std::function<void()> take_over(const config::Config& said);
  awaitable<Result<api::Reloaded>> reload(deploy::Asked asked);
  awaitable<void> reload_by_signal();
  void end(Exit exit);

  fs::path config_file_;
  config::Config config_;
  host::ServiceManager manager_;
  Exit exit_ = Exit::ok;
  bool is_ending_ = false;  ///< it was told to

  // In the order in which each needs those above it.
  io::Loop loop_;
  io::Signals signals_;
  io::Event was_busy_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<fetch::Repository> repository_;
  io::Pool work_;   // what takes long: fetching, unpacking, hashing; it ends before what it works on
  io::Pool idle_;   // what is in no hurry: slots that are read again
  io::Pool looks_;  // what does not, so that a status never waits for a fetch
  supervise::Supervisor supervisor_;
  route::Router router_;
  deploy::Deployer deployer_;
  follow::Follower follower_;
  ship::Shipping shipping_, webhooks_;
  std::optional<gid_t> operators_;  ///< the group that the control socket belongs to
  bool has_own_socket_ = true;      ///< and was given none by systemd
  MetricsToken token_;
  LiveNode node_;
  api::Api api_;
  io::HttpServer control_;
  Listener network_;
  Listener remote_;
};

}  // namespace berth
