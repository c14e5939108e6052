// What a publisher writes, read back by the client.

#include "core/trust/repository.h"

#include <chrono>
#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/crypto/keys.h"
#include "core/files/files.h"
#include "core/trust/folder_remote.h"
#include "core/trust/limits.h"
#include "core/trust/role_document.h"
#include "core/trust/time.h"

namespace berth::trust {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class Repository : public testing::Test {
 protected:
  Repository() {
    const auto made = init_repository(repo, keys, now);
    EXPECT_TRUE(made) << made.error().message;
  }

  RepositoryWriter writer() {
    auto opened = RepositoryWriter::open(repo, keys, [this] { return now; });
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }

  /// Refreshes a node that pinned this repository, and fetches one target.
  Result<std::string> fetch(const std::string& name) {
    FolderRemote metadata(repo / "metadata");
    FolderRemote targets(repo / "targets");
    Client client(folder.path() / "node", metadata, [this] { return now; });
    BERTH_TRY(const std::string root, files::read(repo / "metadata/root.json", 1u << 20));
    BERTH_CHECK(client.init(root));
    BERTH_CHECK(client.refresh());
    BERTH_TRY(const Target target, client.find(name));
    return client.download(target, targets);
  }

  std::vector<std::int64_t> versions() const {
    std::vector<std::int64_t> all;
    const auto state = read_repository(repo);
    for (const RoleState& role : state.value().roles) all.push_back(role.version);
    return all;
  }

  files::TemporaryDirectory folder;
  fs::path repo = folder.path() / "repo";
  fs::path keys = folder.path() / "keys";
  WallTime now = *parse_time("2030-01-01T00:00:00Z");
};

TEST_F(Repository, IsEmptyAndReadableAtFirst) {
  EXPECT_EQ(fetch("web/production/v1.json").error().code, Errc::not_found);
  const auto state = read_repository(repo);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_TRUE(state->targets.empty());
  std::vector<std::string> told;
  for (const RoleState& role : state->roles) told.push_back(role.role + " " + to_string(role.expires));
  EXPECT_THAT(told, ElementsAre("root 2031-01-01T00:00:00Z", "timestamp 2030-01-08T00:00:00Z", "snapshot 2030-01-15T00:00:00Z",
                                "targets 2030-04-01T00:00:00Z"));
}

TEST_F(Repository, HasItsOwnKeysWhichOnlyTheOwnerReads) {
  for (const char* role : kKeyRoles) {
    struct stat about {};
    ASSERT_EQ(::stat((keys / (std::string(role) + ".pem")).c_str(), &about), 0) << role;
    EXPECT_EQ(about.st_mode & 07777, 0600u);
  }
}

TEST_F(Repository, IsNeverMadeTwiceNorWithKeysInside) {
  EXPECT_EQ(init_repository(repo, folder.path() / "other", now).error().code, Errc::exists);
  EXPECT_EQ(init_repository(folder.path() / "second", keys, now).error().code, Errc::exists);
  EXPECT_EQ(init_repository(folder.path() / "third", folder.path() / "third/keys", now).error().code, Errc::usage);
  EXPECT_FALSE(fs::exists(folder.path() / "third/keys"));
}

TEST_F(Repository, GivesOutWhatWasPublished) {
  ASSERT_TRUE(writer().add_targets({{"web/production/v1.json", "one"}, {"web/production/v2.json", "two"}}));
  EXPECT_EQ(fetch("web/production/v1.json").value(), "one");
  ASSERT_TRUE(writer().add_targets({{"top", "three"}}));
  EXPECT_EQ(fetch("web/production/v2.json").value(), "two");
  EXPECT_EQ(fetch("top").value(), "three");
  EXPECT_THAT(versions(), ElementsAre(1, 3, 3, 3));
  EXPECT_TRUE(fs::exists(repo / "metadata/2.targets.json")) << "a reader may be between the old timestamp and the old targets";
}

TEST_F(Repository, NeverReplacesATarget) {
  ASSERT_TRUE(writer().add_targets({{"web/v1", "one"}}));
  ASSERT_TRUE(writer().add_targets({{"web/v1", "one"}})) << "the same bytes are nothing new";
  EXPECT_THAT(versions(), ElementsAre(1, 2, 2, 2));
  const auto other = writer().add_targets({{"web/v1", "other"}, {"web/v2", "two"}});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::exists);
  EXPECT_THAT(other.error().message, HasSubstr("'web/v1' is in the repository with other content"));
  EXPECT_THAT(versions(), ElementsAre(1, 2, 2, 2));
  EXPECT_EQ(read_repository(repo)->targets.size(), 1u);
}

TEST_F(Repository, RefusesNamesThatDoNotSurviveAWebServer) {
  for (const char* name : {"", "/a", "a/", "a//b", "../a", "a/./b", "a b", "a%2Fb", "a\nb", "é"}) {
    EXPECT_FALSE(is_target_name(name)) << name;
    EXPECT_EQ(writer().add_targets({{name, "x"}}).error().code, Errc::usage) << name;
  }
  EXPECT_TRUE(is_target_name("web/production/v1.2_3-4.json"));
}

