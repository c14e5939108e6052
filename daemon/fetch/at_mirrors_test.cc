// A repository at several places, of which one has what is wrong or not whole: web servers, and a node that resolves and follows.

#include <fmt/core.h>

#include "core/io/raw_peer.h"
#include "daemon/fetch/repository_fixture.h"

namespace berth::fetch {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// A web server of a folder.
class FolderServer {
 public:
  explicit FolderServer(fs::path folder) : folder_(std::move(folder)), peer_([this](int connection) { answer(connection); }) {}
  std::string url() const { return fmt::format("http://127.0.0.1:{}", peer_.port()); }

 private:
  void answer(int connection) const {
    const std::string head = io::read_head(connection);
    const std::string path = head.substr(4, head.find(' ', 4) - 4);
    const auto file = files::read(folder_ / path.substr(1), 100u << 20);
    const std::string body = file ? *file : "";
    io::send_raw(connection, fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n", file ? "200 OK" : "404 Not Found", body.size()) + body);
  }

  fs::path folder_;
  io::RawPeer peer_;
};

class AtMirrors : public RepositoryFixture {
 protected:
  AtMirrors() {
    publish("v1");
    options.url = first.url();
    options.mirrors = {second.url(), third.url()};
    options.note = [this](const std::string& note) { notes += note + "\n"; };
  }

  void copy_to(const std::string& place) {
    fs::remove_all(folder.path() / place);
    fs::copy(repo, folder.path() / place, fs::copy_options::recursive);
  }
  fs::path at(const std::string& place) const { return folder.path() / place; }

  /// The only file below `place` whose name ends so.
  fs::path file(const std::string& place, const std::string& end) const {
    fs::path found;
    for (const auto& entry : fs::recursive_directory_iterator(at(place)))
      if (entry.path().filename().string().ends_with(end)) found = std::max(found, entry.path());
    EXPECT_FALSE(found.empty()) << end;
    return found;
  }

  /// A node that has seen v1, and nothing else.
  Result<std::string> resolved(Repository& node) {
    auto done = node.resolve("web", "production", "v2", {});
    if (!done) return std::unexpected(done.error());
    return done->manifest.release;
  }

  static Result<std::string> release_of(const Result<Wanted>& wanted) {
    if (!wanted) return std::unexpected(wanted.error());
    return wanted->release;
  }

