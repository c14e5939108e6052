#include <chrono>

#include "daemon/fetch/repository_fixture.h"

namespace berth::fetch {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RepositoryTest : public RepositoryFixture {
 protected:
  RepositoryTest() {
    put(app / "bin/run", "#!/bin/sh\n", 0755);
    put(config / "settings", "a=1\n");
  }

  void expect_refused(const Result<Resolved>& resolved, Errc code, const std::string& why) {
    ASSERT_FALSE(resolved);
    EXPECT_EQ(resolved.error().code, code) << resolved.error().message;
    EXPECT_THAT(resolved.error().message, AllOf(HasSubstr("web/production@v1"), HasSubstr(why)));
  }
};

TEST_F(RepositoryTest, ResolvesAReleaseToItsSignedManifest) {
  const auto published = publish("v1");
  Repository repository(node_options());
  EXPECT_EQ(repository.trust().last_success, "");
  const auto resolved = repository.resolve("web", "production", "v1", {});
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->manifest, published);
  EXPECT_EQ(resolved->build, published.builds.at("any"));
  EXPECT_EQ(resolved->manifest_text, bundle::to_canonical_json(published));
  EXPECT_EQ(resolved->manifest_sha256, crypto::sha256_hex(resolved->manifest_text));
  const TrustStatus status = repository.trust();
  EXPECT_EQ(status.last_error, "");
  EXPECT_TRUE(trust::parse_time(status.last_success));
  EXPECT_EQ(status.roles.size(), 4U);
}

TEST_F(RepositoryTest, ListsReleases) {
  publish("v1");
  publish("v2");
  sign("notes.txt", "no release");
  sign("web/production/deep/v9.json", "no release either");
  Repository repository(node_options());
  const auto listed = repository.list({});
  ASSERT_TRUE(listed) << listed.error().message;
  std::vector<std::string> names;
  for (const auto& one : *listed) names.push_back(one.app + " " + one.environment + " " + one.release);
  EXPECT_THAT(names, ElementsAre("web production v1", "web production v2"));
}

TEST_F(RepositoryTest, NamesAReleaseThatIsNotThere) {
  Repository repository(node_options());
  expect_refused(repository.resolve("web", "production", "v1", {}), Errc::not_found, "no such release");
  EXPECT_EQ(repository.resolve("web", "production", "../v1", {}).error().code, Errc::usage);
}

TEST_F(RepositoryTest, RefusesAManifestThatWasSignedForAnotherName) {
  const auto ref = publish_layer(app);
  sign("web/production/v1.json", bundle::to_canonical_json(manifest("v7", ref, publish_layer(config))));
  Repository repository(node_options());
  expect_refused(repository.resolve("web", "production", "v1", {}), Errc::trust, "'v7'");
}

TEST_F(RepositoryTest, RefusesAManifestThatWasChanged) {
  publish("v1");
  for (const auto& one : fs::recursive_directory_iterator(repo / "targets/web")) {
    if (!one.is_regular_file()) continue;
    std::string text = *files::read(one.path(), 1u << 20);
    text[text.size() / 2] ^= 1;
    ASSERT_TRUE(files::replace(one.path(), text));
  }
  Repository repository(node_options());
  expect_refused(repository.resolve("web", "production", "v1", {}), Errc::trust, "target");
  EXPECT_EQ(repository.trust().refusals, (Refusals{{"hash", 1}}));
}

TEST_F(RepositoryTest, RefusesAReleaseOfAnotherPlatform) {
  auto made = manifest("v1", publish_layer(app), publish_layer(config));
  made.builds["linux/riscv64"] = made.builds.at("any");
  made.builds.erase("any");
  sign("web/production/v1.json", bundle::to_canonical_json(made));
  Repository repository(node_options());
  const auto resolved = repository.resolve("web", "production", "v1", {});
  ASSERT_FALSE(resolved);
  EXPECT_EQ(resolved.error().code, Errc::trust);
}

TEST_F(RepositoryTest, RefusesAReleaseThatNeedsANewerBerthd) {
  auto made = manifest("v1", publish_layer(app), publish_layer(config));
  made.requires_berthd = "99.0.0";
  sign("web/production/v1.json", bundle::to_canonical_json(made));
  Repository repository(node_options());
  expect_refused(repository.resolve("web", "production", "v1", {}), Errc::trust, "requires berthd 99.0.0");
}

