#include "core/io/loop.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/files/fd.h"
#include "core/io/on_loop.h"

namespace berth::io {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;

awaitable<void> sleep_then_block() {
  co_await sleep_for(80ms);
  std::this_thread::sleep_for(20ms);
}

TEST(Loop, MeasuresTheLongestTurnWithoutTheTimeItSleeps) {
  // A machine with other work may take this thread's processor away in the middle of a turn: the shortest of some is what it takes by itself.
  std::chrono::microseconds blocking = 1h, sleeping = 1h;
  for (int i = 0; i < 20 && (blocking >= 75ms || sleeping >= 60ms); ++i) {
    Loop one, other;
    on_loop(one, sleep_then_block());
    blocking = std::min(blocking, one.longest_turn());
    on_loop(other, sleep_for(80ms));
    sleeping = std::min(sleeping, other.longest_turn());
  }
  EXPECT_GE(blocking, 20ms);
  EXPECT_LT(blocking, 75ms);
  EXPECT_LT(sleeping, 60ms);
}

TEST(Loop, HoweverManyAskForTheLongestTurnItIsTold) {
  Loop loop;
  on_loop(loop, sleep_then_block());
  for (int asked = 0; asked < 2; ++asked) EXPECT_GE(loop.longest_turn(), 20ms);
}

awaitable<void> take_turns(std::string& seen, char name) {
  for (int i = 0; i < 3; ++i) {
    seen += name;
    co_await next_turn();
  }
}

awaitable<void> three_turns_of_two(std::string& seen) {
  const auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::co_spawn(executor, take_turns(seen, 'a'), boost::asio::detached);  // which begins at once
  co_await take_turns(seen, 'b');
}

TEST(NextTurn, LetsWhatElseWaitsForTheLoopGoFirst) {
  Loop loop;
  std::string seen;
  on_loop(loop, three_turns_of_two(seen));
  EXPECT_EQ(seen, "ababab");
}

TEST(Loop, RunsWhatOtherThreadsPostOnItsOwnThread) {
  Loop loop;
  std::thread::id where;
  std::thread other([&] { loop.post([&] { where = std::this_thread::get_id(); loop.stop(); }); });
  loop.run();
  other.join();
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST(Loop, RunsAgainAfterItWasStopped) {
  Loop loop;
  on_loop(loop, sleep_for(1ms));
  on_loop(loop, sleep_for(1ms));
}

awaitable<void> throw_something() {
  co_await sleep_for(1ms);
  throw std::runtime_error("broken invariant");
}

TEST(LoopDeathTest, EndsTheProgramWhenATaskThrows) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH({ Loop loop; loop.spawn("the task", throw_something()); loop.run(); }, "the task 'the task' threw: broken invariant");
}

TEST(Loop, EndsASleepThatIsCancelled) {
  Loop loop;
  boost::asio::cancellation_signal cancel;
  boost::asio::co_spawn(loop.executor(), sleep_for(1h), boost::asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) { loop.stop(); }));
  loop.post([&] { cancel.emit(boost::asio::cancellation_type::terminal); });
  const auto began = Steady::now();
  loop.run();
  EXPECT_LT(Steady::now() - began, 5s);
}

awaitable<bool> wait_for(Event* event, milliseconds at_most) { co_return co_await event->wait(at_most); }
awaitable<void> count_wakes(Event* event, int times, int* woken) {
  for (int i = 0; i < times; ++i) {
    const bool notified = co_await event->wait(10s);
    if (notified) ++*woken;
  }
}
awaitable<void> notify_twice(Event* event, const int* woken, int* after_first) {
  co_await sleep_for(5ms);
  event->notify();
  event->notify();
  co_await sleep_for(5ms);
  *after_first = *woken;
  event->notify();
  co_await sleep_for(5ms);
}

TEST(Event, WakesEveryoneWhoWaitsNowOnce) {
  Loop loop;
  Event event(loop.executor());
  int woken = 0;
  int after_first = 0;
  loop.spawn("one", count_wakes(&event, 2, &woken));
  loop.spawn("two", count_wakes(&event, 2, &woken));
  on_loop(loop, notify_twice(&event, &woken, &after_first));
  EXPECT_EQ(after_first, 2);
  EXPECT_EQ(woken, 4);
}

TEST(Event, SaysWhenNobodyNotified) {
  Loop loop;
  Event event(loop.executor());
  EXPECT_FALSE(on_loop(loop, wait_for(&event, 5ms)));
}

TEST(Event, ForgetsANotificationThatNobodyWaitedFor) {
  Loop loop;
  Event event(loop.executor());
  event.notify();
  EXPECT_FALSE(on_loop(loop, wait_for(&event, 5ms)));
}

awaitable<std::thread::id> run_and_return(Pool* pool, std::thread::id* worked_in, std::string* value) {
  *value = co_await pool->run([worked_in] { *worked_in = std::this_thread::get_id(); return std::string("done"); });
  co_return std::this_thread::get_id();
}

TEST(Pool, WorksInAnotherThreadAndReturnsToTheLoop) {
  Loop loop;
  Pool pool(2);
  std::thread::id worked_in;
  std::string value;
  EXPECT_EQ(on_loop(loop, run_and_return(&pool, &worked_in, &value)), std::this_thread::get_id());
  EXPECT_NE(worked_in, std::this_thread::get_id());
  EXPECT_EQ(value, "done");
}

awaitable<bool> signals_blocked_in(Pool* pool) {
  co_return co_await pool->run([] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGCHLD) == 1;
  });
}

TEST(Pool, ItsThreadsTakeNoSignals) {
  Loop loop;
  Pool pool(1);
  EXPECT_TRUE(on_loop(loop, signals_blocked_in(&pool)));
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGTERM), 0);
}

awaitable<void> add_in(Pool* pool, std::atomic<int>* sum) {
  co_await pool->run([sum] { ++*sum; });
}

TEST(Pool, DoesWhatIsQueuedBeforeItIsGone) {
  Loop loop;
  std::atomic<int> sum{0};
  {
    Pool pool(1);
    for (int i = 0; i < 100; ++i) loop.spawn("add", add_in(&pool, &sum));
    on_loop(loop, sleep_for(0ms));
  }
  EXPECT_EQ(sum, 100);
}

awaitable<Result<bool>> readable(int fd, milliseconds at_most) { co_return co_await wait_readable(fd, at_most); }

TEST(WaitReadable, SeesBytesAndTheLackOfThem) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  Loop loop;
  EXPECT_EQ(on_loop(loop, readable(reader.get(), 10ms)), false);
  ASSERT_EQ(::write(writer.get(), "x", 1), 1);
  EXPECT_EQ(on_loop(loop, readable(reader.get(), 10s)), true);
  EXPECT_EQ(on_loop(loop, readable(reader.get(), 0ms)), true);
  EXPECT_FALSE(on_loop(loop, readable(-1, 10ms)).has_value());
}

awaitable<int> next_of(Signals* signals) { co_return co_await signals->next(); }

TEST(Signals, GiveWhatArrives) {
  Loop loop;
  Signals signals(loop.executor(), {SIGUSR1, SIGUSR2});
  loop.post([] { ::raise(SIGUSR2); });
  EXPECT_EQ(on_loop(loop, next_of(&signals)), SIGUSR2);
  ::raise(SIGUSR1);
  EXPECT_EQ(on_loop(loop, next_of(&signals)), SIGUSR1);
}

}  // namespace
}  // namespace berth::io
