#pragma once

#include <chrono>
#include <string>

#include "core/ids.h"
#include "core/result.h"

namespace berth::supervise {

/// A keeper to be started.
struct KeeperStart {
  InstanceId id;
  std::string key;             ///< of its socket's name
  std::string program;
  std::string socket;
  std::string log_directory;
  std::chrono::milliseconds grace{10'000};
};

/// Starts it so that it outlives this program: a session of its own, and no child of ours. Blocks shortly. `Errc::not_found` when the program
/// is not there.
Result<void> start_plain(const KeeperStart& start);

/// Starts it as a transient service in its app's slice below `berth.slice`, in a cgroup that is delegated to it. Blocks.
Result<void> start_service(const KeeperStart& start);

/// `berth-<app>-<process>-<n>-<key>.service`
std::string service_name(const KeeperStart& start);
/// `berth-web.slice`, below `berth.slice`: systemd makes it with the first service in it. A '-' of the app's name is escaped, since it would lead a slice further down.
std::string slice_name(const std::string& app);

}  // namespace berth::supervise
