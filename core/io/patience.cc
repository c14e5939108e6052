#include "core/io/patience.h"

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>
#include <poll.h>

namespace berth::io {
namespace {

/// "15s", or "1500ms" where it is no whole number of them.
std::string span_text(milliseconds span) {
  return span.count() > 0 && span.count() % 1000 == 0 ? fmt::format("{}s", span.count() / 1000) : fmt::format("{}ms", span.count());
}

}  // namespace

Patience::Patience(const FetchOptions& options, std::stop_token stop)
    : stop_(std::move(stop)), connect_(options.connect_timeout), one_stall_(options.stall_timeout), one_total_(options.total_timeout), stall_(one_stall_),
      total_(one_total_), end_(deadline_in(total_)), connect_end_(end_) {
  connecting();
}

void Patience::connecting() {
  connecting_ = true;
  connect_end_ = std::min(deadline_in(connect_), end_);
}

void Patience::connected() { connecting_ = false; }

void Patience::renew(std::stop_token stop, int times) {
  stop_ = std::move(stop);
  stall_ = times * one_stall_;
  total_ = times * one_total_;
  end_ = deadline_in(total_);
}

Result<void> Patience::check() const {
  if (stop_.stop_requested()) return fail(Errc::cancelled, "stopped");
  const auto now = Steady::now();
  if (now >= end_) return fail(Errc::timeout, fmt::format("it took longer than {} in all", span_text(total_)));
  if (connecting_ && now >= connect_end_) return fail(Errc::unreachable, fmt::format("no connection within {}", span_text(connect_)));
  return {};
}

Result<void> Patience::wait(int fd, short events) const {
  const auto stalls_at = std::min(connecting_ ? connect_end_ : deadline_in(stall_), end_);
  while (true) {
    BERTH_CHECK(check());
    const auto left = std::chrono::ceil<milliseconds>(stalls_at - Steady::now());
    if (left <= milliseconds(0)) {
      BERTH_CHECK(check());
      return fail(Errc::timeout, fmt::format("not a byte came for {}", span_text(stall_)));
    }
    pollfd item{.fd = fd, .events = events, .revents = 0};
    const int found = ::poll(&item, 1, static_cast<int>(std::min(left, kSlice).count()));
    if (found > 0) return {};
    if (found < 0 && errno != EINTR) return fail_errno("wait for a connection");
  }
}

}  // namespace berth::io
