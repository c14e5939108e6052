#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/files/fd.h"

namespace berth::host {

/// A listening socket that systemd handed over, under the name that it has there.
struct PassedSocket {
  std::string name;
  Fd socket;
};

/// systemd, where it started this berthd; else every call does nothing.
class ServiceManager {
 public:
  /// Takes what systemd handed over out of the environment, so that no child gets it: descriptors, and the watchdog's time.
  ServiceManager();
  /// The same, with sockets that did not come by the environment.
  explicit ServiceManager(std::vector<PassedSocket> passed);

  /// Listening sockets that a socket unit passed, to be taken once.
  std::vector<Fd> take_sockets() { return std::move(sockets_); }

  /// Whether there is one that hears what is said here, and may keep sockets.
  static bool listens();
  /// Has it keep a listening socket while this berthd ends and the next one starts: who connects meanwhile waits, and is refused no more. How many it keeps,
  /// the unit says (FileDescriptorStoreMax=); what it has kept is gone when the service is stopped.
  void keep(const std::string& name, int socket) const;
  /// What an earlier berthd had it keep under that name, where it fits; else nothing, and none of that name is kept any more.
  Fd take_kept(const std::string& name, const std::function<bool(int)>& fits);
  /// Lets go of all that was kept and not taken.
  void drop_kept();
  /// Has it keep none of that name any more. When this returns, it does not listen there. Blocking.
  void stop_keeping(const std::string& name) const;

  /// How often it wants to hear of us: half of WatchdogSec. Empty: it does not.
  std::optional<std::chrono::milliseconds> watchdog_period() const { return watchdog_period_; }

  void ready(const std::string& status) const;
  void status(const std::string& text) const;
  void alive() const;
  /// Before `ready`: it takes longer than the unit allows, by so much more at least.
  void still_starting(std::chrono::milliseconds more) const;
  void reloading() const;
  void stopping() const;

  /// Whether keepers can be services of their own: systemd runs this machine, berthd is a service of it, and its manager answers over D-Bus. Blocking.
  static bool runs_us();

 private:
  std::vector<Fd> sockets_;          ///< of socket units
  std::vector<PassedSocket> kept_;  ///< by what an earlier berthd called them
  std::optional<std::chrono::milliseconds> watchdog_period_;
};

}  // namespace berth::host