TEST_F(Repository, ExpiresUntilItIsRefreshed) {
  ASSERT_TRUE(writer().add_targets({{"a", "one"}}));
  now += 24h * 7;
  EXPECT_EQ(fetch("a").error().code, Errc::trust);
  ASSERT_TRUE(writer().refresh());
  EXPECT_THAT(versions(), ElementsAre(1, 3, 3, 2)) << "targets have more than half of their time left";
  EXPECT_EQ(fetch("a").value(), "one");
}

TEST_F(Repository, SignsTargetsAnewWhenHalfOfTheirTimeIsOver) {
  now += 24h * 46;
  ASSERT_TRUE(writer().refresh());
  EXPECT_THAT(versions(), ElementsAre(1, 2, 2, 2));
}

TEST_F(Repository, IsRefreshedWithoutTheTargetsAndRootKeys) {
  fs::remove(keys / "root.pem");
  fs::remove(keys / "targets.pem");
  now += 24h * 46;
  ASSERT_TRUE(writer().refresh());
  EXPECT_THAT(versions(), ElementsAre(1, 2, 2, 1));
}

TEST_F(Repository, WritesNothingWhereAKeyIsMissingOrAnothers) {
  fs::rename(keys / "timestamp.pem", keys / "away.pem");
  const auto missing = writer().add_targets({{"a", "one"}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr("timestamp.pem"));
  ASSERT_TRUE(crypto::SigningKey::generate().save(keys / "timestamp.pem"));
  const auto strange = writer().add_targets({{"a", "one"}});
  ASSERT_FALSE(strange);
  EXPECT_EQ(strange.error().code, Errc::usage);
  EXPECT_THAT(versions(), ElementsAre(1, 1, 1, 1));
  EXPECT_TRUE(fs::is_empty(repo / "targets"));
}

TEST_F(Repository, HasOneWriterAtATime) {
  {
    const RepositoryWriter first = writer();
    const auto second = RepositoryWriter::open(repo, keys, [this] { return now; });
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::conflict);
    EXPECT_TRUE(read_repository(repo));
  }
  EXPECT_TRUE(writer().refresh());
}

TEST_F(Repository, AWriterWaitsForItsTurnAsLongAsIsSaid) {
  std::optional<RepositoryWriter> first = writer();
  const auto began = std::chrono::steady_clock::now();
  const auto in_vain = RepositoryWriter::open(repo, keys, [this] { return now; }, {}, std::chrono::milliseconds(200));
  ASSERT_FALSE(in_vain);
  EXPECT_EQ(in_vain.error().code, Errc::conflict);
  EXPECT_THAT(in_vain.error().message, HasSubstr("another publisher is still at work"));
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(200));
  std::thread other([&first] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    first.reset();
  });
  const auto second = RepositoryWriter::open(repo, keys, [this] { return now; }, {}, std::chrono::minutes(1));
  other.join();
  EXPECT_TRUE(second);
}

TEST_F(Repository, GoesOnAfterACrashBeforeTheTimestamp) {
  const std::string timestamp = files::read(repo / "metadata/timestamp.json", 1u << 20).value();
  ASSERT_TRUE(writer().add_targets({{"lost", "one"}}));
  ASSERT_TRUE(files::replace(repo / "metadata/timestamp.json", timestamp));  // as if it had never been written
  EXPECT_EQ(fetch("lost").error().code, Errc::not_found);
  ASSERT_TRUE(writer().add_targets({{"next", "two"}}));
  EXPECT_EQ(fetch("next").value(), "two");
  EXPECT_EQ(fetch("lost").error().code, Errc::not_found);
}

TEST_F(Repository, MakesNoFileThatClientsWouldNotTake) {
  const std::pair<const char*, std::uint64_t> table[] = {
      {"root", kMostRoot}, {"timestamp", kMostTimestamp}, {"snapshot", kMostMetadata}, {"targets", kMostMetadata}};
  for (const auto& [type, most] : table) {
    SCOPED_TRACE(type);
    json::object document = role_document(type);
    document["more"] = std::string(most / 2, 'x');
    EXPECT_TRUE(signed_file(document, {}));
    document["more"] = std::string(most, 'x');
    const auto made = signed_file(document, {});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::usage);
    EXPECT_THAT(made.error().message, HasSubstr(type));
  }
}

TEST_F(Repository, ThatIsNoneIsNotFound) {
  const auto opened = RepositoryWriter::open(folder.path() / "nothing", keys, [this] { return now; });
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::not_found);
  EXPECT_FALSE(fs::exists(folder.path() / "nothing"));
}

TEST_F(Repository, WithADamagedFileIsNotWrittenTo) {
  ASSERT_TRUE(files::replace(repo / "metadata/1.targets.json", "{}"));
  const auto opened = RepositoryWriter::open(repo, keys, [this] { return now; });
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::trust);
  EXPECT_THAT(opened.error().message, HasSubstr("1.targets.json"));
}

}  // namespace
}  // namespace berth::trust
