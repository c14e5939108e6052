#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/files/fd.h"
#include "core/result.h"
#include "core/spec/app_spec.h"

namespace berth::run {

inline constexpr int kFirstPort = 5000;       ///< of what numbers its ports, as foreman has it
inline constexpr int kPortsOfAProcess = 100;  ///< between the first ports of two processes

/// Whether anybody has the port on this machine.
bool is_taken(std::uint16_t port);

/// The ports of one instance.
struct InstancePorts {
  std::uint16_t main = 0;                      ///< where it is reached; 0: nowhere
  std::map<std::string, std::uint16_t> named;  ///< private ones by name
  std::string note;                            ///< worth telling: that the public port is not the spec's
};

/// Gives instances their ports on this machine: the same one at each start.
///  - The first instance of a process has its public port itself, moved up by 8000 where only root may have it; further ones, and private ports, whatever is free.
///  - From a `base` on, each process has its own hundred, each instance the next number; moved up in the same way.
class LocalPorts {
 public:
  /// `base`: absent where the spec's own numbers count.
  LocalPorts(std::vector<std::string> order, std::optional<int> base) : order_(std::move(order)), base_(base) {}

  /// `Errc::conflict` where another program has the port, naming it, and what to do.
  Result<InstancePorts> of(const std::string& name, const spec::Process& process, int number);

  /// With `socket`: the one listening socket of the process, of all addresses, for all its instances.
  Result<int> listener(const std::string& name, const spec::Process& process);

 private:
  Result<std::uint16_t> numbered(const std::string& name, int number, std::string& note) const;
  Result<std::uint16_t> public_port(const std::string& name, const spec::Process& process, int number, std::string& note) const;

  std::vector<std::string> order_;
  std::optional<int> base_;
  std::map<std::pair<std::string, int>, InstancePorts> given_;
  std::map<std::string, Fd> listeners_;
};

}  // namespace berth::run
