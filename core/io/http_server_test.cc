#include <sys/syscall.h>

#include "core/io/http_server_fixture.h"

namespace berth::io {
namespace {

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
  std::vector<gid_t> groups(256);
  groups.resize(static_cast<std::size_t>(::getgroups(256, groups.data())));
  EXPECT_EQ(scene.seen[0].peer.groups, groups);
  EXPECT_EQ(scene.seen[0].peer.address, "");
  EXPECT_EQ(scene.seen[1].peer.address, "127.0.0.1");
  EXPECT_EQ(scene.seen[1].peer.uid, static_cast<uid_t>(-1));
}

TEST_F(HttpServerTest, KnowsAllGroupsOfWhoAsksHoweverManyTheyAre) {
  if (::getuid() != 0) GTEST_SKIP() << "only root can be in other groups";
  start();
  std::vector<gid_t> many;
  for (gid_t group = 5000; group < 5300; ++group) many.push_back(group);
  std::thread([&] {  // whose own they are: the call of the kernel is of one thread
    ASSERT_EQ(::syscall(SYS_setgroups, many.size(), many.data()), 0);
    EXPECT_TRUE(say("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ends_with("/x "));
  }).join();
  EXPECT_EQ(scene.seen.at(0).peer.groups, many);
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
  send_raw(socket.get(), request + second + "GET /three HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string rest = read_raw(socket.get());
  EXPECT_NE(rest.find("/one "), std::string::npos);
  EXPECT_NE(rest.find("/two x"), std::string::npos);
  EXPECT_TRUE(rest.ends_with("connection: close\r\n\r\n/three ")) << rest;
}

TEST_F(HttpServerTest, ReadsAChunkedBody) {
  start();
  const std::string body = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  EXPECT_TRUE(say("POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + body).ends_with("/x abcde"));
}

TEST_F(HttpServerTest, AnswersHeadAnd204WithoutABody) {
  start();
  EXPECT_TRUE(say("HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ends_with("content-length: 3\r\nconnection: close\r\n\r\n"));
  const std::string none = say("GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
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
  send_raw(socket.get(), "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n");
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

TEST_F(HttpServerTest, StreamsABodyInChunks) {
  start();
  const std::string answer = say("GET /count HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string body = "1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n0\r\n\r\n";
  EXPECT_NE(answer.find("transfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n" + body + "HTTP/1.1 200"), std::string::npos) << answer;
  EXPECT_TRUE(say("GET /count HTTP/1.0\r\n\r\n").ends_with("connection: close\r\n\r\n012"));
  EXPECT_TRUE(say("HEAD /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ends_with("connection: close\r\n\r\n"));
}

TEST_F(HttpServerTest, AStreamSeesThatItsReaderIsGone) {
  start();
  for (const bool over_tcp : {false, true}) {
    scene.waiting = scene.gone = false;
    Fd socket = over_tcp ? connect_raw(port) : connect_raw(path);
    send_raw(socket.get(), "GET /until-gone HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_for([&] { return scene.waiting.load(); });
    EXPECT_FALSE(scene.gone);
    socket.reset();
    wait_for([&] { return scene.gone.load(); });
  }
}

TEST_F(HttpServerTest, AnUpgradedConnectionIsReadWhileItIsWrittenTo) {
  start();
  for (const Fd& socket : {connect_raw(path), connect_raw(port)}) {
    {
      const std::lock_guard lock(scene.mutex);
      scene.taken.clear();
    }
    const int done = scene.waits_ended;
    send_raw(socket.get(), "POST /upgrade HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: rather-this\r\nContent-Length: 4\r\n\r\nbodyfirst ");
    const std::string head = read_head(socket.get());
    EXPECT_TRUE(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n")) << head;
    EXPECT_NE(head.find("\r\nupgrade: rather-this\r\n"), std::string::npos) << head;
    EXPECT_NE(head.find("\r\nconnection: Upgrade\r\n"), std::string::npos) << head;
    EXPECT_EQ(head.find("content-length"), std::string::npos) << head;
    // Nobody reads what it writes by now.
    send_raw(socket.get(), "second");
    wait_for([this] {
      const std::lock_guard lock(scene.mutex);
      return scene.taken == "first second";
    });
    std::string much(kMuch, 0);
    EXPECT_EQ(::recv(socket.get(), much.data(), much.size(), MSG_WAITALL), static_cast<ssize_t>(kMuch));
    ::shutdown(socket.get(), SHUT_WR);
    EXPECT_EQ(read_raw(socket.get()), "");
    wait_for([this, done] { return scene.waits_ended == done + 1; });
  }
}

TEST_F(HttpServerTest, AnUpgradeThatIsNotWantedIsAnAnswerLikeOthers) {
  start();
  for (const char* more : {"", "Upgrade: rather-this\r\n", "Connection: Upgrade\r\n", "Connection: Upgrade\r\nUpgrade: h2c\r\n"}) {
    const std::string answer = say(std::string("GET /upgrade HTTP/1.1\r\nHost: x\r\n") + more + "\r\nGET /last HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << more << answer;
    EXPECT_NE(answer.find("/last"), std::string::npos) << more << answer;
  }
}

TEST_F(HttpServerTest, AnUpgradedConnectionIsLetGoOfForNobodyAndEndsWithItsServer) {
  start({.most_connections = 2});
  const Fd kept = connect_raw(path);
  send_raw(kept.get(), "GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: rather-this\r\n\r\n");
  read_head(kept.get());
  std::vector<Fd> others;
  for (int i = 0; i < 5; ++i) {
    others.push_back(connect_raw(path));
    send_raw(others.back().get(), "GET /one HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(read_head(others.back().get()).starts_with("HTTP/1.1 200 ")) << i;
  }
  send_raw(kept.get(), "still here");
  wait_for([this] {
    const std::lock_guard lock(scene.mutex);
    return scene.taken == "still here";
  });
  destroy_server();
  wait_for([this] { return scene.waits_ended == 1 && scene.streams_ended == 1; });
}

TEST_F(HttpServerTest, CancelsItsHandlersAndClosesItsConnectionsWhenItIsDestroyed) {
  start();
  const Fd idle = connect_raw(path);
  send_raw(idle.get(), "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  read_raw(idle.get(), "/x ");
  const Fd half = connect_raw(path);
  send_raw(half.get(), "GET /x HT");
  const Fd waits = connect_raw(path);
  send_raw(waits.get(), "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  const Fd streams = connect_raw(port);
  send_raw(streams.get(), "GET /for-ever HTTP/1.1\r\nHost: a\r\n\r\n");
  read_head(streams.get());
  wait_for([&] { return scene.waiting.load(); });
  destroy_server();
  for (const Fd* socket : {&idle, &half, &waits, &streams}) EXPECT_FALSE(read_raw(socket->get()).ends_with("(nothing came)"));
  wait_for([&] { return scene.waits_ended == 1 && scene.streams_ended == 1; });
  EXPECT_FALSE(connect_raw(path));
  EXPECT_FALSE(connect_raw(port));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(HttpServerTest, KnowsWhetherSomebodyIsStillToBeAnswered) {
  start();
  const auto owes = [this] {
    std::atomic<int> answer{-1};
    loop.post([&] { answer = server->owes_answers() ? 1 : 0; });
    while (answer < 0) std::this_thread::yield();
    return answer == 1;
  };
  EXPECT_FALSE(owes());
  Fd one = connect_raw(path);
  wait_for(owes);
  send_raw(one.get(), "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  read_raw(one.get(), "/x ");
  wait_for([&] { return !owes(); });
  send_raw(one.get(), "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for([&] { return scene.waiting.load(); });
  EXPECT_TRUE(owes()) << "its next request is at work";
  loop.post([this] { server->stop_listening(); });
  wait_for([&] { return !connect_raw(port); });
  EXPECT_TRUE(owes()) << "who is here already is answered";
  loop.post([this] { server->dropping_connections()(); });
  wait_for([&] { return !owes(); });
}

TEST_F(HttpServerTest, OwesNothingToStreamsWhichHaveNoEnd) {
  start();
  const Fd stream = connect_raw(path);
  send_raw(stream.get(), "GET /until-gone HTTP/1.1\r\nHost: a\r\n\r\n");
  read_head(stream.get());
  wait_for([&] { return scene.waiting.load(); });
  std::atomic<int> answer{-1};
  loop.post([&] { answer = server->owes_answers() ? 1 : 0; });
  wait_for([&] { return answer >= 0; });
  EXPECT_EQ(answer, 0);
}

TEST_F(HttpServerTest, MayBeLeftWithItsLoopWhileConnectionsAreOpen) {
  start();
  const Fd waits = connect_raw(path);
  send_raw(waits.get(), "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
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
  EXPECT_EQ(say("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
}

TEST_F(HttpServerTest, DropsConnectionsAndLetsHandlersGoOn) {
  start();
  const Fd idle = connect_raw(path), stream = connect_raw(path), waits = connect_raw(path);
  send_raw(idle.get(), "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  read_raw(idle.get(), "/x ");
  send_raw(stream.get(), "GET /until-gone HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for([&] { return scene.waiting.load(); });
  scene.waiting = false;
  send_raw(waits.get(), "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for([&] { return scene.waiting.load(); });
  loop.post([&] { server->dropping_connections()(); });
  EXPECT_EQ(read_raw(idle.get()), "");
  EXPECT_FALSE(read_raw(stream.get()).ends_with("(nothing came)"));
  wait_for([&] { return scene.streams_ended == 1 && scene.gone; });
  EXPECT_EQ(scene.waits_ended, 0) << "what was begun is not cut off";
  EXPECT_EQ(say("GET /y HTTP/1.1\r\nHost: a\r\nconnection: close\r\n\r\n").substr(0, 12), "HTTP/1.1 200");
}

}  // namespace
}  // namespace berth::io
