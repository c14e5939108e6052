#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/on_loop.h"
#include "daemon/api/fake_operations.h"
#include "daemon/api/log_query.h"

namespace berth::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

/// Takes so many pieces, and is gone then.
class Reader : public io::BodyWriter {
 public:
  explicit Reader(std::size_t most) : most_(most) {}
  awaitable<bool> write(std::string data) override {
    got.push_back(std::move(data));
    co_return got.size() < most_;
  }
  bool gone() const override { return got.size() >= most_; }

  std::vector<std::string> got;

 private:
  std::size_t most_;
};

class StreamsTest : public testing::Test {
 protected:
  io::ServerReply ask(const std::string& path, std::map<std::string, std::string> query, io::Headers headers = {}) {
    io::ServerRequest request;
    request.method = "GET";
    request.path = path;
    request.query = std::move(query);
    request.headers = std::move(headers);
    return io::on_loop(loop, api.on_socket(std::move(request)));
  }
  io::ServerReply follow(std::map<std::string, std::string> query, io::Headers headers = {}) {
    headers["accept"] = "text/event-stream";
    return ask("/v1/events", std::move(query), std::move(headers));
  }
  std::vector<std::string> read(const io::ServerReply& reply, std::size_t most) {
    Reader reader(most);
    if (!reply.stream) return {"no stream: " + reply.body};
    const auto run = [&]() -> awaitable<int> {
      auto streaming = reply.stream(reader);
      co_await std::move(streaming);
      co_return 0;
    };
    io::on_loop(loop, run());
    return reader.got;
  }
  static store::Event event(std::int64_t number, const std::string& app) {
    return {.number = number, .at = "2026-11-24T09:00:00.000000Z", .kind = "deployment.state", .app = app, .data = {{"state", "active"}}};
  }

  io::Loop loop;
  FakeOperations operations;
  FakeNode node;
  Api api{operations, node};
};

TEST_F(StreamsTest, EventsComeAsServerSentOnesFromTheNumberThatIsAskedFor) {
  node.told = {event(1, "web"), event(2, "api"), event(3, "web")};
  const auto reply = follow({{"from", "2"}});
  EXPECT_EQ(reply.content_type, "text/event-stream");
  const auto got = read(reply, 2);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_THAT(got[0], StartsWith(":")) << "so that a client knows at once that it is connected";
  EXPECT_THAT(got[1], StartsWith("id: 2\nevent: deployment.state\ndata: {\"number\":2,"));
  EXPECT_THAT(got[1], HasSubstr("}\n\nid: 3\n"));
}

TEST_F(StreamsTest, TheNewestComeFirstWhereTheyAreAskedFor) {
  node.told = {event(1, "web"), event(2, "api"), event(3, "web"), event(4, "api")};
  EXPECT_THAT(read(follow({{"last", "2"}}), 2).back(), StartsWith("id: 3\n"));
  EXPECT_THAT(read(follow({{"last", "2"}, {"app", "web"}}), 2).back(), StartsWith("id: 1\n"));
  EXPECT_THAT(read(follow({{"last", "2"}}, {{"last-event-id", "3"}}), 2).back(), StartsWith("id: 4\n")) << "who comes back has seen them";
  EXPECT_EQ(follow({{"last", "2"}, {"from", "1"}}).status, 400);
  EXPECT_EQ(follow({{"last", "0"}}).status, 400);
}

TEST_F(StreamsTest, WhoComesBackGetsWhatCameMeanwhileAndWhoIsNewWhatComesNext) {
  node.told = {event(1, "web"), event(2, "api"), event(3, "web")};
  EXPECT_THAT(read(follow({}, {{"last-event-id", "2"}}), 2).back(), StartsWith("id: 3\n"));
  const auto next = follow({});
  node.told.push_back(event(4, "web"));
  EXPECT_THAT(read(next, 2).back(), StartsWith("id: 4\n"));
}

TEST_F(StreamsTest, WhoKnowsEventsOfAnotherLogGetsWhatComesNext) {
  node.told = {event(1, "web"), event(2, "web")};
  const auto reply = follow({}, {{"last-event-id", "999999"}});
  EXPECT_EQ(reply.status, 200);
  node.told.push_back(event(3, "web"));
  const auto got = read(reply, 2);
  EXPECT_EQ(got.front(), ": events of berthd; its log ends at 2, and Last-Event-ID is none of it: the new ones come\n\n");
  EXPECT_THAT(got.back(), StartsWith("id: 3\n"));
  EXPECT_EQ(read(follow({}, {{"last-event-id", "3"}}), 1).front(), ": events of berthd\n\n") << "who knows all of them is at home";
}

TEST_F(StreamsTest, OfOneAppOthersArePassedOver) {
  node.told = {event(1, "web"), event(2, "api"), event(3, "api")};
  const auto reply = follow({{"app", "web"}, {"from", "1"}});
  EXPECT_THAT(read(reply, 2).back(), StartsWith("id: 1\n"));
  node.told = {event(1, "api"), event(2, "api"), event(3, "web")};
  EXPECT_THAT(read(reply, 2).back(), StartsWith("id: 3\n"));
}

