#include <mutex>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "core/io/http.h"
#include "core/io/on_loop.h"
#include "core/io/raw_peer.h"

namespace berth::io {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;

constexpr gid_t kSameGroup = static_cast<gid_t>(-1);

/// What the handlers of these tests do, by path.
struct Scene {
  std::mutex mutex;
  std::vector<ServerRequest> seen;
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

awaitable<void> count_up(Scene* scene, BodyWriter* writer) {
  const Counted ended(&scene->streams_ended);
  for (int i = 0; i < 3; ++i) {
    const bool written = co_await writer->write(std::to_string(i));
    if (!written) co_return;
    co_await writer->write("");
  }
}

awaitable<void> write_for_ever(Scene* scene, BodyWriter* writer) {
  const Counted ended(&scene->streams_ended);
  const std::string piece(100'000, 'x');
  while (true) {
    const bool written = co_await writer->write(piece);
    if (!written) break;
  }
  scene->gone = writer->gone();
}

awaitable<void> wait_until_gone(Scene* scene, BodyWriter* writer) {
  const Counted ended(&scene->streams_ended);
  co_await writer->write("begun");
  scene->waiting = true;
  while (!writer->gone()) co_await sleep_for(1ms);
  scene->gone = true;
}

awaitable<ServerReply> handle(Scene* scene, ServerRequest request) {
  {
    const std::lock_guard lock(scene->mutex);
    scene->seen.push_back(request);
  }
  ServerReply reply;
  reply.body = request.path + " " + request.body;
  if (request.path == "/count") reply.stream = [scene](BodyWriter& writer) { return count_up(scene, &writer); };
  if (request.path == "/for-ever") reply.stream = [scene](BodyWriter& writer) { return write_for_ever(scene, &writer); };
  if (request.path == "/until-gone") reply.stream = [scene](BodyWriter& writer) { return wait_until_gone(scene, &writer); };
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
  ~HttpServerTest() override {
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

TEST_F(HttpServerTest, HandsARequestToItsHandlerAndReplies) {
  start();
  const std::string answer = say("POST /a%20b?x=%31 HTTP/1.1\r\nHost: me\r\nX-A: 1\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n/a b body")) << answer;
  EXPECT_NE(answer.find("\r\ncontent-type: application/json\r\ncontent-length: 9\r\n"), std::string::npos) << answer;
  ASSERT_EQ(scene.seen.size(), 1U);
  const ServerRequest& request = scene.seen[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.query.at("x"), "1");
  EXPECT_EQ(request.headers.at("x-a"), "1");
}

TEST_F(HttpServerTest, KnowsWhoAsks) {
  start();
  say("GET / HTTP/1.1\r\nHost: me\r\nConnection: close\r\n\r\n");
  const Fd socket = connect_raw(port);
  send_raw(socket.get(), "GET / HTTP/1.1\r\nHost: me\r\nConnection: close\r\n\r\n");
  read_raw(socket.get());
  ASSERT_EQ(scene.seen.size(), 2U);
  EXPECT_EQ(scene.seen[0].peer.uid, ::getuid());
  EXPECT_EQ(scene.seen[0].peer.gid, ::getgid());
  EXPECT_EQ(scene.seen[0].peer.pid, ::getpid());
  EXPECT_EQ(scene.seen[0].peer.address, "");
  EXPECT_EQ(scene.seen[1].peer.address, "127.0.0.1");
  EXPECT_EQ(scene.seen[1].peer.uid, static_cast<uid_t>(-1));
}

TEST_F(HttpServerTest, KeepsAConnectionForFurtherRequests) {
  start();
  const std::string request = "GET /one HTTP/1.1\r\nHost: me\r\n\r\n";
  const Fd socket = connect_raw(path);
  for (int i = 0; i < 3; ++i) {
    send_raw(socket.get(), request);
    EXPECT_TRUE(read_raw(socket.get(), "/one ").ends_with("connection: keep-alive\r\n\r\n/one "));
  }
  const std::string second = "POST /two HTTP/1.1\r\nHost: me\r\nContent-Length: 1\r\n\r\nx";
  send_raw(socket.get(), request + second + "GET /three HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string rest = read_raw(socket.get());
  EXPECT_NE(rest.find("/one "), std::string::npos);
  EXPECT_NE(rest.find("/two x"), std::string::npos);
  EXPECT_TRUE(rest.ends_with("connection: close\r\n\r\n/three ")) << rest;
}

TEST_F(HttpServerTest, ReadsAChunkedBody) {
  start();
  const std::string body = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  EXPECT_TRUE(say("POST /x HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + body).ends_with("/x abcde"));
}

TEST_F(HttpServerTest, AnswersHeadAnd204WithoutABody) {
  start();
  EXPECT_TRUE(say("HEAD /x HTTP/1.1\r\nConnection: close\r\n\r\n").ends_with("content-length: 3\r\nconnection: close\r\n\r\n"));
  const std::string none = say("GET /none HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(none.starts_with("HTTP/1.1 204 No Content\r\n")) << none;
  EXPECT_EQ(none.find("content-length"), std::string::npos) << none;
}

TEST_F(HttpServerTest, ClosesAfterAnHttp10Request) {
  start();
  EXPECT_TRUE(say("GET /x HTTP/1.0\r\n\r\n").ends_with("/x "));
}

TEST_F(HttpServerTest, TellsAClientToGoOn) {
  start();
  const Fd socket = connect_raw(path);
  send_raw(socket.get(), "POST /x HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(read_head(socket.get()), "HTTP/1.1 100 Continue\r\n\r\n");
  send_raw(socket.get(), "hi");
  EXPECT_TRUE(read_raw(socket.get()).ends_with("/x hi"));
}

TEST_F(HttpServerTest, TakesAHostFromTheTarget) {
  start();
  say("GET http://there/x HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
  ASSERT_EQ(scene.seen.size(), 1U);
  EXPECT_EQ(scene.seen[0].headers.at("host"), "there");
  EXPECT_EQ(scene.seen[0].path, "/x");
}

TEST_F(HttpServerTest, RefusesMalformedRequests) {
  start();
  for (const std::string request :
       {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\na b: c\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /../x HTTP/1.1\r\n\r\n",
        "GET /%00 HTTP/1.1\r\n\r\n", "GET x HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na", "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"})
    EXPECT_EQ(refusal(request), 400) << request;
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501);
  EXPECT_EQ(refusal("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_TRUE(scene.seen.empty());
}

TEST_F(HttpServerTest, RefusesARequestThatIsCutShort) {
  start();
  for (const std::string half : {"GET /", "GET / HTTP/1.1\r\nHost: me\r\n", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhalf"}) {
    const Fd socket = connect_raw(path);
    send_raw(socket.get(), half);
    ::shutdown(socket.get(), SHUT_WR);
    EXPECT_TRUE(read_raw(socket.get()).starts_with("HTTP/1.1 400 ")) << half;
  }
  EXPECT_TRUE(scene.seen.empty());
}

TEST_F(HttpServerTest, RefusesWhatIsTooLong) {
  start({.most_header = 1000, .most_body = 100});
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nx: " + std::string(2000, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(refusal("GET /" + std::string(2000, 'x') + " HTTP/1.1\r\n\r\n"), 431);
  EXPECT_EQ(refusal("GET /" + std::string(600, 'x') + " HTTP/1.1\r\nx: " + std::string(600, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x')), 413);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n"), 413);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + std::string(101, 'x') + "\r\n0\r\n\r\n"), 413);
  EXPECT_TRUE(scene.seen.empty());
  EXPECT_TRUE(say("POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'y')).ends_with("yyy"));
}

TEST_F(HttpServerTest, EndsWhoeverTakesTooLong) {
  start({.read_deadline = 50ms, .idle_deadline = 100ms});
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n"), 408);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhalf"), 408);
  EXPECT_EQ(say(""), "");
  EXPECT_TRUE(say("GET /x HTTP/1.1\r\n\r\n").ends_with("/x "));
}

TEST_F(HttpServerTest, TurnsAwayTooManyConnections) {
  start({.most_connections = 2});
  const std::string request = "GET /x HTTP/1.1\r\n\r\n";
  Fd first = connect_raw(path);
  const Fd second = connect_raw(path);
  for (const Fd* socket : {static_cast<const Fd*>(&first), &second}) {
    send_raw(socket->get(), request);
    read_raw(socket->get(), "/x ");
  }
  EXPECT_TRUE(say("").starts_with("HTTP/1.1 503 "));
  first.reset();
  wait_for([&] { return say("GET /y HTTP/1.1\r\nConnection: close\r\n\r\n").ends_with("/y "); });
}

TEST_F(HttpServerTest, StreamsABodyInChunks) {
  start();
  const std::string answer = say("GET /count HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string body = "1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n0\r\n\r\n";
  EXPECT_NE(answer.find("transfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n" + body + "HTTP/1.1 200"), std::string::npos) << answer;
  EXPECT_TRUE(say("GET /count HTTP/1.0\r\n\r\n").ends_with("connection: close\r\n\r\n012"));
  EXPECT_TRUE(say("HEAD /count HTTP/1.1\r\nConnection: close\r\n\r\n").ends_with("connection: close\r\n\r\n"));
}

TEST_F(HttpServerTest, DropsAReaderThatTakesNothing) {
  start({.write_stall = 50ms});
  const Fd socket = connect_raw(path);
  send_raw(socket.get(), "GET /for-ever HTTP/1.1\r\n\r\n");
  wait_for([&] { return scene.streams_ended == 1; });
  EXPECT_TRUE(scene.gone);
  EXPECT_FALSE(read_raw(socket.get()).ends_with("(nothing came)"));
}

TEST_F(HttpServerTest, AStreamSeesThatItsReaderIsGone) {
  start();
  for (const bool over_tcp : {false, true}) {
    scene.waiting = scene.gone = false;
    Fd socket = over_tcp ? connect_raw(port) : connect_raw(path);
    send_raw(socket.get(), "GET /until-gone HTTP/1.1\r\n\r\n");
    wait_for([&] { return scene.waiting.load(); });
    EXPECT_FALSE(scene.gone);
    socket.reset();
    wait_for([&] { return scene.gone.load(); });
  }
}

TEST_F(HttpServerTest, CancelsItsHandlersAndClosesItsConnectionsWhenItIsDestroyed) {
  start();
  const Fd idle = connect_raw(path);
  send_raw(idle.get(), "GET /x HTTP/1.1\r\n\r\n");
  read_raw(idle.get(), "/x ");
  const Fd half = connect_raw(path);
  send_raw(half.get(), "GET /x HT");
  const Fd waits = connect_raw(path);
  send_raw(waits.get(), "GET /wait HTTP/1.1\r\n\r\n");
  const Fd streams = connect_raw(port);
  send_raw(streams.get(), "GET /for-ever HTTP/1.1\r\n\r\n");
  read_head(streams.get());
  wait_for([&] { return scene.waiting.load(); });
  destroy_server();
  for (const Fd* socket : {&idle, &half, &waits, &streams}) EXPECT_FALSE(read_raw(socket->get()).ends_with("(nothing came)"));
  wait_for([&] { return scene.waits_ended == 1 && scene.streams_ended == 1; });
  EXPECT_FALSE(connect_raw(path));
  EXPECT_FALSE(connect_raw(port));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(HttpServerTest, MayBeLeftWithItsLoopWhileConnectionsAreOpen) {
  start();
  const Fd waits = connect_raw(path);
  send_raw(waits.get(), "GET /wait HTTP/1.1\r\n\r\n");
  wait_for([&] { return scene.waiting.load(); });
  loop.post([this] { server.reset(); loop.stop(); });
  thread.join();
}

TEST_F(HttpServerTest, MayBeDestroyedByItsOwnHandler) {
  server = std::make_unique<HttpServer>(loop.executor(), [this](ServerRequest) -> awaitable<ServerReply> {
    server.reset();
    return handle(&scene, {.path = "/x"});
  });
  path = folder.path() / "api.sock";
  ASSERT_TRUE(server->listen_unix(path, 0600, kSameGroup));
  thread = std::thread([this] { loop.run(); });
  EXPECT_EQ(say("GET / HTTP/1.1\r\n\r\n"), "");
}

// ---------------------------------------------------------------- listening

class ListenTest : public testing::Test {
 protected:
  awaitable<ServerReply> nothing() { co_return ServerReply{}; }

  files::TemporaryDirectory folder;
  std::string path = folder.path() / "api.sock";
  Loop loop;
  HttpServer server{loop.executor(), [this](ServerRequest) { return nothing(); }};
};

TEST_F(ListenTest, GivesTheSocketItsModeAndGroup) {
  const gid_t group = ::geteuid() == 0 ? 65534 : ::getgid();
  ASSERT_TRUE(server.listen_unix(path, 0620, group));
  struct stat made {};
  ASSERT_EQ(::stat(path.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 07777, 0620U);
  EXPECT_EQ(made.st_gid, group);
}

TEST_F(ListenTest, ReplacesTheSocketOfADeadProcess) {
  { auto dead = listen_at_path(path, 0600, kSameGroup); }
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(server.listen_unix(path, 0600, kSameGroup));
}

TEST_F(ListenTest, LeavesALiveSocketAndOtherFilesAlone) {
  const auto live = listen_at_path(path, 0600, kSameGroup);
  EXPECT_EQ(server.listen_unix(path, 0600, kSameGroup).error().code, Errc::conflict);
  EXPECT_TRUE(connect_raw(path));
  const std::string file = folder.path() / "file";
  ASSERT_TRUE(files::replace(file, "kept"));
  EXPECT_EQ(server.listen_unix(file, 0600, kSameGroup).error().code, Errc::exists);
  EXPECT_EQ(server.listen_unix(folder.path() / "none" / "api.sock", 0600, kSameGroup).error().code, Errc::not_found);
}

TEST_F(ListenTest, RemovesItsSocketButNotItsSuccessors) {
  auto first = std::make_unique<HttpServer>(loop.executor(), [this](ServerRequest) { return nothing(); });
  ASSERT_TRUE(first->listen_unix(path, 0600, kSameGroup));
  std::filesystem::rename(path, path + ".moved");
  ASSERT_TRUE(server.listen_unix(path, 0600, kSameGroup));
  first.reset();
  EXPECT_TRUE(connect_raw(path));
  const std::string other = folder.path() / "other.sock";
  {
    HttpServer gone(loop.executor(), [this](ServerRequest) { return nothing(); });
    ASSERT_TRUE(gone.listen_unix(other, 0600, kSameGroup));
  }
  EXPECT_FALSE(std::filesystem::exists(other));
}

TEST_F(ListenTest, TakesAPassedSocket) {
  auto passed = listen_at_address("127.0.0.1", 0);
  const std::uint16_t port = local_address(passed->get()).port();
  ASSERT_TRUE(server.listen_on(std::move(*passed)));
  EXPECT_TRUE(connect_raw(port));
  EXPECT_EQ(server.listen_on(Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC))).error().code, Errc::usage);
  EXPECT_EQ(server.listen_on(Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))).error().code, Errc::usage);
}

TEST_F(ListenTest, SaysWhenAnAddressIsTaken) {
  ASSERT_TRUE(server.listen_tcp("::1", 0));
  EXPECT_EQ(server.listen_tcp("::1", server.tcp_port()).error().code, Errc::conflict);
  EXPECT_EQ(server.listen_tcp("localhost", 0).error().code, Errc::usage);
}

}  // namespace
}  // namespace berth::io
