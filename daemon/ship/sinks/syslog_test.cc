#include "daemon/ship/sinks/syslog.h"

#include <atomic>
#include <mutex>
#include <thread>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "core/io/ip_address.h"
#include "core/io/listen.h"
#include "core/io/on_loop.h"
#include "core/io/raw_peer.h"
#include "daemon/ship/sinks/sinks_fixture.h"
#include "daemon/ship/sinks/syslog_message.h"

namespace berth::ship {
namespace {

using namespace std::chrono_literals;
using io::RawPeer;
using testing::HasSubstr;
using Kind = Delivery::Kind;
using Receipt = SyslogSettings::Receipt;

SyslogSettings to_port(std::uint16_t port, Receipt receipt = Receipt::read) {
  return {.name = "s", .host = "127.0.0.1", .port = port, .receipt = receipt, .timeout = 5s};
}

/// What a server keeps of its connections; not of those that say nothing, by which it is asked whether it goes on.
struct Kept {
  std::mutex mutex;
  std::vector<std::string> connections;

  void add(std::string bytes) {
    const std::lock_guard lock(mutex);
    if (!bytes.empty()) connections.push_back(std::move(bytes));
  }
};

TEST(SyslogByTcp, TakenMeansThatTheServerReadItAll) {
  Kept kept;
  RawPeer server([&](int connection) { kept.add(io::read_raw(connection)); });
  const auto courier = make_syslog_courier(to_port(server.port()));
  for (const std::uint64_t first : {1, 3}) {
    const Delivery delivery = courier->deliver(sample_batch(2, first), {});
    EXPECT_EQ(delivery.kind, Kind::taken) << delivery.reason;
  }
  const std::lock_guard lock(kept.mutex);
  ASSERT_EQ(kept.connections.size(), 2u);
  EXPECT_THAT(kept.connections[0], testing::AllOf(HasSubstr("seq=\"1\"] line 1"), testing::EndsWith("seq=\"2\"] line 2")));
  EXPECT_THAT(kept.connections[1], HasSubstr("seq=\"4\"] line 4"));
}

TEST(SyslogByTcp, ABatchThatIsWrittenInPiecesArrivesWhole) {
  Kept kept;
  RawPeer server([&](int connection) { kept.add(io::read_raw(connection)); });
  const std::vector<Entry> batch = sample_batch(5000);
  const Delivery delivery = make_syslog_courier(to_port(server.port()))->deliver(batch, {});
  ASSERT_EQ(delivery.kind, Kind::taken) << delivery.reason;
  SyslogEncoder encoder({.facility = 3, .most = SyslogSettings().most_message, .split = true, .counted = true});
  SyslogMessages whole;
  for (const Entry& entry : batch) encoder.encode(entry, whole);
  const std::lock_guard lock(kept.mutex);
  ASSERT_EQ(kept.connections.size(), 1u);
  EXPECT_GT(whole.bytes.size(), 1u << 20);
  EXPECT_TRUE(kept.connections[0] == whole.bytes) << kept.connections[0].size() << " bytes of " << whole.bytes.size();
}

TEST(SyslogByTcp, AServerThatGoesInBetweenTwoPiecesHasTakenNothing) {
  RawPeer server([](int connection) { io::read_raw(connection, "line 900"); });  // and closes with the rest unread
  const Delivery delivery = make_syslog_courier(to_port(server.port()))->deliver(sample_batch(16'000), {});
  EXPECT_EQ(delivery.kind, Kind::later);
}

TEST(SyslogByTcp, ALargeBatchHasMoreTime) {
  SyslogSettings settings = to_port(0);
  settings.timeout = 400ms;
  RawPeer slow([](int connection) {
    std::this_thread::sleep_for(700ms);
    io::read_raw(connection);
  });
  settings.port = slow.port();
  EXPECT_EQ(make_syslog_courier(settings)->deliver(sample_batch(4000), {}).kind, Kind::later);
  const Delivery delivery = make_syslog_courier(settings)->deliver(sample_batch(16'000), {});
  EXPECT_EQ(delivery.kind, Kind::taken) << delivery.reason;
}

TEST(SyslogByTcp, AServerThatClosesWithoutReadingHasTakenNothing) {
  std::vector<Entry> batch = sample_batch(1);
  batch[0].text = std::string(100'000, 'x');
  RawPeer server([](int connection) { io::read_raw(connection, "<"); });  // and closes with the rest unread
  const Delivery delivery = make_syslog_courier(to_port(server.port()))->deliver(batch, {});
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_THAT(delivery.reason, HasSubstr("syslog at 127.0.0.1:"));
}

TEST(SyslogByTcp, AServerThatEndsWithTheConnectionMayHaveThrownItAway) {
  Fd listener = std::move(*io::listen_at_address("127.0.0.1", 0));
  const int number = listener.get();
  RawPeer server(std::move(listener), [number](int connection) {
    io::read_raw(connection);
    ::shutdown(number, SHUT_RDWR);
  });
  const Delivery delivery = make_syslog_courier(to_port(server.port()))->deliver(sample_batch(1), {});
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_THAT(delivery.reason, HasSubstr("it ended the connection, and is not there any more: nothing listens"));
}

/// As under load: its connections end, and a good while later its program does, with what it has read.
TEST(SyslogByTcp, AServerThatEndsSlowlyMayHaveThrownItAway) {
  Fd listener = std::move(*io::listen_at_address("127.0.0.1", 0));
  const int number = listener.get();
  RawPeer server(std::move(listener), [number](int connection) {
    io::read_raw(connection);
    ::shutdown(connection, SHUT_WR);
    std::this_thread::sleep_for(300ms);
    ::shutdown(number, SHUT_RDWR);
  });
  const Delivery delivery = make_syslog_courier(to_port(server.port()))->deliver(sample_batch(1), {});
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_THAT(delivery.reason, HasSubstr("it ended the connection, and is not there any more"));
}

TEST(SyslogByTcp, AServerThatClosesEachConnectionAtOnceHasTakenNothing) {
  RawPeer server([](int) {});
  const auto courier = make_syslog_courier(to_port(server.port()));
  const std::vector<Entry> batch = sample_batch(100);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(courier->deliver(batch, {}).kind, Kind::later);
}

TEST(SyslogByTcp, AServerThatNeverEndsAConnectionIsToldOf) {
  SyslogSettings settings = to_port(0);
  settings.timeout = 1s;
  std::atomic<bool> over{false};
  RawPeer stubborn([&](int connection) {
    io::read_raw(connection);
    while (!over) std::this_thread::sleep_for(10ms);
  });
  settings.port = stubborn.port();
  const Delivery delivery = make_syslog_courier(settings)->deliver(sample_batch(1), {});
  over = true;
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_THAT(delivery.reason, HasSubstr("receipt = \"received\" is for it"));
}

TEST(SyslogByTcp, ByReceivedTheConnectionIsKeptAndAClosedOneSeen) {
  Kept kept;
  RawPeer server([&](int connection) { kept.add(io::read_raw(connection, "line 2")); });  // and closes
  const auto connections = [&kept] {
    const std::lock_guard lock(kept.mutex);
    return kept.connections;
  };
  const auto courier = make_syslog_courier(to_port(server.port(), Receipt::received));
  EXPECT_EQ(courier->deliver(sample_batch(1, 1), {}).kind, Kind::taken);
  EXPECT_EQ(courier->deliver(sample_batch(1, 2), {}).kind, Kind::taken);
  while (connections().empty()) std::this_thread::yield();
  EXPECT_THAT(connections()[0], testing::AllOf(HasSubstr("] line 1"), testing::EndsWith("] line 2")));
  // The end of the connection is seen now, or when it has arrived: then there is another one.
  for (int attempt = 0; attempt < 1000 && connections().size() < 2; ++attempt) courier->deliver(sample_batch(2), {});
  ASSERT_GE(connections().size(), 2u);
  EXPECT_THAT(connections()[1], HasSubstr("] line 1"));
}

TEST(SyslogByTcp, NobodyThereIsForLater) {
  std::uint16_t port = 0;
  {
    RawPeer gone([](int) {});
    port = gone.port();
  }
  const Delivery delivery = make_syslog_courier(to_port(port))->deliver(sample_batch(1), {});
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_THAT(delivery.reason, HasSubstr("nothing listens"));
}

TEST(SyslogByTcp, AWishToStopEndsItSoon) {
  SyslogSettings settings = to_port(0, Receipt::received);
  settings.timeout = 60s;
  std::vector<Entry> batch = sample_batch(1);
  batch[0].text = std::string(8u << 20, 'x');  // more than sockets hold
  std::atomic<bool> over{false};
  RawPeer stubborn([&](int) {
    while (!over) std::this_thread::sleep_for(10ms);
  });
  settings.port = stubborn.port();
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  const auto began = std::chrono::steady_clock::now();
  const Delivery delivery = make_syslog_courier(settings)->deliver(batch, stop.get_token());
  over = true;
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
}

/// Receives datagrams at a port of its own.
class UdpReceiver {
 public:
  UdpReceiver() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    auto address = io::ip_address("127.0.0.1", 0);
    EXPECT_EQ(::bind(socket_.get(), address->get(), address->size), 0);
    io::IpAddress bound;
    ::getsockname(socket_.get(), bound.get(), &bound.size);
    port_ = bound.port();
    const timeval patience{.tv_sec = 10};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  std::uint16_t port() const { return port_; }
  std::string receive() {
    std::string bytes(70'000, '\0');
    const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return bytes;
  }

 private:
  Fd socket_;
  std::uint16_t port_ = 0;
};

TEST(SyslogByUdp, EachEntryIsADatagram) {
  UdpReceiver receiver;
  SyslogSettings settings = to_port(receiver.port());
  settings.transport = SyslogSettings::Transport::udp;
  settings.most_message = 2048;
  std::vector<Entry> batch = sample_batch(2);
  batch[1].text = std::string(5000, 'x');
  const Delivery delivery = make_syslog_courier(settings)->deliver(batch, {});
  EXPECT_EQ(delivery.kind, Kind::taken) << delivery.reason;
  EXPECT_THAT(receiver.receive(), testing::AllOf(testing::StartsWith("<30>1 "), testing::EndsWith("seq=\"1\"] line 1")));
  const std::string cut = receiver.receive();
  EXPECT_LE(cut.size(), 2048u);
  EXPECT_THAT(cut, testing::AllOf(HasSubstr("cut=\"5000\""), testing::EndsWith("xxx")));
}

TEST(SyslogByUdp, WhereNobodyListensItIsForLater) {
  std::uint16_t port = 0;
  {
    UdpReceiver gone;
    port = gone.port();
  }
  SyslogSettings settings = to_port(port);
  settings.transport = SyslogSettings::Transport::udp;
  const Delivery delivery = make_syslog_courier(settings)->deliver(sample_batch(3), {});
  EXPECT_EQ(delivery.kind, Kind::later);
  EXPECT_THAT(delivery.reason, HasSubstr("nothing listens there"));
}

TEST(ThreadedSink, DeliversOnALoopAndEndsWithIt) {
  Kept kept;
  RawPeer server([&](int connection) { kept.add(io::read_raw(connection)); });
  io::Loop loop;
  auto sink = make_syslog_sink(to_port(server.port()));
  ASSERT_TRUE(sink) << sink.error().message;
  EXPECT_EQ((*sink)->name(), "s");
  EXPECT_EQ((*sink)->limits().entries, 16'000u);
  const auto batch = sample_batch(3);
  const Delivery delivery = io::on_loop(loop, (*sink)->send(batch));
  EXPECT_EQ(delivery.kind, Kind::taken) << delivery.reason;
}

TEST(ThreadedSink, CancellingGivesTheConnectionUp) {
  std::atomic<bool> over{false};
  RawPeer stubborn([&](int) {
    while (!over) std::this_thread::sleep_for(10ms);
  });
  SyslogSettings settings = to_port(stubborn.port());
  settings.timeout = 60s;
  io::Loop loop;
  auto sink = make_syslog_sink(settings);
  ASSERT_TRUE(sink);
  const auto batch = sample_batch(1);
  boost::asio::cancellation_signal cancel;
  bool ended = false;
  const auto began = std::chrono::steady_clock::now();
  boost::asio::co_spawn(loop.executor(), (*sink)->send(batch), boost::asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr, const Delivery& delivery) {
    ended = delivery.kind == Kind::later;
    loop.stop();
  }));
  std::jthread canceller([&] {
    std::this_thread::sleep_for(100ms);
    loop.post([&] { cancel.emit(boost::asio::cancellation_type::terminal); });
  });
  loop.run();
  over = true;
  EXPECT_TRUE(ended);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
}

TEST(ThreadedSink, AMissingFileIsToldBeforeAnythingIsSent) {
  SyslogSettings settings = to_port(1);
  settings.transport = SyslogSettings::Transport::tls;
  settings.tls.ca_file = "/nonexistent/ca.pem";
  const auto sink = make_syslog_sink(settings);
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().code, Errc::usage);
  EXPECT_THAT(sink.error().message, HasSubstr("ca_file: "));
}

}  // namespace
}  // namespace berth::ship
