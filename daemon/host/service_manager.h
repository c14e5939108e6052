#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/files/fd.h"

namespace berth::host {

/// systemd, where it started this berthd; else every call does nothing.
class ServiceManager {
 public:
  /// Takes what systemd handed over out of the environment, so that no child gets it: descriptors, and the watchdog's time.
  ServiceManager();

  /// Listening sockets that a socket unit passed, to be taken once.
  std::vector<Fd> take_sockets() { return std::move(sockets_); }

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
  std::vector<Fd> sockets_;
  std::optional<std::chrono::milliseconds> watchdog_period_;
};

}  // namespace berth::host
