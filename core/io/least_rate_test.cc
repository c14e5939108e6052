#include "core/io/least_rate.h"

#include <thread>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "core/io/raw_peer.h"
#include "core/io/readiness.h"

namespace berth::io {
namespace {

using namespace std::chrono_literals;

FetchOptions at_least(std::uint64_t bytes_per_second, milliseconds over) {
  FetchOptions options{.most = 1'000'000'000};
  options.least_bytes_per_second = bytes_per_second;
  options.least_over = over;
  return options;
}

TEST(LeastRate, LeavesAPeerThatGivesAByteNowAndThen) {
  LeastRate rate(at_least(1024, 30s));
  EXPECT_TRUE(rate.took(1, 9s));
  EXPECT_TRUE(rate.took(1, 9s));
  EXPECT_TRUE(rate.took(1, 9s));
  const auto slow = rate.took(1, 9s);
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, Errc::timeout);
  EXPECT_EQ(slow.error().message, "only 4 bytes came in 36.0 s, and 1024 in a second are the least");
}

TEST(LeastRate, LeavesNoneThatIsSlowAndComesOn) {
  LeastRate rate(at_least(1024, 30s));
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(rate.took(9 * 1024 + 1, 9s));
  EXPECT_TRUE(rate.took(1 << 20, 29s)) << "what came at last counts";
}

TEST(LeastRate, CountsWhatCameBeforeForNothing) {
  LeastRate rate(at_least(1024, 30s));
  EXPECT_TRUE(rate.took(100 << 20, 30s));
  EXPECT_TRUE(rate.took(1, 15s));
  EXPECT_FALSE(rate.took(1, 15s));
}

TEST(LeastRate, IsLowerWhereLessIsTaken) {
  FetchOptions options = at_least(1024, 30s);
  options.bytes_per_second = 200;
  LeastRate rate(options);
  EXPECT_TRUE(rate.took(101 * 30, 30s));
  EXPECT_FALSE(rate.took(99 * 30, 30s));
}

TEST(LeastRate, IsNoneUnlessOneIsSaid) {
  LeastRate rate(FetchOptions{});
  EXPECT_TRUE(rate.took(0, 10h));
}

/// A page whose bytes come one after the other, each after a while.
void trickle_slowly(int connection) {
  read_head(connection);
  send_raw(connection, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
  pollfd item{.fd = connection, .events = POLLIN, .revents = 0};
  do {
    send_raw(connection, "x");
  } while (::poll(&item, 1, 50) == 0);
}

TEST(LeastRate, EndsAFetchThatTrickles) {
  const RawPeer peer(trickle_slowly);
  const auto before = Steady::now();
  const auto done = http_fetch(fmt::format("http://127.0.0.1:{}/", peer.port()), at_least(1024, 500ms), [](std::string_view) { return Result<void>(); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::timeout);
  EXPECT_NE(done.error().message.find("are the least"), std::string::npos) << done.error().message;
  EXPECT_LT(Steady::now() - before, 10s);
}

TEST(LeastRate, EndsAFetchWhoseHeadTrickles) {
  const RawPeer peer([](int connection) {
    read_head(connection);
    send_raw(connection, "HTTP/1.1 200 OK\r\nX-Long: ");
    pollfd item{.fd = connection, .events = POLLIN, .revents = 0};
    do {
      send_raw(connection, "x");
    } while (::poll(&item, 1, 50) == 0);
  });
  const auto done = http_fetch(fmt::format("http://127.0.0.1:{}/", peer.port()), at_least(1024, 500ms), [](std::string_view) { return Result<void>(); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::timeout);
}

TEST(LeastRate, DoesNotCountTheTimeOfWhoeverTakesTheBytes) {
  const RawPeer peer(RawPeer::answer("HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + std::string(400'000, 'x')));
  std::uint64_t taken = 0;
  const auto done = http_fetch(fmt::format("http://127.0.0.1:{}/", peer.port()), at_least(10'000'000, 100ms), [&](std::string_view piece) {
    taken += piece.size();
    std::this_thread::sleep_for(30ms);
    return Result<void>();
  });
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_EQ(taken, 400'000u);
}

}  // namespace
}  // namespace berth::io
