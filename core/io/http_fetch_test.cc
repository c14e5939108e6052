#include <fmt/core.h>
#include <gtest/gtest.h>

#include "core/io/http.h"
#include "core/io/http_if_changed.h"
#include "core/io/raw_peer.h"
#include "core/io/readiness.h"

namespace berth::io {
namespace {

using namespace std::chrono_literals;

struct Fetched {
  Result<void> done;
  std::string body;
  std::optional<Errc> code() const { return done ? std::nullopt : std::optional(done.error().code); }
};

Fetched fetch(const std::string& url, FetchOptions options = {.most = 1000}, std::stop_token stop = {}) {
  Fetched fetched;
  fetched.done = http_fetch(url, options, [&](std::string_view piece) -> Result<void> {
    fetched.body += piece;
    return {};
  }, std::move(stop));
  return fetched;
}

std::string url_of(const RawPeer& peer, std::string_view target = "/file") { return fmt::format("http://127.0.0.1:{}{}", peer.port(), target); }

Fetched fetch_answer(const std::string& answer, const FetchOptions& options = {.most = 1000}) {
  const RawPeer peer(RawPeer::answer(answer));
  return fetch(url_of(peer), options);
}

using Site = std::map<std::string, std::string>;

/// Answers the request for each path by its own bytes, any other by 404, and remembers what was asked.
class Pages {
 public:
  explicit Pages(Site pages)
      : pages_(std::move(pages)), peer([this](int connection) {
          const std::string head = read_head(connection);
          const std::string path = head.substr(4, head.find(' ', 4) - 4);
          asked.push_back(head);
          const auto page = pages_.find(path);
          send_raw(connection, page == pages_.end() ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" : page->second);
        }) {}

 private:
  Site pages_;

 public:
  std::vector<std::string> asked;
  RawPeer peer;
};

std::string redirect_to(const std::string& place, int status = 302) {
  return fmt::format("HTTP/1.1 {} Elsewhere\r\nLocation: {}\r\nContent-Length: 5\r\n\r\nignor", status, place);
}

constexpr const char* kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

TEST(HttpFetch, GetsAFile) {
  Pages pages(Site{{"/file?x=1", kHello}});
  const auto fetched = fetch(url_of(pages.peer, "/file?x=1"), {.most = 5, .user_agent = "berth test"});
  EXPECT_TRUE(fetched.done) << fetched.done.error().message;
  EXPECT_EQ(fetched.body, "hello");
  EXPECT_NE(pages.asked[0].find(fmt::format("\r\nhost: 127.0.0.1:{}\r\n", pages.peer.port())), std::string::npos);
  EXPECT_NE(pages.asked[0].find("\r\nuser-agent: berth test\r\n"), std::string::npos);
  EXPECT_EQ(pages.asked[0].find("\r\nrange:"), std::string::npos);
}

TEST(IfChanged, AsksForWhatIsNotTheOneOfItsEtag) {
  Pages pages(Site{{"/stamp", "HTTP/1.1 200 OK\r\nETag: \"two\"\r\nContent-Length: 5\r\n\r\nhello"}});
  const auto changed = http_get_if_changed(url_of(pages.peer, "/stamp"), {.most = 5}, "\"one\"");
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_FALSE(changed->unchanged);
  EXPECT_EQ(changed->body, "hello");
  EXPECT_EQ(changed->etag, "\"two\"");
  EXPECT_NE(pages.asked[0].find("\r\nif-none-match: \"one\"\r\n"), std::string::npos);

  EXPECT_TRUE(http_get_if_changed(url_of(pages.peer, "/stamp"), {.most = 5}, ""));
  EXPECT_EQ(pages.asked[1].find("if-none-match"), std::string::npos);
  EXPECT_EQ(http_get_if_changed(url_of(pages.peer, "/stamp"), {.most = 4}, "").error().code, Errc::protocol);
  EXPECT_EQ(http_get_if_changed(url_of(pages.peer, "/none"), {.most = 5}, "\"one\"").error().code, Errc::not_found);
}

TEST(IfChanged, IsToldSoWithoutABody) {
  Pages pages(Site{{"/stamp", "HTTP/1.1 304 Not Modified\r\nETag: \"one\"\r\nContent-Length: 5\r\n\r\n"}, {"/moved", redirect_to("/stamp")}});
  for (const char* path : {"/stamp", "/moved"}) {
    const auto same = http_get_if_changed(url_of(pages.peer, path), {.most = 5}, "\"one\"");
    ASSERT_TRUE(same) << same.error().message;
    EXPECT_TRUE(same->unchanged);
    EXPECT_EQ(same->body, "");
  }
  // Whoever was not asked so has nothing to say so about.
  EXPECT_EQ(http_get_if_changed(url_of(pages.peer, "/stamp"), {.most = 5}, "").error().code, Errc::unreachable);
  EXPECT_EQ(fetch(url_of(pages.peer, "/stamp")).code(), Errc::unreachable);
}

TEST(IfChanged, AnEtagThatIsTooLongIsNone) {
  const std::string etag = "\"" + std::string(300, 'e') + "\"";
  const RawPeer peer(RawPeer::answer("HTTP/1.1 200 OK\r\nETag: " + etag + "\r\nContent-Length: 5\r\n\r\nhello"));
  const auto got = http_get_if_changed(url_of(peer), {.most = 5}, "");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->etag, "");
}

TEST(HttpFetch, GetsAFileOverIpv6AndByName) {
  const RawPeer six(RawPeer::answer(kHello), "::1");
  EXPECT_EQ(fetch(fmt::format("http://[::1]:{}/", six.port())).body, "hello");
  for (const char* name : {"localhost", "LocalHost.", "web.localhost"}) {
    const RawPeer four(RawPeer::answer(kHello));
    EXPECT_EQ(fetch(fmt::format("http://{}:{}/", name, four.port())).body, "hello") << name;
  }
}

TEST(HttpFetch, GetsChunksAndABodyUntilTheEnd) {
  EXPECT_EQ(fetch_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").body, "abc");
  EXPECT_EQ(fetch_answer("HTTP/1.0 200 OK\r\n\r\nabc").body, "abc");
}

TEST(HttpFetch, RefusesMoreThanIsAllowed) {
  EXPECT_EQ(fetch_answer(kHello, {.most = 4}).code(), Errc::protocol);
  EXPECT_EQ(fetch_answer("HTTP/1.1 200 OK\r\n\r\nhello", {.most = 4}).code(), Errc::protocol);
}

TEST(HttpFetch, NamesThePlaceThatFailed) {
  Pages pages(Site{{"/broken", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"}});
  const auto missing = fetch(url_of(pages.peer));
  EXPECT_EQ(missing.code(), Errc::not_found);
  EXPECT_EQ(missing.done.error().message, url_of(pages.peer) + ": 404 Not Found");
  EXPECT_EQ(fetch(url_of(pages.peer, "/broken")).code(), Errc::unreachable);
}

TEST(HttpFetch, TellsGarbageFromABrokenConnection) {
  EXPECT_EQ(fetch_answer("SSH-2.0-OpenSSH\r\n").code(), Errc::protocol);
  EXPECT_EQ(fetch_answer("").code(), Errc::unreachable);
  const auto cut = fetch_answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
  EXPECT_EQ(cut.code(), Errc::unreachable);
  EXPECT_EQ(cut.body, "hello");
}

TEST(HttpFetch, SaysWhereNothingListens) {
  std::uint16_t unused = 0;
  { unused = local_address(listen_at_address("127.0.0.1", 0)->get()).port(); }
  const auto refused = fetch(fmt::format("http://127.0.0.1:{}/", unused));
  EXPECT_EQ(refused.code(), Errc::unreachable);
  EXPECT_NE(refused.done.error().message.find("nothing listens at"), std::string::npos) << refused.done.error().message;
  EXPECT_EQ(fetch("http://no-such-host.invalid/").code(), Errc::unreachable);
  EXPECT_EQ(fetch("ftp://127.0.0.1/").code(), Errc::usage);
}

TEST(HttpFetch, PassesOnWhatTheSinkSays) {
  const RawPeer peer(RawPeer::answer(kHello));
  const auto done = http_fetch(url_of(peer), {.most = 10}, [](std::string_view) -> Result<void> { return fail(Errc::no_space, "disk full"); });
  EXPECT_EQ(done.error().code, Errc::no_space);
  EXPECT_EQ(done.error().message, "disk full");
}

// ---------------------------------------------------------------- redirects

TEST(HttpFetch, FollowsRedirects) {
  Pages pages(Site{{"/a/1", redirect_to("2", 301)}, {"/a/2", redirect_to("/b?c", 307)}, {"/b?c", kHello}});
  const auto fetched = fetch(url_of(pages.peer, "/a/1"));
  EXPECT_TRUE(fetched.done) << fetched.done.error().message;
  EXPECT_EQ(fetched.body, "hello");
}

TEST(HttpFetch, FollowsFiveRedirectsAndNoMore) {
  Site chain{{"/6", kHello}};
  for (int i = 0; i < 6; ++i) chain[fmt::format("/{}", i)] = redirect_to(fmt::format("/{}", i + 1));
  Pages pages(chain);
  EXPECT_TRUE(fetch(url_of(pages.peer, "/1")).done);
  EXPECT_EQ(fetch(url_of(pages.peer, "/0")).code(), Errc::protocol);
}

TEST(HttpFetch, RefusesARedirectToSomethingElse) {
  EXPECT_EQ(fetch_answer(redirect_to("file:///etc/passwd")).code(), Errc::protocol);
  EXPECT_EQ(fetch_answer("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n").code(), Errc::protocol);
}

// ---------------------------------------------------------------- resuming

TEST(HttpFetch, AsksForTheRest) {
  Pages pages(Site{{"/file", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 3-4/5\r\nContent-Length: 2\r\n\r\nlo"}});
  const auto fetched = fetch(url_of(pages.peer), {.from = 3, .most = 2});
  EXPECT_TRUE(fetched.done) << fetched.done.error().message;
  EXPECT_EQ(fetched.body, "lo");
  EXPECT_NE(pages.asked[0].find("\r\nrange: bytes=3-\r\n"), std::string::npos);
}

TEST(HttpFetch, SkipsWhatAServerSendsThatIgnoresTheRange) {
  EXPECT_EQ(fetch_answer(kHello, {.from = 3, .most = 2}).body, "lo");
  EXPECT_EQ(fetch_answer(kHello, {.from = 6, .most = 2}).code(), Errc::protocol);
}

TEST(HttpFetch, RefusesAnotherPart) {
  const std::string answer = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/5\r\nContent-Length: 3\r\n\r\nllo";
  const auto wrong = fetch_answer(answer, {.from = 3, .most = 9});
  EXPECT_EQ(wrong.code(), Errc::protocol);
  EXPECT_EQ(wrong.body, "");
}

TEST(HttpFetch, IsDoneWhereNothingIsLeft) {
  const std::string answer = "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */5\r\nContent-Length: 3\r\n\r\nerr";
  const auto done = fetch_answer(answer, {.from = 5, .most = 9});
  EXPECT_TRUE(done.done);
  EXPECT_EQ(done.body, "");
}

// ---------------------------------------------------------------- patience

TEST(HttpFetch, GivesAStalledServerUp) {
  const RawPeer peer([](int connection) {
    read_head(connection);
    send_raw(connection, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    read_raw(connection);
  });
  const auto stalled = fetch(url_of(peer), {.most = 10, .stall_timeout = 500ms});
  EXPECT_EQ(stalled.code(), Errc::timeout);
  EXPECT_EQ(stalled.body, "hello");
}

/// Sends a byte of a body again and again.
void trickle(int connection) {
  read_head(connection);
  send_raw(connection, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
  pollfd item{.fd = connection, .events = POLLIN, .revents = 0};
  do {
    send_raw(connection, "x");
  } while (::poll(&item, 1, 5) == 0);
}

TEST(HttpFetch, EndsInTimeAlsoWhileBytesTrickle) {
  const RawPeer peer(trickle);
  const auto slow = fetch(url_of(peer), {.most = 2'000'000'000, .stall_timeout = 10s, .total_timeout = 700ms});
  EXPECT_EQ(slow.code(), Errc::timeout);
  EXPECT_FALSE(slow.body.empty());
}

TEST(HttpFetch, EndsWithinASecondWhenItIsToldToStop) {
  const auto silent = [](int connection) { read_raw(connection); };
  for (const RawPeer::Treat& treat : {RawPeer::Treat(silent), RawPeer::Treat(trickle)}) {
    std::atomic<bool> accepted{false};
    const RawPeer peer([&](int connection) {
      accepted = true;
      treat(connection);
    });
    std::stop_source stop;
    Steady::time_point stopped_at;
    std::thread other([&] {
      while (!accepted) std::this_thread::yield();
      stopped_at = Steady::now();
      stop.request_stop();
    });
    const auto fetched = fetch(url_of(peer), {.most = 2'000'000'000}, stop.get_token());
    other.join();
    EXPECT_EQ(fetched.code(), Errc::cancelled);
    EXPECT_LT(Steady::now() - stopped_at, 1s);
  }
}

TEST(HttpFetch, DoesNotEvenBeginWhenItWasStopped) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(fetch("http://localhost:1/", {.most = 1}, stop.get_token()).code(), Errc::cancelled);
}

}  // namespace
}  // namespace berth::io
