#pragma once

#include <memory>

#include "core/io/http.h"
#include "daemon/deploy/exec_ends.h"

namespace berth::api {

/// Copies between a one-off command and its client, who speaks `core/exec_frame.h`, until either is gone. Nothing is read that the other side has no room for: of stdin as much is kept as
/// the client may send at once, of what the command writes one piece. The client's going away, or saying nothing for kSilence, ends the command. `place` is kept as long.
boost::asio::awaitable<void> relay_exec(std::shared_ptr<io::Duplex> line, std::shared_ptr<deploy::ExecEnds> ends, std::shared_ptr<void> place);

}  // namespace berth::api
