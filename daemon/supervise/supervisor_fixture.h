#pragma once

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/io/loop.h"
#include "daemon/supervise/process_tree.h"
#include "daemon/supervise/supervisor.h"

namespace berth::supervise {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using boost::asio::awaitable;

/// A supervisor with real keepers and apps, in a folder of its own.
class SupervisorFixture : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/berth-supervise-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root = name;
    options = {.keeper_program = BERTH_KEEPER_PROGRAM, .run_directory = (root / "run").string()};
    begin();
  }
  void TearDown() override {
    if (!supervisor) begin();
    run([](SupervisorFixture* self) -> awaitable<void> {
      static_cast<void>(co_await self->supervisor->find());
      for (const auto& status : self->supervisor->all()) {
        const auto stopped = co_await self->supervisor->stop(status.id);
        EXPECT_TRUE(stopped) << stopped.error().message;
      }
    });
    supervisor.reset();
    fs::remove_all(root);
  }

  void begin() {
    changes.clear();
    supervisor = std::make_unique<Supervisor>(loop.executor(), pool, options);
    supervisor->on_change([this](const InstanceChange& change) { changes.push_back(change); });
  }
  /// As if berthd were killed and started again.
  void begin_again() {
    supervisor.reset();
    begin();
  }

  /// Runs a coroutine on the loop to its end.
  void run(awaitable<void> (*task)(SupervisorFixture*)) {
    loop.spawn("test", finish(task));
    loop.run();
  }
  awaitable<void> finish(awaitable<void> (*task)(SupervisorFixture*)) {
    co_await task(this);
    loop.stop();
  }

  awaitable<bool> wait_until(std::function<bool()> condition, io::milliseconds at_most = 30s) {
    const auto end = io::Steady::now() + at_most;
    while (!condition()) {
      if (io::Steady::now() > end) co_return false;
      co_await io::sleep_for(5ms);
    }
    co_return true;
  }

  InstancePlan shell(const std::string& script, int number = 1) const {
    return {.id = {"web", "web", number, "v1"},
            .argv = {"/bin/sh", "-c", script},
            .environment = {{"PATH", "/usr/bin:/bin"}},
            .directory = "/",
            .stop = {.signal = SIGTERM, .grace = 5s},
            .log_directory = (root / fmt::format("logs/web.{}", number)).string()};
  }
  InstanceStatus status(const InstancePlan& plan) const { return supervisor->status(plan.id).value_or(InstanceStatus{}); }
  bool ready(const InstancePlan& plan) const { return status(plan).ready; }
  int count(InstanceChange::Kind kind) const {
    return static_cast<int>(std::ranges::count(changes, kind, &InstanceChange::kind));
  }
  std::string log(const InstancePlan& plan) const {
    std::string all;
    for (const auto& entry : fs::directory_iterator(plan.log_directory)) {
      std::ifstream file(entry.path());
      all.append(std::istreambuf_iterator<char>(file), {});
    }
    return all;
  }
  static bool lives(pid_t pid) {
    const auto info = process_info(pid);
    return info && info->alive();
  }

  /// A free port of this machine.
  static std::uint16_t free_port() {
    Fd probe = listener(0);
    return port_of(probe.get());
  }
  static Fd listener(std::uint16_t port) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd.get(), 16), 0);
    return fd;
  }
  static std::uint16_t port_of(int fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

  /// A web server that answers /healthz with 200, or with 503 while the file `sick` is there. `take`: how it gets its socket.
  InstancePlan server(std::uint16_t port, const std::string& take) const {
    const auto program = fmt::format(R"(
import http.server, os, socket, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.path.exists('{}') else 200); self.send_header('Content-Length', '0'); self.end_headers()
    def log_message(self, *a): pass
s = http.server.HTTPServer(('127.0.0.1', {}), H, bind_and_activate=False)
{}
s.serve_forever()
)", (root / "sick").string(), port, take);
    auto plan = shell("");
    plan.argv = {"/usr/bin/python3", "-c", program};
    plan.probe_endpoint = io::Endpoint{.address = "127.0.0.1", .port = port};
    return plan;
  }
  static constexpr const char* kBind = "s.server_bind(); s.server_activate()";
  static constexpr const char* kTake = "s.socket.close(); s.socket = socket.socket(fileno=3)";

  fs::path root;
  SupervisorOptions options;
  io::Loop loop;
  io::Pool pool{2};
  std::unique_ptr<Supervisor> supervisor;
  std::vector<InstanceChange> changes;
};

/// A test whose body is a coroutine.
#define BERTH_CO_TEST(fixture, name)                                        \
  class fixture##_##name##_Body : public fixture {                          \
   public:                                                                  \
    awaitable<void> body();                                                 \
  };                                                                        \
  TEST_F(fixture##_##name##_Body, Test) {                                   \
    run([](SupervisorFixture* self) -> awaitable<void> {                    \
      co_await static_cast<fixture##_##name##_Body*>(self)->body();         \
    });                                                                     \
  }                                                                         \
  awaitable<void> fixture##_##name##_Body::body()

/// Waits, outside of a co_await expression for the lambda's sake (g++ 12 destroys a capturing temporary in there twice).
#define CO_WAIT(condition)                                                     \
  do {                                                                         \
    const std::function<bool()> condition_now = [&] { return (condition); };   \
    const bool came = co_await wait_until(condition_now);                      \
    EXPECT_TRUE(came) << #condition;                                           \
    if (!came) co_return;                                                      \
  } while (false)

#define CO_ASSERT(condition)                              \
  do {                                                    \
    const bool holds_now = static_cast<bool>(condition);  \
    EXPECT_TRUE(holds_now) << #condition;                 \
    if (!holds_now) co_return;                            \
  } while (false)

}  // namespace berth::supervise
