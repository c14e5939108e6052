#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include "core/io/http.h"

namespace berth::api {

/// Who is at the other end of the control socket.
struct Caller {
  std::string name;      ///< for the history: "root (uid 0)"
  bool operates = false; ///< root, or a member of the operators' group
};

/// Looks the peer's user up, and whether it is in `group` by its primary or a supplementary group. Blocking, since users may come from afar.
Caller identify(const io::Peer& peer, std::optional<gid_t> group);

/// A group's number. Blocking.
std::optional<gid_t> group_named(const std::string& name);

}  // namespace berth::api