TEST_F(StreamsTest, WhatIsNoNumberOfAnEventIsRefused) {
  for (const char* id : {"", "x", "-1", "3 ", "9223372036854775807", "99999999999999999999"}) EXPECT_EQ(follow({}, {{"last-event-id", id}}).status, 400) << id;
  EXPECT_EQ(follow({{"limit", "3"}}).status, 400) << "of pages alone";
  EXPECT_EQ(follow({{"from", "0"}}).status, 400);
  node.who = {.name = "ci", .role = Role::viewer, .apps = {"web"}};
  EXPECT_EQ(follow({{"app", "api"}}).status, 403);
}

TEST_F(StreamsTest, LogsComeAsLinesUntilTheirEnd) {
  const auto reply = ask("/v1/apps/web/logs", {});
  EXPECT_EQ(reply.content_type, "application/x-ndjson");
  EXPECT_THAT(read(reply, 9), ElementsAre("{\"text\": \"one\"}\n", "{\"text\": \"two\"}\n"));
}

TEST_F(StreamsTest, FollowedLogsGoOnUntilTheyAreGone) {
  EXPECT_THAT(read(ask("/v1/apps/web/logs", {{"follow", "true"}}), 9), ElementsAre("{\"text\": \"one\"}\n", "{\"text\": \"two\"}\n"));
  EXPECT_EQ(std::static_pointer_cast<FakeFeed>(node.feed)->waited, 2);
}

/// Takes a piece, and then nothing more until it is dropped.
class Sleeper : public io::BodyWriter {
 public:
  awaitable<bool> write(std::string) override {
    const bool takes = ++writes == 1;
    co_return takes;
  }
  bool gone() const override { return writes > 1; }
  std::chrono::milliseconds stalled() const override { return writes > 1 ? std::chrono::seconds(30) : std::chrono::seconds(0); }
  int writes = 0;
};

TEST_F(StreamsTest, WhoIsDroppedForReadingNothingIsCountedAndWhoGoesIsNot) {
  const auto read_by = [&](const io::ServerReply& reply, io::BodyWriter& reader) {
    const auto run = [&]() -> awaitable<int> {
      auto streaming = reply.stream(reader);
      co_await std::move(streaming);
      co_return 0;
    };
    io::on_loop(loop, run());
  };
  node.told = {event(1, "web"), event(2, "web")};
  Sleeper of_events, of_logs;
  read_by(follow({{"from", "1"}}), of_events);
  EXPECT_EQ(node.dropped, 1);
  read_by(ask("/v1/apps/web/logs", {}), of_logs);
  EXPECT_EQ(node.dropped, 2);
  Reader leaves(1);
  read_by(follow({{"from", "1"}}), leaves);
  EXPECT_EQ(node.dropped, 2);
}

TEST_F(StreamsTest, OnlySoManyMayFollow) {
  node.has_place = false;
  EXPECT_EQ(follow({}).status, 503);
  EXPECT_EQ(ask("/v1/apps/web/logs", {}).status, 503);
}

Result<logs::LogQuery> query(std::map<std::string, std::string> parameters) {
  io::ServerRequest request;
  request.query = std::move(parameters);
  return read_log_query(request, "web", std::chrono::sys_days(std::chrono::year(2026) / 11 / 24));
}

TEST(LogQuery, SaysAllThatTheCommandLineSays) {
  const auto asked = query({{"process", "worker"}, {"number", "2"}, {"since", "1h"}, {"until", "2026-11-24T00:00:00Z"}, {"grep", "a.c"}, {"release", "v2"},
                            {"level", "warning"}, {"stream", "stderr"}, {"lines", "0"}, {"follow", "true"}});
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(asked->selector.process, "worker");
  EXPECT_EQ(asked->selector.number, 2);
  EXPECT_EQ(*asked->filter.until - *asked->filter.since, std::chrono::hours(1));
  EXPECT_TRUE(asked->filter.pattern->found_in("xa.cx"));
  EXPECT_FALSE(asked->filter.pattern->found_in("abc")) << "as it stands";
  EXPECT_EQ(asked->filter.release, "v2");
  EXPECT_EQ(asked->filter.stream, logs::Stream::err);
  EXPECT_EQ(asked->last, 0u);
  EXPECT_TRUE(asked->follow);
  const auto all = query({});
  ASSERT_TRUE(all);
  EXPECT_FALSE(all->last);
  EXPECT_FALSE(all->filter.pattern || all->filter.since || all->filter.release || all->follow);
}

TEST(LogQuery, RefusesWhatIsWrong) {
  const std::map<std::string, std::string> wrong[] = {{{"process", "No"}}, {{"number", "1"}}, {{"process", "web"}, {"number", "0"}}, {{"since", "later"}}, {{"grep", "("}, {"regex", "true"}},
                                                      {{"regex", "true"}}, {{"grep", std::string(1001, 'x')}}, {{"release", "a/b"}}, {{"level", "loud"}}, {{"stream", "stdin"}},
                                                      {{"lines", "-1"}}, {{"follow", "yes"}}, {{"follow", "true"}, {"previous", "true"}}, {{"colour", "red"}}};
  for (const auto& one : wrong) {
    const auto asked = query(one);
    ASSERT_FALSE(asked) << one.begin()->first;
    EXPECT_EQ(asked.error().code, Errc::usage);
    EXPECT_EQ(asked.error().message.find("--"), std::string::npos) << "an option of the command line";
  }
}

}  // namespace
}  // namespace berth::api
