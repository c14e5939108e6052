#pragma once

#include <stddef.h>
#include <sys/types.h>

namespace berth::keeper {

/// The socket of $NOTIFY_SOCKET: what the app sends there comes here, whether berthd is there or not.
class NotifySocket {
 public:
  /// Binds it anew at `path`, in place of whatever is there: in a folder of the app's own, where others do not come. False with errno.
  bool open_at(const char* path);
  void close_it();
  /// Goes on with what another program bound.
  void go_on_with(int fd, unsigned long refused);
  int fd() const { return fd_; }

  /// The next message of `app`, the main process, or of what descends from it or this keeper; those of anybody else are passed over, and counted. Descriptors that
  /// come along are closed, which is what BARRIER=1 waits for. Its size; 0 where there is none.
  size_t receive(char* into, size_t room, pid_t app);
  unsigned long refused() const { return refused_; }

 private:
  int fd_ = -1;
  unsigned long refused_ = 0;
};

}  // namespace berth::keeper
