#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "daemon/config/config.h"
#include "daemon/secrets/known_secrets.h"
#include "daemon/secrets/reference.h"
#include "daemon/ship/daemon_log.h"
#include "daemon/ship/ship_status.h"
#include "daemon/store/store.h"

namespace berth::ship {

/// What is brought: logs, and whatever else a sink wants, or to webhooks events alone.
enum class Cargo { logs, events };

/// What Shipping works with. All of it outlives the loop's last turn.
struct ShippingParts {
  io::Loop& loop;
  io::Pool& looks;  ///< where it is looked whether logs have grown
  io::Pool& idle;   ///< where rotated segments are compressed
  std::filesystem::path logs, state;
  std::string node, environment;
  secrets::Sources secret_sources;
  std::function<Result<std::vector<store::Event>>(std::int64_t first, int most)> events;  ///< blocking
  std::function<std::int64_t()> last_event;
  std::function<void(store::Event)> tell;                                                 ///< adds an event; blocking
  std::shared_ptr<const DaemonLog> daemon_log;
  std::shared_ptr<const secrets::GivenSecrets> given_secrets;
  Cargo cargo = Cargo::logs;                                                              ///< of events: nothing here looks at logs or makes them small
  std::function<void()> caught_up;                                                        ///< a sink has a long backlog no more, nor needs its memory; or null
  std::function<void()> give_way;                                                         ///< makes its thread one that is in no hurry
  std::chrono::milliseconds end_warning = std::chrono::minutes(2);                        ///< after which it is said that a changed sink's last batch has not ended
};

/// All sinks of the node, each with a shipper of its own, and what keeps the logs small. For one event loop.
class Shipping {
 public:
  explicit Shipping(ShippingParts parts);
  ~Shipping();

  /// Begins to ship.
  void start(const std::vector<config::Sink>& sinks, bool compress);
  /// Whether all of them can be made. Fails as that does.
  Result<void> check(const std::vector<config::Sink>& sinks) const;
  /// Puts other sinks in the place of those that there are; which are as before go on undisturbed, but that those which wait after a failure are tried now. Fails where one of them cannot be made, and then
  /// nothing has changed.
  Result<void> change(const std::vector<config::Sink>& sinks, bool compress);

  /// The sink of that name, if there is one, is tried now where it waits after a failure.
  void try_now(const std::string& name);

  /// From any thread: there may be something new. Where the cargo is logs it is looked anyway. May be called when this is gone, while there is the loop.
  std::function<void()> waker() const;

  /// Nothing further is sent or compressed.
  void stop();
  /// Whether what was under way has ended. After `stop`.
  boost::asio::awaitable<bool> ended(std::chrono::milliseconds at_most);

  /// In the order of berthd.toml.
  std::vector<SinkStatus> statuses() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace berth::ship
