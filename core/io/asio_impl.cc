// Asio's own code, compiled once for every program of berth (BOOST_ASIO_SEPARATE_COMPILATION).
//
// The loop's lag is the time that handlers take, not the time it sleeps. Asio sleeps in one place only, the `epoll_wait` of its reactor,
// which this source compiles: there it notes when the sleep ended. `Loop::run` reads the note.
#include <sys/epoll.h>

#include "core/io/turn_clock.h"

namespace {

int berth_noted_epoll_wait(int epoll, epoll_event* events, int most, int timeout) {
  const int found = ::epoll_wait(epoll, events, most, timeout);
  const int number = errno;
  berth::io::turn_began = berth::io::Steady::now();
  errno = number;
  return found;
}

}  // namespace

#define epoll_wait berth_noted_epoll_wait
#include <boost/asio/impl/src.hpp>
