#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/io/on_loop.h"
#include "daemon/route/own_network.h"
#include "daemon/route/router.h"

namespace berth::route {

/// Connects, and gives what the server says until it closes, or "!" and what failed. `from`: source address to bind, or empty.
std::string ask(const std::string& address, std::uint16_t port, const std::string& from = {}, int timeout_ms = 5000);

/// A program of its own that says its name to everyone who connects, 200 µs later, and closes. Killed at the end.
class Server {
 public:
  /// Serves on a duplicate of `listener`; has nothing else open.
  Server(int listener, const std::string& name);
  ~Server() { stop(); }
  void stop();
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

/// "::" and "::1" where the machine has IPv6, and else what takes their place.
std::string all_addresses();
std::string another_loopback();

/// A listening socket, not in any group. `address`: "::" is dual-stack.
Fd listen_at(const std::string& address, std::uint16_t port, bool shared = false);

/// Clients that connect again and again, over IPv4 and, where the machine has it, IPv6.
class Load {
 public:
  explicit Load(std::uint16_t port, int clients = 4);
  ~Load() { end(); }
  void end();
  /// Returns when `count` more answers came.
  void await(int count);
  int failed() const { return static_cast<int>(failures.size()); }
  int total() const { return total_; }

  std::map<std::string, int> answers;   ///< once ended
  std::vector<std::string> failures;

 private:
  void ask_again_and_again(std::uint16_t port, int client);

  std::atomic<bool> stop_{false};
  std::atomic<int> total_{0};
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

/// A router in a network of this test's own.
class RouterFixture : public testing::Test {
 protected:
  RouterFixture() { restart(); }
  /// As if berthd were killed, and started again.
  void restart() {
    router.reset();
    router = std::make_unique<Router>(loop.executor(), pool, folder.path());
  }

  static InstanceId id(const std::string& release, int number = 1) { return {"web", "web", number, release}; }
  static Public by(spec::Routing kind, std::uint16_t port = 8080) { return {.app = "web", .process = "web", .port = port, .kind = kind}; }

  Result<void> claim(const Public& port) { return io::on_loop(loop, router->claim(port)); }
  Result<void> give_up(const Public& port) { return io::on_loop(loop, router->give_up(port)); }
  Result<void> serve(const Public& port, const std::vector<Backend>& backends) { return io::on_loop(loop, router->serve(port, backends)); }
  Result<void> settle() { return io::on_loop(loop, router->settle()); }
  int connections(const Public& port, const Backend& backend, const std::vector<pid_t>& pids) {
    auto count = io::on_loop(loop, router->connections(port, backend, pids));
    EXPECT_TRUE(count) << count.error().message;
    return count.value_or(-1);
  }
  /// Waits until an instance has no connection any more, as a deployment does before it stops one.
  void drain(const Public& port, const Backend& backend, pid_t pid) {
    for (int looks = 0; connections(port, backend, {pid}) != 0; ++looks) {
      ASSERT_LT(looks, 2000) << to_string(backend.id) << " keeps connections";
      io::on_loop(loop, io::sleep_for(io::milliseconds(1)));
    }
  }

  OwnNetwork network;  // before there are threads
  files::TemporaryDirectory folder;
  io::Loop loop;
  io::Pool pool{2};
  std::unique_ptr<Router> router;
};

#define ASSERT_OK(expression)                               \
  do {                                                      \
    const auto ok = (expression);                           \
    ASSERT_TRUE(ok.has_value()) << ok.error().message;      \
  } while (false)

}  // namespace berth::route
