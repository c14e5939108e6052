#include "core/io/line_end.h"

#include <algorithm>
#include <cerrno>
#include <thread>

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace berth::io {
namespace {

using std::chrono::microseconds;

constexpr microseconds kFirstLook{50}, kLongestLook{5000};  ///< between two looks at what is still under way: the kernel tells nobody

/// Whether neither side has anything to say or to acknowledge any more.
bool is_over(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return true;
  return info.tcpi_state == TCP_CLOSE || info.tcpi_state == TCP_TIME_WAIT;
}

}  // namespace

bool is_gone(const Line& line) {
  pollfd item{.fd = line.descriptor(), .events = POLLIN | POLLRDHUP, .revents = 0};
  return ::poll(&item, 1, 0) > 0;
}

bool has_ended(const Line& line) {
  pollfd item{.fd = line.descriptor(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&item, 1, 0) > 0;
}

Result<void> wait_until_sent(const Line& line, const Patience& patience) {
  for (microseconds pause = kFirstLook;; pause = std::min(2 * pause, kLongestLook)) {
    int under_way = 0;
    if (::ioctl(line.descriptor(), SIOCOUTQ, &under_way) < 0) return fail_errno("ask for what is not acknowledged yet");
    // Asked in this order: a connection that broke has nothing under way any more.
    if (is_gone(line)) return fail(Errc::unreachable, "it ended the connection before everything was known to have arrived");
    if (under_way == 0) return {};
    BERTH_CHECK(patience.check());
    std::this_thread::sleep_for(pause);
  }
}

Result<void> wait_until_read(const Line& line, const Patience& patience) {
  char ignored[4096];
  while (true) {
    const ssize_t got = ::recv(line.descriptor(), ignored, sizeof ignored, MSG_DONTWAIT);
    if (got == 0) break;
    if (got > 0) BERTH_CHECK(patience.check());
    else if (errno == EAGAIN) BERTH_CHECK(patience.wait(line.descriptor(), POLLIN));
    else if (errno != EINTR) return fail(Errc::unreachable, "it broke the connection before it had read everything");
  }
  // An end that came before what was written was refused looks like one that came after all of it was read: the kernel keeps the refusal, and gives the end.
  for (microseconds pause = kFirstLook; !is_over(line.descriptor()); pause = std::min(2 * pause, kLongestLook)) {
    BERTH_CHECK(patience.check());
    std::this_thread::sleep_for(pause);
  }
  int refusal = 0;
  socklen_t size = sizeof refusal;
  if (::getsockopt(line.descriptor(), SOL_SOCKET, SO_ERROR, &refusal, &size) == 0 && refusal == 0) return {};
  return fail(Errc::unreachable, "it broke the connection before it had read everything");
}

}  // namespace berth::io
