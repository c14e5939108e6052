#pragma once

#include <cstddef>

#include <poll.h>

#include "core/files/fd.h"

namespace berth::cli {

/// Copies what can be read at one descriptor to another, as far as both let it at once. Whoever polls calls it.
class Copying {
 public:
  /// Borrows `from` and `to`; where it has `owned`, that is closed at the end of the copy, and tells the reader behind it so.
  Copying(int from, int to, Fd owned = Fd()) : from_(from), to_(to), owned_(std::move(owned)) {}

  bool over() const { return over_; }
  /// What to poll for now: more to read, or room to write.
  pollfd wanted() const { return {.fd = over_ ? -1 : size_ == 0 ? from_ : to_, .events = static_cast<short>(size_ == 0 ? POLLIN : POLLOUT), .revents = 0}; }
  /// After a poll that found it ready. False where nothing could be copied.
  bool step();
  void end();

 private:
  int from_, to_;
  Fd owned_;
  bool over_ = false;
  std::size_t at_ = 0, size_ = 0;
  char buffer_[4096];  ///< no more than a pipe takes at once that has room
};

}  // namespace berth::cli
