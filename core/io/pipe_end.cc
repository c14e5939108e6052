#include "core/io/pipe_end.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace berth::io {
namespace {

namespace asio = boost::asio;

}  // namespace

PipeEnd::PipeEnd(asio::any_io_executor executor, Fd file) : file_(std::move(file)) {
  if (!file_) return;
  ::fcntl(file_.get(), F_SETFL, ::fcntl(file_.get(), F_GETFL) | O_NONBLOCK);
  readiness_.emplace(std::move(executor), file_.get());
}

asio::awaitable<std::size_t> PipeEnd::read(char* into, std::size_t size) {
  co_await give_way();  // what is always ready leaves others of the loop their turn
  while (file_) {
    const ssize_t got = ::read(file_.get(), into, size);
    if (got >= 0) co_return static_cast<std::size_t>(got);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return 0;  // EIO: nobody has the terminal behind it open any more
    const Woken woken = co_await readiness_->wait(Want::read, deadline_in(std::chrono::milliseconds::max()));
    if (woken != Woken::ready) co_return 0;
  }
  co_return 0;
}

asio::awaitable<std::size_t> PipeEnd::write(std::string_view bytes) {
  co_await give_way();
  while (file_) {
    const ssize_t put = ::write(file_.get(), bytes.data(), bytes.size());
    if (put >= 0) co_return static_cast<std::size_t>(put);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return 0;
    const Woken woken = co_await readiness_->wait(Want::write, deadline_in(std::chrono::milliseconds::max()));
    if (woken != Woken::ready) co_return 0;
  }
  co_return 0;
}

bool PipeEnd::control(unsigned long request, void* value) { return file_ && ::ioctl(file_.get(), request, value) == 0; }

void PipeEnd::close() {
  if (!file_) return;
  readiness_->cancel();
  readiness_.reset();
  file_.reset();
}

}  // namespace berth::io
