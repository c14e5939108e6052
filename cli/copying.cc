#include "cli/copying.h"

#include <cerrno>

#include <unistd.h>

namespace berth::cli {

bool Copying::step() {
  if (over_) return false;
  if (size_ == 0) {
    const ssize_t got = ::read(from_, buffer_, sizeof buffer_);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) {  // EIO: nobody has the terminal behind it open any more
      end();
      return true;
    }
    at_ = 0;
    size_ = static_cast<std::size_t>(got);
  }
  pollfd room{.fd = to_, .events = POLLOUT, .revents = 0};
  if (::poll(&room, 1, 0) <= 0) return true;
  const ssize_t put = ::write(to_, buffer_ + at_, size_);
  if (put < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (put < 0) {
    end();
    return true;
  }
  at_ += static_cast<std::size_t>(put);
  size_ -= static_cast<std::size_t>(put);
  return true;
}

void Copying::end() {
  over_ = true;
  owned_.reset();
}

}  // namespace berth::cli
