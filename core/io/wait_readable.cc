#include <cerrno>

#include <fcntl.h>

#include "core/files/fd.h"
#include "core/io/loop.h"
#include "core/io/readiness.h"

namespace berth::io {

namespace asio = boost::asio;

asio::awaitable<Result<bool>> wait_readable(int fd, milliseconds at_most) {
  const auto deadline = deadline_in(at_most);
  // A duplicate, so that several may wait for one descriptor, and its owner may close it meanwhile.
  const Fd watched(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!watched) co_return fail_errno("watch a descriptor");
  Readiness readiness(co_await asio::this_coro::executor, watched.get());
  const Woken woken = co_await readiness.wait(Want::read, deadline);
  if (woken == Woken::ready) co_return true;
  if (woken == Woken::timeout) co_return false;
  co_return fail_woken(woken, "wait for a descriptor");
}

}  // namespace berth::io
