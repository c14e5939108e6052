#include "daemon/deploy/waiting_events.h"

#include <algorithm>

#include <boost/asio/post.hpp>

namespace berth::deploy {

using namespace std::chrono_literals;

void WaitingEvents::watch() {
  node_.store.on_waiting([this, executor = node_.executor, owner = node_.owner()] {  // on whatever thread
    boost::asio::post(executor, [this, owner] {
      const auto here = owner.lock();
      if (!here || node_.closed || writing_) return;
      writing_ = true;
      node_.spawn(write());
    });
  });
}

awaitable<void> WaitingEvents::write() {
  const auto write_out = [this] { return node_.store.write_out(); };
  for (auto pause = 1s; !node_.closed; pause = std::min(pause * 2, 60s)) {
    co_await io::sleep_for(pause);
    if (node_.closed) co_return;
    const auto written = co_await node_.pool.run(write_out);
    if (written) break;
  }
  writing_ = false;
}

}  // namespace berth::deploy
