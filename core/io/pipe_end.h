#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/files/fd.h"
#include "core/io/readiness.h"
#include "core/result.h"

namespace berth::io {

/// One end of a pipe, or the master of a terminal, on a loop. One coroutine uses it at a time; it may be closed meanwhile, and outlives the coroutine.
class PipeEnd {
 public:
  /// Makes `file` non-blocking.
  PipeEnd(boost::asio::any_io_executor executor, Fd file);

  /// Reads at most `size` bytes: their number, 0 at the end, which is also that nobody has the terminal open any more, or that it is closed.
  boost::asio::awaitable<std::size_t> read(char* into, std::size_t size);
  /// Writes some of it, once there is room: how much, or 0 where nobody will read it any more, or it is closed.
  boost::asio::awaitable<std::size_t> write(std::string_view bytes);

  /// An ioctl of it. False where that fails, or it is closed.
  bool control(unsigned long request, void* value);

  bool open() const { return static_cast<bool>(file_); }
  void close();  ///< whoever reads or writes gets 0

 private:
  Fd file_;
  std::optional<Readiness> readiness_;  // after the file: it goes first
};

}  // namespace berth::io
