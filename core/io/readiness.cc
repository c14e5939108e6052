#include "core/io/readiness.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <poll.h>

namespace berth::io {
namespace {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;

}  // namespace

bool is_ready_now(int fd, Want want) {
  pollfd item{.fd = fd, .events = static_cast<short>(want == Want::read ? POLLIN : POLLOUT), .revents = 0};
  return ::poll(&item, 1, 0) > 0;
}

Steady::time_point deadline_in(std::chrono::milliseconds after) {
  constexpr auto kLongest = std::chrono::hours(24 * 3650);
  return Steady::now() + std::min<std::chrono::milliseconds>(after, kLongest);
}

struct Readiness::State {
  State(const asio::any_io_executor& executor, int its_fd) : fd(its_fd), descriptor(executor), timer(executor) {}
  ~State() { let_go(); }

  /// Has the kernel watch the descriptor, which is first done where somebody must wait for it. False where it cannot.
  bool watch() {
    if (descriptor.is_open()) return true;
    boost::system::error_code failed;
    descriptor.assign(fd, failed);
    return !failed;
  }
  void let_go() {
    if (descriptor.is_open()) descriptor.release();
    fd = -1;
  }

  int fd;  ///< -1: no longer ours to watch
  stream_descriptor descriptor;
  asio::steady_timer timer;
  bool expired = false;
  std::uint64_t waits = 0;  ///< tells a late timer that its wait is over
};

Readiness::Readiness(asio::any_io_executor executor, int fd) : state_(std::make_shared<State>(executor, fd)) {}
Readiness::~Readiness() {
  // The caller closes the descriptor next, while a frame that waits may hold the state a little longer.
  if (state_) state_->let_go();
}
Readiness::Readiness(Readiness&&) noexcept = default;
Readiness& Readiness::operator=(Readiness&& other) noexcept {
  if (this != &other) {
    cancel();
    if (state_) state_->let_go();
    state_ = std::move(other.state_);
  }
  return *this;
}

void Readiness::cancel() {
  boost::system::error_code ignored;
  if (state_ && state_->descriptor.is_open()) state_->descriptor.cancel(ignored);
}

asio::awaitable<Woken> Readiness::wait(Want want, Steady::time_point deadline) {
  const auto state = state_;
  if (state->fd < 0) co_return Woken::cancelled;
  if (Steady::now() >= deadline) {
    if (is_ready_now(state->fd, want)) co_return Woken::ready;
    co_return Woken::timeout;
  }
  if (!state->watch()) co_return Woken::failed;
  const std::uint64_t wait = ++state->waits;
  state->expired = false;
  state->timer.expires_at(deadline);
  state->timer.async_wait([weak = std::weak_ptr(state), wait](boost::system::error_code cancelled) {
    if (cancelled) return;
    const auto late = weak.lock();
    if (!late || late->waits != wait || !late->descriptor.is_open()) return;
    late->expired = true;
    boost::system::error_code ignored;
    late->descriptor.cancel(ignored);
  });
  const auto kind = want == Want::read ? stream_descriptor::wait_read : stream_descriptor::wait_write;
  const auto [error] = co_await state->descriptor.async_wait(kind, asio::as_tuple(asio::use_awaitable));
  ++state->waits;
  state->timer.cancel();
  if (!error) co_return Woken::ready;
  if (error == asio::error::operation_not_supported) co_return Woken::ready;  // a regular file
  if (error != asio::error::operation_aborted) co_return Woken::failed;
  if (state->expired) co_return Woken::timeout;
  co_return Woken::cancelled;
}

asio::awaitable<void> give_way() {
  const auto executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

std::unexpected<Error> fail_woken(Woken woken, std::string_view doing) {
  switch (woken) {
    case Woken::timeout: return fail(Errc::timeout, std::string(doing) + ": no answer in time");
    case Woken::cancelled: return fail(Errc::cancelled, std::string(doing) + ": cancelled");
    default: return fail(Errc::io, std::string(doing) + ": the kernel cannot watch the descriptor");
  }
}

}  // namespace berth::io
