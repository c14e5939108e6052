#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/fetch/fetch.h"
#include "daemon/follow/follow_status.h"
#include "daemon/ship/ship_status.h"
#include "daemon/store/store.h"

namespace berth::metrics {

/// This node and its berthd, as `/v1/status` and the metrics show them.
struct NodeStatus {
  std::string node, environment;
  std::string version;       ///< berthd's
  std::string since;         ///< when it began; RFC 3339, UTC
  bool ready = false;        ///< what should run at start does
  std::string repository;    ///< its URL; empty: there is none
  std::string root;          ///< the file of the root that was given for it
  std::string ca_file{}, certificate_file{}, key_file{};  ///< for https, or empty
  fetch::TrustStatus trust;
  std::uint64_t disk_free = 0, disk_reserve = 0;  ///< bytes, on the disk of the state
  struct Disk {
    std::uint64_t free = 0, reserve = 0;  ///< bytes; with less than the latter it is as good as full
  };
  std::optional<Disk> logs_disk{};  ///< the disk of the logs, where it is another one
  bool limits_enforced = false;                   ///< by cgroups
  store::Paths paths;
  std::string config_file{};  ///< with which berthd was started, a whole path
  std::string events_intrusion{};  ///< what somebody else did to the log of events since this berthd began; empty: nothing
  std::string events_trouble{};    ///< what was wrong with that log when this berthd began; empty: nothing
  struct Refused {
    std::string at, reason;  ///< RFC 3339, UTC; one line
  };
  std::optional<Refused> config_refused{};  ///< the last reload, where berthd.toml was wrong: the configuration before it counts
  struct Listener {
    std::string listen;   ///< "0.0.0.0:9465"
    std::string problem;  ///< what is wrong with its certificates, its token or its address, one line; empty: nothing
    std::optional<std::chrono::system_clock::time_point> certificate_ends{};  ///< nothing where it does not listen, or speaks no TLS
    bool is_ending = false;  ///< the certificate should have been replaced by now
    /// The first of its lists of revoked certificates; nothing where it goes by none, or they cannot be gone by at any time.
    std::optional<std::chrono::system_clock::time_point> crl_ends{};
    bool crl_is_ending = false;  ///< that list should have been replaced by now
  };
  std::optional<Listener> remote_api{};        ///< nothing where `[api]` has no `listen`
  std::optional<Listener> metrics_listener{};  ///< nothing where `[metrics] listen` is empty
  std::optional<store::Drain> drained{};  ///< nothing where it is not
  std::vector<store::LeftApp> left{};     ///< what apps left that were removed
  std::vector<follow::Status> follows{};  ///< `[[follow]]`, in the order of berthd.toml
  std::vector<ship::SinkStatus> sinks{};  ///< `[[sink]]`, likewise
  std::vector<ship::SinkStatus> webhooks{};  ///< `[[webhook]]`, likewise
};

}  // namespace berth::metrics
