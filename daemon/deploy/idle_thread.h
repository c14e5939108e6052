#pragma once

namespace berth::deploy {

/// From now on this thread takes processor and disk only where nobody else wants them (nice 19, the idle class of the I/O scheduler).
void give_way();

}  // namespace berth::deploy
