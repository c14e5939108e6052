// What a followed channel or release comes to, and how little is asked where nothing has changed.

#include <mutex>

#include <fmt/core.h>

#include "core/bundle/channel.h"
#include "core/io/raw_peer.h"
#include "core/trust/repository.h"
#include "daemon/fetch/repository_fixture.h"

namespace berth::fetch {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A web server of a folder that knows ETags, or does not.
class TaggedServer {
 public:
  explicit TaggedServer(fs::path folder) : folder_(std::move(folder)), peer_([this](int connection) { answer(connection); }) {}

  std::string url() const { return fmt::format("http://127.0.0.1:{}", peer_.port()); }
  /// "304 timestamp.json", … since the last time.
  std::vector<std::string> take() {
    const std::lock_guard guard(mutex_);
    return std::exchange(said_, {});
  }

  std::atomic<bool> tags{true};

 private:
  void answer(int connection) {
    const std::string head = io::read_head(connection);
    const std::string path = head.substr(4, head.find(' ', 4) - 4);
    const auto file = files::read(folder_ / path.substr(1), 100u << 20);
    const std::string etag = file ? "\"" + crypto::sha256_hex(*file).substr(0, 16) + "\"" : "";
    const bool same = file && tags && head.find("\r\nif-none-match: " + etag + "\r\n") != std::string::npos;
    const int status = !file ? 404 : same ? 304 : 200;
    {
      const std::lock_guard guard(mutex_);
      said_.push_back(fmt::format("{} {}", status, path.substr(path.rfind('/') + 1)));
    }
    std::string text = fmt::format("HTTP/1.1 {} X\r\n", status);
    if (file && tags) text += "ETag: " + etag + "\r\n";
    text += fmt::format("Content-Length: {}\r\n\r\n", status == 200 ? file->size() : 0);
    io::send_raw(connection, text + (status == 200 ? *file : ""));
  }

  fs::path folder_;
  std::mutex mutex_;
  std::vector<std::string> said_;
  io::RawPeer peer_;
};

class FollowTest : public RepositoryFixture {
 protected:
  /// Points the channel to a release, signed by whoever may.
  void point(const std::string& release, std::int64_t serial) {
    sign_channel({.app = "web", .environment = "production", .channel = "stable", .release = release, .serial = serial});
  }
  void sign_channel(const bundle::Channel& channel) {
    auto writer = trust::RepositoryWriter::open(repo, keys, [] { return std::chrono::system_clock::now(); });
    ASSERT_TRUE(writer) << writer.error().message;
    const auto added = writer->add_targets({}, {{"web/production/channels/stable.json", bundle::to_canonical_json(channel)}});
    ASSERT_TRUE(added) << added.error().message;
  }

  RepositoryOptions web_options() {
    auto options = node_options();
    options.url = server.url();
    return options;
  }

  void expect_failure(const Result<Wanted>& wanted, Errc code, const std::string& why) {
    ASSERT_FALSE(wanted) << wanted->release;
    EXPECT_EQ(wanted.error().code, code) << wanted.error().message;
    EXPECT_THAT(wanted.error().message, AllOf(HasSubstr("web"), HasSubstr(why)));
  }

  TaggedServer server{repo};
  Followed stable{.app = "web", .environment = "production", .channel = "stable"};
};

TEST_F(FollowTest, AChannelIsWhatItPointsTo) {
  point("v1", 1);
  Repository repository(node_options());
  EXPECT_FALSE(repository.remembered(stable).value());
  EXPECT_EQ(repository.follow(stable, {}).value(), (Wanted{"v1", 1}));
  point("v2", 2);
  EXPECT_EQ(repository.follow(stable, {}).value(), (Wanted{"v2", 2}));
  EXPECT_EQ(Repository(node_options()).remembered(stable).value(), (Wanted{"v2", 2}));
}

TEST_F(FollowTest, AReleaseIsItselfOnceItIsThere) {
  Followed release{.app = "web", .environment = "production", .release = "v1"};
  Repository repository(node_options());
  expect_failure(repository.follow(release, {}), Errc::not_found, "no such release");
  publish("v1");
  EXPECT_EQ(repository.follow(release, {}).value(), (Wanted{.release = "v1"}));
  EXPECT_EQ(repository.remembered(release).value(), (Wanted{.release = "v1"}));
  EXPECT_EQ(release.manifest_sha256, repository.resolve("web", "production", "v1", {})->manifest_sha256);
}

TEST_F(FollowTest, WhereNothingHasChangedOneExchangeWithoutABodyTellsSo) {
  point("v1", 1);
  Repository repository(web_options());
  ASSERT_TRUE(repository.follow(stable, {}));
  EXPECT_THAT(server.take(), Not(IsEmpty()));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(repository.follow(stable, {}).value(), (Wanted{"v1", 1}));
    EXPECT_THAT(server.take(), ElementsAre("304 timestamp.json"));
  }
  point("v2", 2);
  EXPECT_EQ(repository.follow(stable, {}).value(), (Wanted{"v2", 2}));
  server.take();
  EXPECT_EQ(repository.follow(stable, {}).value(), (Wanted{"v2", 2}));
  EXPECT_THAT(server.take(), ElementsAre("304 timestamp.json"));
}