TEST_F(RepositoryTest, SaysWhatIsWrongAndSinceWhenAfterARestart) {
  publish("v1");
  std::string success;
  {
    Repository repository(node_options());
    ASSERT_TRUE(repository.resolve("web", "production", "v1", {}));
    success = repository.trust().last_success;
    fs::rename(repo, folder.path() / "away");
    expect_refused(repository.resolve("web", "production", "v1", {}), Errc::unreachable, "repository");
    EXPECT_THAT(repository.trust().last_error, HasSubstr("repository"));
    EXPECT_EQ(repository.trust().last_success, success);
  }
  Repository again(node_options());
  EXPECT_EQ(again.trust().last_success, success);
  EXPECT_EQ(again.trust().roles.size(), 4U);
}

TEST_F(RepositoryTest, HasNotReadAnotherPlaceYet) {
  publish("v1");
  std::string success;
  {
    Repository repository(node_options());
    ASSERT_TRUE(repository.resolve("web", "production", "v1", {}));
    success = repository.trust().last_success;
  }
  auto options = node_options();
  options.url = "file://" + (folder.path() / "other").string();
  {
    Repository other(options);
    EXPECT_EQ(other.trust().last_success, "");
    EXPECT_FALSE(other.resolve("web", "production", "v1", {}));
    EXPECT_EQ(other.trust().last_success, "");
  }
  fs::rename(repo, folder.path() / "other");
  Repository other(options);
  ASSERT_TRUE(other.resolve("web", "production", "v1", {}));
  EXPECT_GE(other.trust().last_success, success);
}

TEST_F(RepositoryTest, NamesARootThatIsMissing) {
  auto options = node_options();
  options.root = "/nonexistent/root.json";
  Repository repository(options);
  const auto listed = repository.list({});
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, Errc::usage);
  EXPECT_THAT(listed.error().message, HasSubstr("/nonexistent/root.json"));
}

TEST_F(RepositoryTest, NeedsTheGivenRootOnceOnly) {
  auto options = node_options();
  ASSERT_TRUE(Repository(options).list({}));
  options.root = "/nonexistent/root.json";
  EXPECT_TRUE(Repository(options).list({}));
}

TEST_F(RepositoryTest, DoesNotBelieveAClockBehindItsBuild) {
  publish("v1");
  auto options = node_options();
  // As if berthd was built in ten years: this machine's clock is then far behind it, and metadata of today has expired.
  options.build_time = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) + 10L * 365 * 86400;
  Repository repository(options);
  expect_refused(repository.resolve("web", "production", "v1", {}), Errc::trust, "expired");
  EXPECT_EQ(repository.trust().refusals, (Refusals{{"expiry", 1}}));
  EXPECT_THAT(repository.trust().last_error, AllOf(HasSubstr("clock"), HasSubstr("berthd was built")));
}

TEST_F(RepositoryTest, DoesNotBelieveAClockBehindTheLastSuccess) {
  publish("v1");
  const auto in_two_days = std::chrono::system_clock::now() + std::chrono::hours(48);
  put(folder.path() / "node/tuf/last_success", trust::to_string(in_two_days) + "\n");
  Repository repository(node_options());
  ASSERT_TRUE(repository.resolve("web", "production", "v1", {}));
  EXPECT_THAT(repository.trust().last_error, AllOf(HasSubstr("clock"), HasSubstr("the last refresh")));
  EXPECT_EQ(repository.trust().last_success, trust::to_string(in_two_days)) << "it is never set back";
  put(folder.path() / "node/tuf/last_success", trust::to_string(in_two_days + std::chrono::hours(24 * 300)) + "\n");
  expect_refused(Repository(node_options()).resolve("web", "production", "v1", {}), Errc::trust, "expired");
}

TEST_F(RepositoryTest, RefusesLocationsThatAreNone) {
  auto options = node_options();
  options.url = "ftp://example.org/";
  const auto listed = Repository(options).list({});
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, Errc::usage);
}

}  // namespace
}  // namespace berth::fetch
