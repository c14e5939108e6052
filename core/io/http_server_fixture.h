#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/io/http.h"
#include "core/io/loop.h"
#include "core/io/raw_peer.h"

namespace berth::io {

using namespace std::chrono_literals;
using boost::asio::awaitable;

constexpr gid_t kSameGroup = static_cast<gid_t>(-1);

/// What the handlers of these tests do, by path.
struct Scene {
  std::mutex mutex;
  std::vector<ServerRequest> seen;
  std::string taken;  ///< of a connection that was upgraded
  Event* event = nullptr;
  std::atomic<int> streams_ended{0}, waits_ended{0};
  std::atomic<bool> waiting{false}, gone{false};
};

/// Set when the frame of a handler is gone, however it ended.
struct Counted {
  explicit Counted(std::atomic<int>* its_count) : count(its_count) {}
  ~Counted() { ++*count; }
  std::atomic<int>* count;
};

inline awaitable<void> count_up(Scene* scene, BodyWriter* writer) {
  const Counted ended(&scene->streams_ended);
  for (int i = 0; i < 3; ++i) {
    const bool written = co_await writer->write(std::to_string(i));
    if (!written) co_return;
    co_await writer->write("");
  }
}

inline awaitable<void> write_for_ever(Scene* scene, BodyWriter* writer) {
  const Counted ended(&scene->streams_ended);
  const std::string piece(100'000, 'x');
  while (true) {
    const bool written = co_await writer->write(piece);
    if (!written) break;
  }
  scene->gone = writer->gone();
}

inline awaitable<void> wait_until_gone(Scene* scene, BodyWriter* writer) {
  const Counted ended(&scene->streams_ended);
  co_await writer->write("begun");
  scene->waiting = true;
  while (!writer->gone()) co_await sleep_for(1ms);
  scene->gone = true;
}

constexpr std::size_t kMuch = 4u << 20;  ///< more than a socket takes that nobody reads

inline awaitable<void> write_much(std::shared_ptr<Duplex> line, Scene* scene) {
  const Counted ended(&scene->streams_ended);
  const std::string much(kMuch, 'x');
  co_await line->write(much);
}

/// Keeps in `taken` what comes, while another coroutine writes much.
inline awaitable<void> take_all(std::shared_ptr<Duplex> line, Scene* scene) {
  const Counted ended(&scene->waits_ended);
  boost::asio::co_spawn(co_await boost::asio::this_coro::executor, write_much(line, scene), boost::asio::detached);
  while (true) {
    std::string piece;
    const auto got = co_await line->read(&piece, 20s);
    if (!got || *got == 0) break;
    const std::lock_guard lock(scene->mutex);
    scene->taken += piece;
  }
  scene->gone = line->gone();
}

inline awaitable<ServerReply> handle(Scene* scene, ServerRequest request) {
  {
    const std::lock_guard lock(scene->mutex);
    scene->seen.push_back(request);
  }
  ServerReply reply;
  reply.body = request.path + " " + request.body;
  if (request.path == "/count") reply.stream = [scene](BodyWriter& writer) { return count_up(scene, &writer); };
  if (request.path == "/for-ever") reply.stream = [scene](BodyWriter& writer) { return write_for_ever(scene, &writer); };
  if (request.path == "/until-gone") reply.stream = [scene](BodyWriter& writer) { return wait_until_gone(scene, &writer); };
  if (request.path == "/upgrade" && wants_upgrade(request, "rather-this")) {
    reply.status = 101;
    reply.headers["upgrade"] = "rather-this";
    reply.upgrade = [scene](std::shared_ptr<Duplex> line) { return take_all(std::move(line), scene); };
  }
  if (request.path == "/none") reply.status = 204;
  if (request.path == "/wait") {
    const Counted ended(&scene->waits_ended);
    scene->waiting = true;
    co_await sleep_for(1h);
  }
  co_return reply;
}

/// A server in a thread of its own, at a Unix socket and a TCP port.
class HttpServerTest : public testing::Test {
 protected:
  void start(ServerLimits limits = {}) {
    server = std::make_unique<HttpServer>(loop.executor(), [this](ServerRequest request) { return handle(&scene, std::move(request)); }, limits);
    path = folder.path() / "api.sock";
    ASSERT_TRUE(server->listen_unix(path, 0600, kSameGroup));
    ASSERT_TRUE(server->listen_tcp("127.0.0.1", 0));
    port = server->tcp_port();
    thread = std::thread([this] { loop.run(); });
  }
  void TearDown() override {  // before what tests have themselves goes
    if (!thread.joinable()) return;
    destroy_server();
    loop.post([this] { loop.stop(); });
    thread.join();
  }
  void destroy_server() {
    std::atomic<bool> done{false};
    loop.post([&] { server.reset(); done = true; });
    while (!done) std::this_thread::yield();
  }

  /// Everything the server says to these bytes, until it closes.
  std::string say(const std::string& bytes) {
    const Fd socket = connect_raw(path);
    EXPECT_TRUE(socket);
    send_raw(socket.get(), bytes);
    return read_raw(socket.get());
  }
  /// The status of the refusal of these bytes; 0 if it does not say that it closes.
  int refusal(const std::string& bytes) {
    const std::string answer = say(bytes);
    EXPECT_NE(answer.find("\r\nconnection: close\r\n"), std::string::npos) << bytes << "\n" << answer;
    EXPECT_NE(answer.find("application/problem+json"), std::string::npos) << answer;
    return answer.size() < 12 ? 0 : std::atoi(answer.c_str() + 9);
  }
  template <class Condition>
  void wait_for(Condition condition) {
    const auto give_up = Steady::now() + 20s;
    while (!condition() && Steady::now() < give_up) std::this_thread::yield();
    EXPECT_TRUE(condition());
  }

  files::TemporaryDirectory folder;
  Scene scene;
  Loop loop;
  std::unique_ptr<HttpServer> server;
  std::string path;
  std::uint16_t port = 0;
  std::thread thread;
};

}  // namespace berth::io
