#pragma once

#include <stddef.h>
#include <stdint.h>

namespace berth::keeper {

/// What an app says of itself by sd_notify(3), as far as it is known here.
struct Notice {
  bool ready = false;      ///< READY=1 and nothing since that takes it back
  bool reloading = false;  ///< RELOADING=1 and no READY=1 since
  bool stopping = false;   ///< STOPPING=1
  char status[200] = {};   ///< STATUS=, one line

  // Of one message only:
  bool alive = false;      ///< WATCHDOG=1
  bool triggered = false;  ///< WATCHDOG=trigger: as if it had been silent too long
  int64_t watchdog_ms = 0; ///< WATCHDOG_USEC=: it wants another time from now on; 0: it does not say
  int64_t extend_ms = 0;   ///< EXTEND_TIMEOUT_USEC=: so long from now it needs for what it is at; 0: it does not say
};

/// Takes one message, lines of NAME=VALUE; what is not known is passed over. True where berthd is to hear of it: something that lasts has changed, or more
/// time is asked for.
bool take_notice(const char* text, size_t size, Notice* notice);

}  // namespace berth::keeper
