#pragma once

#include "core/io/line.h"
#include "core/io/patience.h"
#include "core/result.h"

namespace berth::io {

// What the kernel knows of a line whose peer has nothing to say.

/// Whether the peer ended or broke the connection, or said something all the same.
bool is_gone(const Line& line);

/// Whether the peer has ended its side, or broken the connection; what it says does not count.
bool has_ended(const Line& line);

/// Waits until the peer's kernel has acknowledged every byte that was written. `Errc::unreachable` where the connection ended first.
Result<void> wait_until_sent(const Line& line, const Patience& patience);

/// After `end_writing`: waits until the peer has read everything and ends the connection in turn; what it says is passed over. A system whose program closes a
/// connection with bytes that it has not read breaks it (RFC 1122, 4.2.2.13), which is `Errc::unreachable`, also where its own end came first. So success is a receipt, of a protocol that has none.
Result<void> wait_until_read(const Line& line, const Patience& patience);

}  // namespace berth::io
