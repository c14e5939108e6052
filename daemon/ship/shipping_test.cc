#include "daemon/ship/shipping.h"

#include <atomic>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include "core/files/fd.h"
#include "core/files/files.h"
#include "core/io/on_loop.h"
#include "daemon/ship/kinds.h"
#include "daemon/ship/ship_fixture.h"

namespace berth::ship {
namespace {

using boost::asio::awaitable;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

/// A Loki that takes one batch, and answers when it is told to.
class SlowServer {
 public:
  SlowServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&here), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&here), &size), 0);
    port_ = ntohs(here.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~SlowServer() {
    answer = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

  std::atomic<bool> asked = false, answer = false;

 private:
  void serve() {
    const Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char bytes[4096];
    if (!client || ::recv(client.get(), bytes, sizeof bytes, 0) <= 0) return;
    asked = true;
    while (!answer) std::this_thread::sleep_for(1ms);
    const std::string_view text = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    ::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
    ::shutdown(client.get(), SHUT_WR);
    while (::recv(client.get(), bytes, sizeof bytes, 0) > 0) continue;
  }

  Fd listener_;
  int port_ = 0;
  std::thread thread_;
};

class ShippingTest : public ShipFixture {
 protected:
  void SetUp() override {
    ShipFixture::SetUp();
    before_ = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(said_)));
    write("web/web.1", 1, numbered(1, 3));
  }
  void TearDown() override {
    spdlog::set_default_logger(before_);
    ShipFixture::TearDown();
  }

  ShippingParts shipping_parts() {
    ShippingParts parts{.loop = loop, .looks = looks, .idle = idle, .logs = logs_root, .state = state, .node = "edge-1", .environment = "qa"};
    parts.events = [](std::int64_t, int) -> Result<std::vector<store::Event>> { return std::vector<store::Event>(); };
    parts.last_event = [] { return 0; };
    parts.tell = [](const store::Event&) {};
    parts.end_warning = 20ms;
    return parts;
  }
  static std::vector<config::Sink> sinks(const std::string& settings) {
    const auto said = config::parse("environment = \"qa\"\n[[sink]]\nname = \"all\"\nbatch_wait = \"5ms\"\n" + settings, "berthd.toml", "edge-1", sink_kinds());
    if (!said) ADD_FAILURE() << said.error().message;
    return said ? said->sinks : std::vector<config::Sink>();
  }
  std::string loki() const { return fmt::format("kind = \"loki\"\nurl = \"{}\"\n", server.url()); }
  std::string file() const { return fmt::format("kind = \"file\"\npath = \"{}\"\n", out().string()); }
  std::filesystem::path out() const { return root / "out.log"; }
  std::string shipped() const { return files::read(out(), 1u << 20).value_or(std::string()); }

  template <class Done>
  static awaitable<bool> within_ten_seconds(Done done) {
    for (int i = 0; i < 2000 && !done(); ++i) co_await io::sleep_for(5ms);
    co_return done();
  }

  SlowServer server;
  io::Loop loop;
  io::Pool looks{1}, idle{1};

 private:
  std::ostringstream said_;
  std::shared_ptr<spdlog::logger> before_;

 protected:
  std::string said() const { return said_.str(); }
};

TEST_F(ShippingTest, ASinkThatIsChangedWaitsForTheBatchThatIsUnderWay) {
  Shipping shipping(shipping_parts());
  const auto course = [&]() -> awaitable<void> {
    shipping.start(sinks(loki()), false);
    const auto asked = [&] { return server.asked.load(); };
    const bool sent = co_await within_ten_seconds(asked);
    EXPECT_TRUE(sent);
    const auto changed = shipping.change(sinks(file()), false);
    EXPECT_TRUE(changed.has_value());
    const auto warned = [&] { return said().find("has not ended") != std::string::npos; };
    const bool told = co_await within_ten_seconds(warned);
    EXPECT_TRUE(told);
    co_await io::sleep_for(100ms);
    EXPECT_EQ(shipping.statuses().at(0).state, "changing");
    EXPECT_EQ(shipped(), "") << "the batch that is under way is the old one's";

    server.answer = true;
    write("web/web.1", 1, cri(4, "line 4"));
    const auto came = [&] { return shipped().find("line 4") != std::string::npos; };
    const bool goes_on = co_await within_ten_seconds(came);
    EXPECT_TRUE(goes_on) << said();
    shipping.stop();
    const bool ended = co_await shipping.ended(10s);
    EXPECT_TRUE(ended);
  };
  io::on_loop(loop, course());
  EXPECT_THAT(shipped(), Not(HasSubstr("line 3"))) << "what the old one delivered does not come again";
  EXPECT_EQ(shipping.statuses().at(0).kind, "file");
  const std::string text = said();
  EXPECT_EQ(text.find("has not ended"), text.rfind("has not ended")) << "it is said once:\n" << text;
}

TEST_F(ShippingTest, WhatASinkThatIsNewWouldNeverFindRefusesTheChange) {
  Shipping shipping(shipping_parts());
  const auto course = [&]() -> awaitable<void> {
    shipping.start(sinks(loki()), false);
    const auto refused = shipping.change(sinks(loki() + fmt::format("token = \"file:{}\"\n", (root / "nope").string())), false);
    EXPECT_FALSE(refused.has_value());
    const std::string why = refused ? std::string() : refused.error().message;
    EXPECT_THAT(why, HasSubstr("[[sink]] all: token: open "));
    EXPECT_FALSE(shipping.change(sinks(file() + "group = \"no-such-group\"\n"), false).has_value());
    EXPECT_EQ(shipping.statuses().at(0).kind, "loki") << "what was before goes on";

    const std::string keys = loki() + fmt::format("token = \"file:{}\"\n", (root / "token").string());
    EXPECT_TRUE(files::replace(root / "token", "something", 0600));
    EXPECT_TRUE(shipping.change(sinks(keys), false).has_value());
    std::filesystem::remove(root / "token");
    EXPECT_TRUE(shipping.change(sinks(keys), false).has_value()) << "one that stays as it is hinders no other change";
    shipping.stop();
    server.answer = true;
    const bool ended = co_await shipping.ended(10s);
    EXPECT_TRUE(ended);
  };
  io::on_loop(loop, course());
}

TEST_F(ShippingTest, AStopEndsWhatIsLeavingToo) {
  Shipping shipping(shipping_parts());
  const auto course = [&]() -> awaitable<void> {
    shipping.start(sinks(loki()), false);
    const auto asked = [&] { return server.asked.load(); };
    const bool sent = co_await within_ten_seconds(asked);
    EXPECT_TRUE(sent);
    EXPECT_TRUE(shipping.change({}, false).has_value());
    EXPECT_TRUE(shipping.statuses().empty());
    co_await io::sleep_for(20ms);
    shipping.stop();
    const bool early = co_await shipping.ended(50ms);
    EXPECT_FALSE(early) << "a batch is under way";
    server.answer = true;
    const bool ended = co_await shipping.ended(10s);
    EXPECT_TRUE(ended);
  };
  io::on_loop(loop, course());
  const auto cursor = files::read(state / "ship" / "all.cursors", 1u << 20);
  EXPECT_TRUE(cursor && cursor->find("web/web.1") != std::string::npos) << "what it took is written down";
}

}  // namespace
}  // namespace berth::ship