TEST_F(FollowTest, WithoutEtagsTheFileItselfTellsSo) {
  server.tags = false;
  point("v1", 1);
  Repository repository(web_options());
  ASSERT_TRUE(repository.follow(stable, {}));
  server.take();
  EXPECT_EQ(repository.follow(stable, {}).value(), (Wanted{"v1", 1}));
  EXPECT_THAT(server.take(), ElementsAre("200 timestamp.json"));
}

TEST_F(FollowTest, WhatWasReadHoldsNoLongerThanItsMetadata) {
  point("v1", 1);
  Repository repository(web_options());
  ASSERT_TRUE(repository.follow(stable, {}));
  EXPECT_GT(stable.fresh_until, std::chrono::system_clock::now());
  server.take();
  Followed expired = stable;
  expired.fresh_until = std::chrono::system_clock::now();
  ASSERT_TRUE(repository.follow(expired, {}));
  EXPECT_THAT(server.take(), testing::Contains("404 2.root.json")) << "read whole";
  Followed old = stable;
  old.read_at -= std::chrono::hours(1);
  ASSERT_TRUE(repository.follow(old, {}));
  EXPECT_THAT(server.take(), testing::Contains("404 2.root.json")) << "read whole";
}

TEST_F(FollowTest, OneThatNeverWasIsNamed) {
  Repository repository(node_options());
  expect_failure(repository.follow(stable, {}), Errc::not_found, "channel stable of web/production: there is no such channel");
  Followed odd{.app = "web", .environment = "production", .channel = "../x"};
  EXPECT_EQ(repository.follow(odd, {}).error().code, Errc::usage);
}

TEST_F(FollowTest, WhoDeploysAChannelOrANumberIsToldWhatIsThere) {
  publish("v1");
  point("v1", 1);
  Repository repository(node_options());
  const auto why = [&](const char* release) { return repository.resolve("web", "production", release, {}).error().message; };
  EXPECT_THAT(why("stable"), HasSubstr("('stable' is a channel, which [[follow]] of berthd.toml follows; name the release that it points to)"));
  EXPECT_THAT(why("1"), HasSubstr("(did you mean web@v1?)"));
  EXPECT_THAT(why("latest"), testing::Not(HasSubstr("(")));
  EXPECT_THAT(why("v9"), testing::EndsWith("; the newest there: v1"));
  EXPECT_THAT(repository.resolve("webb", "production", "v1", {}).error().message, testing::EndsWith("; there is no release of webb/production"));
}

TEST_F(FollowTest, AnOldOneIsRefusedThoughItIsSigned) {
  point("v1", 4);
  Repository repository(node_options());
  ASSERT_TRUE(repository.follow(stable, {}));
  point("v2", 5);
  ASSERT_TRUE(repository.follow(stable, {}));
  point("v1", 4);
  for (int i = 0; i < 2; ++i) expect_failure(repository.follow(stable, {}), Errc::trust, "serial is 4 (v1), and this node has seen 5 (v2)");
  Repository again(node_options());
  Followed anew{.app = "web", .environment = "production", .channel = "stable"};
  expect_failure(again.follow(anew, {}), Errc::trust, "never falls");
  point("v3", 6);
  EXPECT_EQ(again.follow(anew, {}).value(), (Wanted{"v3", 6}));
}

TEST_F(FollowTest, OneUnderAnotherOnesNameIsRefused) {
  sign_channel({.app = "web", .environment = "qa", .channel = "stable", .release = "v1", .serial = 1});
  Repository repository(node_options());
  expect_failure(repository.follow(stable, {}), Errc::trust, "is the channel stable of web/qa");
  EXPECT_FALSE(repository.remembered(stable).value());
}

TEST_F(FollowTest, ARepositoryThatIsAwayIsReadWholeWhenItIsBack) {
  point("v1", 1);
  Repository repository(web_options());
  ASSERT_TRUE(repository.follow(stable, {}));
  fs::rename(repo / "metadata", folder.path() / "away");
  EXPECT_FALSE(repository.follow(stable, {}));
  EXPECT_NE(repository.trust().last_error, "");
  fs::rename(folder.path() / "away", repo / "metadata");
  server.take();
  EXPECT_EQ(repository.follow(stable, {}).value(), (Wanted{"v1", 1}));
  EXPECT_EQ(repository.trust().last_error, "");
  EXPECT_THAT(server.take(), testing::Contains("404 2.root.json"));
}

TEST_F(FollowTest, SeveralAtOnceAreReadOneAfterTheOther) {
  point("v1", 1);
  publish("v1");
  Repository repository(web_options());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      Followed own = stable;
      for (int n = 0; n < 5; ++n) {
        if (i % 2 == 0) EXPECT_TRUE(repository.follow(own, {}));
        else EXPECT_TRUE(repository.resolve("web", "production", "v1", {}));
        own.fresh_until = {};
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace berth::fetch
