#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "core/result.h"

namespace berth::spec {

class Complaints;
class TomlTable;
struct AppSpec;
struct Process;

/// What a process is kept from, in systemd's words and with its meanings (systemd.exec(5)), beside what every process is: no new privileges, no capabilities
/// (none in its bounding set either), a user of its own. Those about paths are of the node's file system, so that a process whose root is its image has none of them.
struct Sandbox {
  /// Which folders of the system are read-only: `yes` /usr and /boot, `full` /etc too, `strict` everything but the app's own folders, /dev, /proc and /sys.
  enum class System { no, yes, full, strict };
  /// /home, /root and /run/user: hidden, read-only, or empty ones in their place.
  enum class Home { no, yes, read_only, tmpfs };

  System protect_system = System::no;
  Home protect_home = Home::no;
  bool private_tmp = false;                             ///< /tmp and /var/tmp of its own, in memory, empty at each start
  std::vector<std::string> read_only_paths, read_write_paths, inaccessible_paths;  ///< absolute; with '-' in front: passed over where it is not there
  std::vector<std::string> restrict_address_families;   ///< "AF_INET": sockets of no other family; empty: of all
  bool memory_deny_write_execute = false;               ///< no memory is mapped to be written to and executed, nor made executable later
  bool no_new_privileges = false;                       ///< also for the user root; all others have it anyway
  bool private_devices = false;                         ///< a /dev of its own without the machine's devices, and no capability to make or use them
  std::optional<std::vector<std::string>> capability_bounding_set;  ///< "CAP_KILL": what it can ever have; absent: all for root, for others what follows
  std::vector<std::string> ambient_capabilities;        ///< what it has though it is not root
  std::vector<std::string> supplementary_groups;        ///< of the node, by name, which it is in beside those of its user
  std::optional<int> umask;                             ///< 0 to 0777; absent: 022

  bool any() const;
  /// Whether it says something of the file system.
  bool of_paths() const;
  bool operator==(const Sandbox&) const = default;
};

// The words of berth.toml and of a manifest.
inline constexpr std::string_view kProtectSystem = "ProtectSystem", kProtectHome = "ProtectHome", kPrivateTmp = "PrivateTmp", kReadOnlyPaths = "ReadOnlyPaths",
                                  kReadWritePaths = "ReadWritePaths", kInaccessiblePaths = "InaccessiblePaths",
                                  kRestrictAddressFamilies = "RestrictAddressFamilies", kMemoryDenyWriteExecute = "MemoryDenyWriteExecute",
                                  kNoNewPrivileges = "NoNewPrivileges", kUMask = "UMask", kPrivateDevices = "PrivateDevices",
                                  kCapabilityBoundingSet = "CapabilityBoundingSet", kAmbientCapabilities = "AmbientCapabilities",
                                  kSupplementaryGroups = "SupplementaryGroups";

/// The number of "AF_INET" and the like; nothing for other words.
std::optional<int> address_family(std::string_view word);

/// `[process.NAME.sandbox]`. What is wrong the table complains of.
Sandbox read_sandbox(TomlTable table);

/// The same in a manifest, where it stands only if it says something. `Errc::trust` for what berth.toml could not say.
boost::json::value sandbox_json(const Sandbox& sandbox);
Result<Sandbox> sandbox_from(const boost::json::value& json, const std::string& where);

/// The groups of hooks, which are of the app as a whole: those that `spec` names for each of its processes.
std::vector<std::string> groups_of_hooks(const AppSpec& spec);

/// The rules of a process's sandbox.
void check_sandbox(const Process& process, const Complaints& complaints);

}  // namespace berth::spec
