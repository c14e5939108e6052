#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/io/loop.h"
#include "core/io/signals_blocked.h"

namespace berth::io {
namespace asio = boost::asio;

struct Pool::State {
  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [this] { return ending || !jobs.empty(); });
      if (jobs.empty()) return;
      {
        const std::function<void()> job = std::move(jobs.front());
        jobs.pop_front();
        lock.unlock();
        job();
      }
      lock.lock();
    }
  }

  void add(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex);
      jobs.push_back(std::move(job));
    }
    wake.notify_one();
  }

  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> jobs;
  bool ending = false;
  std::vector<std::thread> threads;
};

Pool::Pool(std::size_t threads) : state_(std::make_unique<State>()) {
  const SignalsBlocked blocked;
  for (std::size_t i = 0; i < threads; ++i) state_->threads.emplace_back([state = state_.get()] { state->work(); });
}

Pool::~Pool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->wake.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

// A coroutine that is cancelled while its work runs is woken when the work is done, not before: the work may use what the frame holds.
asio::awaitable<void> Pool::run_erased(std::function<void()> f, std::stop_source stop) {
  State* const state = state_.get();
  auto start = [state, &f, &stop](auto handler) {
    using Handler = decltype(handler);
    struct Job {
      std::function<void()> f;
      Handler handler;
      asio::executor_work_guard<asio::associated_executor_t<Handler>> work;
    };
    auto executor = asio::get_associated_executor(handler);
    if (auto slot = asio::get_associated_cancellation_slot(handler); stop.stop_possible() && slot.is_connected())
      slot.assign([stop](asio::cancellation_type) mutable { stop.request_stop(); });
    auto job = std::make_shared<Job>(Job{std::move(f), std::move(handler), asio::make_work_guard(executor)});
    state->add([job]() mutable {
      job->f();
      job->f = nullptr;
      // The last owner: from here on the job lives in its handler, and is destroyed on the loop.
      const auto its_executor = job->work.get_executor();
      asio::post(its_executor, [done = std::move(job)] {
        if (auto slot = asio::get_associated_cancellation_slot(done->handler); slot.is_connected()) slot.clear();
        std::move(done->handler)();
      });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start, asio::use_awaitable);
}

}  // namespace berth::io