  FolderServer first{folder.path() / "first"}, second{folder.path() / "second"}, third{folder.path() / "third"};
  RepositoryOptions options = node_options();
  std::string notes;
};

struct Fault {
  const char* name;
  const char* file;  ///< whose name ends so
  std::function<void(const fs::path&)> done;
  const char* says;
  bool hits_who_follows = true;  ///< who follows a release reads no manifest
};

const std::function<void(const fs::path&)> kRemoved = [](const fs::path& path) { fs::remove(path); };
const std::function<void(const fs::path&)> kFlipped = [](const fs::path& path) {
  std::string bytes = *files::read(path, 1u << 20);
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(files::replace(path, bytes));
};
const std::function<void(const fs::path&)> kAnotherPage = [](const fs::path& path) { ASSERT_TRUE(files::replace(path, "<html>Sign in to the hotel's network</html>")); };

const Fault kFaults[] = {
    {"a snapshot that has not come yet", "3.snapshot.json", kRemoved, "3.snapshot.json: 404"},
    {"a role that has not come yet", "3.targets.json", kRemoved, "3.targets.json: 404"},
    {"a manifest that has not come yet", ".v2.json", kRemoved, ".v2.json: 404", false},
    {"no timestamp", "timestamp.json", kRemoved, "timestamp.json: 404"},
    {"a damaged timestamp", "timestamp.json", kFlipped, "timestamp.json"},
    {"a damaged snapshot", "3.snapshot.json", kFlipped, "snapshot.json"},
    {"a damaged role", "3.targets.json", kFlipped, "targets.json"},
    {"a damaged manifest", ".v2.json", kFlipped, "production/v2.json", false},
    {"another page for everything", "timestamp.json", kAnotherPage, "timestamp.json"},
};

TEST_F(AtMirrors, APlaceThatIsDamagedOrNotWholeIsPassedOver) {
  publish("v2");
  copy_to("second");
  for (const Fault& fault : kFaults) {
    SCOPED_TRACE(fault.name);
    copy_to("first");
    fault.done(file("first", fault.file));
    for (const bool follows : {false, true}) {
      if (follows && !fault.hits_who_follows) continue;
      fs::remove_all(options.trust_directory);
      notes.clear();
      Repository node(options);
      Followed followed{.app = "web", .environment = "production", .release = "v2"};
      const auto done = follows ? release_of(node.follow(followed, {})) : resolved(node);
      ASSERT_TRUE(done) << done.error().message;
      EXPECT_EQ(*done, "v2");
      EXPECT_THAT(notes, AllOf(HasSubstr(first.url() + " is passed over, " + second.url() + " is asked instead: "), HasSubstr(fault.says)));
      EXPECT_EQ(node.trust().last_error, "") << "the node knows what it wants to know";
      notes.clear();
      EXPECT_TRUE(resolved(node)) << "and the second place is asked at once";
      EXPECT_EQ(notes, "");
    }
  }
}

TEST_F(AtMirrors, APlaceThatIsBehindWhatWasSeenIsPassedOver) {
  copy_to("first");
  publish("v2");
  copy_to("second");
  Repository node(options);
  ASSERT_TRUE(node.list({}));
  options.url = second.url();
  options.mirrors = {};
  ASSERT_TRUE(Repository(options).list({})) << "what is seen there is newer";
  const auto done = resolved(node);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(notes, AllOf(HasSubstr(first.url() + " is passed over"), HasSubstr("a rollback")));
  EXPECT_EQ(node.trust().refusals.size(), 0u);
}

TEST_F(AtMirrors, AFrozenPlaceIsPassedOverWhenItsTimestampExpires) {
  {
    auto writer = trust::RepositoryWriter::open(repo, keys, [] { return std::chrono::system_clock::now() - std::chrono::hours(24 * 10); });
    ASSERT_TRUE(writer) << writer.error().message;
    ASSERT_TRUE(writer->refresh(trust::RefreshScope::timestamp_only));
  }
  copy_to("first");
  publish("v2");
  copy_to("second");
  Repository node(options);
  const auto done = resolved(node);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(notes, AllOf(HasSubstr(first.url() + " is passed over"), HasSubstr("expired at")));
  EXPECT_EQ(node.list({})->size(), 2u);
}

TEST_F(AtMirrors, WhereAllAreWrongTheFailureIsTheFirstOnes) {
  publish("v2");
  for (const char* place : {"first", "second", "third"}) copy_to(place);
  fs::remove(file("first", "3.snapshot.json"));
  kFlipped(file("second", "3.targets.json"));
  fs::remove(file("third", "timestamp.json"));
  Repository node(options);
  const auto done = resolved(node);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::trust);
  EXPECT_THAT(done.error().message, AllOf(HasSubstr("web/production@v2"), HasSubstr(first.url() + "/metadata/3.snapshot.json: 404"),
                                          HasSubstr("so at " + first.url() + "; 3 places were tried"), Not(HasSubstr(third.url()))));
  EXPECT_EQ(node.trust().refusals.at("missing"), 1u);
  EXPECT_THAT(notes, AllOf(HasSubstr(second.url() + " is passed over"), HasSubstr(third.url() + " is passed over, " + first.url() + " is asked instead")));
  // The others are down: it is the same.
  options.mirrors = {"http://127.0.0.1:1"};
  options.trust_directory = folder.path() / "another";
  const auto alone = Repository(options).resolve("web", "production", "v2", {});
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().code, Errc::trust) << alone.error().message;
  EXPECT_THAT(alone.error().message, HasSubstr("3.snapshot.json: 404"));
}

TEST_F(AtMirrors, WhatIsNotListedIsAskedForOnce) {
  for (const char* place : {"first", "second", "third"}) copy_to(place);
  Repository node(options);
  EXPECT_EQ(resolved(node).error().code, Errc::not_found) << "no such release, as the metadata says that was signed";
  EXPECT_EQ(notes, "");
}

}  // namespace
}  // namespace berth::fetch
