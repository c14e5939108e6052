#include "core/io/loop.h"

#include <cstdio>
#include <cstdlib>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "core/io/longest_turns.h"
#include "core/io/task_end.h"
#include "core/io/turn_clock.h"

namespace berth::io {
namespace asio = boost::asio;

void end_of_task(const std::string& name, const std::exception_ptr& thrown) {
  if (!thrown) return;
  std::string why = "an unknown exception";
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) return;
    why = error.what();
  } catch (const std::exception& error) {
    why = error.what();
  } catch (...) {
  }
  std::fprintf(stderr, "berth: the task '%s' threw: %s\n", name.c_str(), why.c_str());
  std::abort();
}

struct Loop::State {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  LongestTurns turns;
};

Loop::Loop() : state_(std::make_unique<State>()) {}
Loop::~Loop() = default;

asio::any_io_executor Loop::executor() { return state_->context.get_executor(); }

void Loop::spawn(std::string name, asio::awaitable<void> task) {
  asio::co_spawn(state_->context, std::move(task),
                 [name = std::move(name)](const std::exception_ptr& thrown) { end_of_task(name, thrown); });
}

void Loop::post(std::function<void()> f) { asio::post(state_->context, std::move(f)); }

void Loop::run() {
  if (state_->context.stopped()) state_->context.restart();
  while (true) {
    turn_began = Steady::now();
    if (state_->context.run_one() == 0) return;
    const auto now = Steady::now();
    state_->turns.add(std::chrono::duration_cast<std::chrono::microseconds>(now - turn_began), now);
  }
}

void Loop::stop() { state_->context.stop(); }

std::chrono::microseconds Loop::longest_turn() const { return state_->turns.most(Steady::now()); }

}  // namespace berth::io
