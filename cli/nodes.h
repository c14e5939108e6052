#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace berth::cli {

/// Where a berthd listens for clients with a certificate, unless it is said.
inline constexpr std::uint16_t kNodePort = 9465;

/// A node elsewhere, and how to get there.
struct RemoteNode {
  std::string name;  ///< as it was said, with --node
  std::string host;
  std::uint16_t port = kNodePort;
  std::string ca_file, certificate_file, key_file;  ///< an empty CA: those of this system
  std::string unlisted{};  ///< that `nodes.toml` does not know this name, and which ones it knows; empty where it does, or knows none
};

/// The nodes that `--node` and $BERTH_NODE name: groups of `nodes.toml` (in $XDG_CONFIG_HOME/berth or ~/.config/berth) in the place of which their nodes stand,
/// each node once, in the order in which it is named first. Fails with `Errc::usage`.
Result<std::vector<std::string>> named_nodes(const std::vector<std::string>& said);

/// Those, each with how to get there: a name of `nodes.toml` or a host, with or without a port of its own,
/// with the files that $BERTH_CA_FILE, $BERTH_CERTIFICATE_FILE and $BERTH_KEY_FILE, its table there, or the top of that file name. Fails with `Errc::usage`.
Result<std::vector<RemoteNode>> find_nodes(const std::vector<std::string>& said);

/// Fails with `Errc::usage` where one of its files cannot be read.
Result<void> check_readable(const RemoteNode& node);

/// The names of nodes and groups in `nodes.toml`; none where it cannot be read.
std::vector<std::string> known_nodes();

/// Those of $BERTH_NODE, by spaces or commas.
std::vector<std::string> nodes_of_environment();

}  // namespace berth::cli
