#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace berth::route {

/// Moves this thread, and those it makes from now on, to a network of their own, for tests: ports and nftables are then nobody else's. Ends the
/// program where it cannot, since what follows would change the machine's.
struct OwnNetwork {
  OwnNetwork() {
    const bool moved = ::unshare(CLONE_NEWNET) == 0;
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    if (!moved || ::ioctl(socket, SIOCSIFFLAGS, &request) != 0) {
      std::perror("these tests need root, to make a network namespace");
      std::abort();
    }
    ::close(socket);
  }
};

}  // namespace berth::route
