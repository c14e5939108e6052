#include "core/publish/accept.h"

#include "core/crypto/sha256.h"
#include "core/publish/channels.h"
#include "core/publish/contents.h"
#include "core/publish/publish_fixture.h"
#include "core/publish/verify_repository.h"
#include "core/trust/delegation_change.h"
#include "core/trust/repository_files.h"
#include "core/trust/role_writer.h"

namespace berth::publish {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// A repository whose app `web` is delegated to a key that lies alone in the folder `ci`.
class Accept : public PublishTest {
 protected:
  Accept() {
    make_repository();
    EXPECT_TRUE(build());
    const crypto::SigningKey key = crypto::SigningKey::generate();
    EXPECT_TRUE(files::make_directories(at("ci")));
    EXPECT_TRUE(key.save(at("ci/web.pem")));
    auto writer = trust::RepositoryWriter::open(at("repo"), at("repo-keys"), repository().now);
    EXPECT_TRUE(writer->delegate({.role = "web", .keys = {key.public_key()}, .paths = {"web/*/*", "web/*/channels/*"}}));
  }

  Repository ci() {
    Repository there = repository();
    there.keys = at("ci");
    return there;
  }

  Result<Published> ci_release(const std::string& environment = "production") {
    BERTH_CHECK(files::make_directories(at("environments") / environment));
    BERTH_TRY(const Build latest, store.latest("web"));
    BERTH_TRY(const Draft draft, draft_of(store, {latest}));
    BERTH_TRY(const Environment configuration, read_environment(at("environments"), environment));
    return publish_release(ci(), draft, configuration, {});
  }

  Acceptance accept() {
    auto done = accept_incoming(repository());
    EXPECT_TRUE(done) << done.error().message;
    return done ? *done : Acceptance();
  }

  std::string refusal() {
    const Acceptance done = accept();
    EXPECT_THAT(done.accepted, IsEmpty());
    EXPECT_THAT(done.refused, SizeIs(1));
    return done.refused.empty() ? "" : done.refused[0].error.message;
  }

  /// Signs targets with the role's key past all of the publisher's checks, as a thief of the key would.
  void forge(const std::map<std::string, std::string>& targets, const std::map<std::string, std::string>& pointers = {}) {
    auto writer = trust::RoleWriter::open(at("repo"), at("repo/incoming"), "web", trust::Keyring(at("ci")), repository().now);
    ASSERT_TRUE(writer) << writer.error().message;
    const auto added = writer->add_targets(targets, pointers);
    ASSERT_TRUE(added) << added.error().message;
  }

  std::vector<std::string> waiting() {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(at("repo/incoming")))
      if (entry.is_regular_file() && entry.path().filename() != ".lock") files.push_back(entry.path().lexically_relative(at("repo/incoming")));
    return files;
  }
};

TEST_F(Accept, PublishesAReleaseThatItsAppsKeySigned) {
  const auto published = ci_release();
  ASSERT_TRUE(published) << published.error().message;
  EXPECT_EQ(published->role, "web");
  EXPECT_EQ(published->handed_in, at("repo/incoming/web/metadata/1.web.json"));
  EXPECT_THAT(find_release(at("repo"), {"web", "production", "v1"}), Refuses(Errc::not_found, "v1 is not in"));
  const Acceptance done = accept();
  EXPECT_THAT(done.refused, IsEmpty());
  ASSERT_THAT(done.accepted, SizeIs(1));
  EXPECT_THAT(done.accepted[0].targets, ElementsAre("web/production/v1.json"));
  EXPECT_GT(done.accepted[0].new_bytes, 0u);
  EXPECT_EQ(find_release(at("repo"), {"web", "production", "v1"}).value(), published->manifest);
  EXPECT_THAT(verify_repository(at("repo"), now)->faults, IsEmpty());
  EXPECT_THAT(waiting(), IsEmpty()) << "what is published waits no longer";
  EXPECT_THAT(accept().accepted, IsEmpty());
}

TEST_F(Accept, PublishesThePatchesOfARelease) {
  std::string text;
  for (int number = 0; number < 30'000; ++number) text += crypto::sha256_hex(std::to_string(number)).substr(0, 8);
  put("site/share/text", text);
  ASSERT_TRUE(build());
  ASSERT_TRUE(ci_release());
  ASSERT_THAT(accept().accepted, SizeIs(1));
  put("site/share/text", "new" + text);
  ASSERT_TRUE(build());
  const auto second = ci_release();
  ASSERT_TRUE(second) << second.error().message;
  ASSERT_THAT(second->manifest.builds.begin()->second.patches, SizeIs(1));
  const std::string blob = bundle::blob_path(second->manifest.builds.begin()->second.patches[0].blob.sha256);
  EXPECT_FALSE(fs::exists(at("repo") / blob));
  ASSERT_THAT(accept().accepted, SizeIs(1));
  EXPECT_TRUE(fs::exists(at("repo") / blob));
  EXPECT_THAT(verify_repository(at("repo"), now)->faults, IsEmpty());
  EXPECT_THAT(waiting(), IsEmpty());
}

TEST_F(Accept, NumbersReleasesOverThoseThatWait) {
  EXPECT_EQ(ci_release()->manifest.release, "v1");
  const auto second = ci_release();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->manifest.release, "v2");
  EXPECT_EQ(second->manifest.previous, "v1");
  ASSERT_THAT(accept().accepted, SizeIs(1));
  EXPECT_EQ(ci_release()->manifest.release, "v3");
  ASSERT_THAT(accept().accepted, SizeIs(1));
  EXPECT_EQ(read_releases({at("repo")}, *trust::read_repository(at("repo")), "web", "production")->size(), 3u);
}

TEST_F(Accept, MovesAChannelOfTheTimeBeforeTheAppWasDelegated) {
  const std::string target = "web/production/channels/stable.json";
  ASSERT_TRUE(ci_release());
  ASSERT_THAT(accept().accepted, SizeIs(1));
  {
    auto writer = trust::RepositoryWriter::open(at("repo"), at("repo-keys"), repository().now);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->add_targets({}, {{target, bundle::to_canonical_json(bundle::Channel{"web", "production", "stable", "v1", 3})}}));
  }
  const auto role_of_channel = [&] {
    const auto state = trust::read_repository(at("repo"));
    const auto found = std::ranges::find(state->targets, target, &trust::Target::name);
    return found == state->targets.end() ? std::string() : found->role;
  };
  EXPECT_EQ(role_of_channel(), "targets");
  ASSERT_TRUE(ci_release());
  const auto set = set_channel(ci(), "stable", {"web", "production", "v2"});
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->channel.serial, 4);
  fs::rename(at("repo-keys/targets.pem"), at("targets.pem"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("was set before web was delegated"), HasSubstr("key of role targets is not at hand"), HasSubstr("taken back: rm ")));
  EXPECT_EQ(role_of_channel(), "targets");
  fs::rename(at("targets.pem"), at("repo-keys/targets.pem"));
  ASSERT_THAT(accept().accepted, SizeIs(1));
  EXPECT_EQ(role_of_channel(), "web");
  EXPECT_THAT(list_channels(at("repo"), "web").value(), ElementsAre(set->channel));
  EXPECT_THAT(verify_repository(at("repo"), now)->faults, IsEmpty());
}

TEST_F(Accept, RefusesABlobThatIsMissingOrAnother) {
  ASSERT_TRUE(ci_release());
  const auto layer = store.latest("web")->ref.layer.blob;
  const fs::path blob = at("repo/incoming/web") / bundle::blob_path(layer.sha256);
  const std::string bytes = content(blob);
  put(blob, bytes + "x");
  EXPECT_THAT(refusal(), HasSubstr("is damaged"));
  put(blob, std::string(bytes.size(), 'x'));
  EXPECT_THAT(refusal(), HasSubstr("is damaged"));
  fs::remove(blob);
  EXPECT_THAT(refusal(), HasSubstr("neither in the repository nor handed in"));
  ASSERT_EQ(::symlink("/etc/passwd", blob.c_str()), 0);
  EXPECT_THAT(refusal(), HasSubstr("cannot be read as a plain file"));
  fs::remove(blob);
  put(blob, bytes);
  EXPECT_THAT(accept().accepted, SizeIs(1));
}

TEST_F(Accept, RefusesAManifestThatIsDamagedOrOfAnotherName) {
  ASSERT_TRUE(ci_release());
  const std::string manifest = bundle::to_canonical_json(ci_release()->manifest);
  ASSERT_THAT(accept().accepted, SizeIs(1));
  forge({{"web/production/v9.json", manifest}});
  EXPECT_THAT(refusal(), HasSubstr("web/production/v9.json: is the manifest of web/production/v2.json"));
  ASSERT_TRUE(files::remove_tree(at("repo/incoming/web")));
  forge({{"web/production/v9.json", "{}"}});
  EXPECT_THAT(refusal(), HasSubstr("web/production/v9.json"));
  ASSERT_TRUE(files::remove_tree(at("repo/incoming/web")));
  forge({{"web/production/notes.txt", "hello"}});
  EXPECT_THAT(refusal(), HasSubstr("'web/production/notes.txt' is neither a release nor a channel"));
}

TEST_F(Accept, TakesTheOthersWhereOneIsRefused) {
  ASSERT_TRUE(ci_release());
  ASSERT_TRUE(files::make_directories(at("repo/incoming/stranger/metadata")));
  put("repo/incoming/stranger/metadata/1.stranger.json", "{}");
  const Acceptance done = accept();
  EXPECT_THAT(done.accepted, SizeIs(1));
  ASSERT_THAT(done.refused, SizeIs(1));
  EXPECT_THAT(done.refused[0].error.message, HasSubstr("no role 'stranger' is delegated"));
}

TEST_F(Accept, GoesOnAfterARoleWasRevokedAndDelegatedAgain) {
  const auto writer = [&] { return std::move(*trust::RepositoryWriter::open(at("repo"), at("repo-keys"), repository().now)); };
  const auto delegate = [&](const crypto::PublicKey& key) {
    EXPECT_TRUE(writer().delegate({.role = "web", .keys = {key}, .paths = {"web/*/*", "web/*/channels/*"}}));
  };
  ASSERT_TRUE(ci_release());
  ASSERT_TRUE(set_channel(ci(), "stable", {"web", "production", "v1"}));
  ASSERT_THAT(accept().accepted, SizeIs(1));
  ASSERT_TRUE(writer().revoke({.role = "web", .keep_targets = true}));
  ASSERT_TRUE(release());
  ASSERT_TRUE(set_channel(repository(), "stable", {"web", "production", "v2"}));
  delegate(crypto::SigningKey::load(at("ci/web.pem"))->public_key());
  const auto third = ci_release();
  ASSERT_TRUE(third) << third.error().message;
  EXPECT_EQ(third->manifest.release, "v3");
  Acceptance done = accept();
  ASSERT_THAT(done.refused, IsEmpty()) << done.refused[0].error.message;
  EXPECT_THAT(done.accepted[0].targets, ElementsAre("web/production/v3.json"));
  EXPECT_EQ(list_channels(at("repo"), "web")->at(0).release, "v2") << "what the repository's key set since then counts";

  // And where another key signs from then on, which vouches for what was published.
  ASSERT_TRUE(writer().revoke({.role = "web", .keep_targets = true}));
  const crypto::SigningKey next = crypto::SigningKey::generate();
  ASSERT_TRUE(files::remove_tree(at("ci")));
  ASSERT_TRUE(files::make_directories(at("ci")));
  ASSERT_TRUE(next.save(at("ci/web.pem")));
  delegate(next.public_key());
  ASSERT_TRUE(trust::RoleWriter::open(at("repo"), at("repo/incoming"), "web", trust::Keyring(at("ci")), repository().now, true)->refresh());
  done = accept();
  ASSERT_THAT(done.refused, IsEmpty()) << done.refused[0].error.message;
  ASSERT_TRUE(ci_release());
  EXPECT_THAT(accept().accepted, SizeIs(1));
  EXPECT_EQ(read_releases({at("repo")}, *trust::read_repository(at("repo")), "web", "production")->size(), 4u);
  EXPECT_THAT(verify_repository(at("repo"), now)->faults, IsEmpty());
}

TEST_F(Accept, SaysWhatIsLeftOfARoleThatWasRevokedUntilItIsDiscarded) {
  ASSERT_TRUE(ci_release());
  {
    auto writer = trust::RepositoryWriter::open(at("repo"), at("repo-keys"), repository().now);
    ASSERT_TRUE(writer->revoke({.role = "web"}));
  }
  EXPECT_THAT(refusal(), AllOf(HasSubstr("no role 'web' is delegated"), HasSubstr("rm -r " + at("repo/incoming/web").string())));
  EXPECT_THAT(discard_incoming(at("repo/incoming"), "web").value(), ElementsAre(1));
  EXPECT_THAT(accept().refused, IsEmpty());
  EXPECT_THAT(discard_incoming(at("repo/incoming"), "web").value(), IsEmpty());
  ASSERT_TRUE(files::make_directories(at("repo/incoming/web")));
  EXPECT_THAT(accept().refused, IsEmpty()) << "nothing waits in it";
}

TEST_F(Accept, GoesOnWhereItWasInterrupted) {
  ASSERT_TRUE(ci_release());
  const std::string timestamp = content(at("repo/metadata/timestamp.json"));
  ASSERT_TRUE(files::remove_tree(at("copy")));
  fs::copy(at("repo/incoming"), at("copy"), fs::copy_options::recursive);
  ASSERT_THAT(accept().accepted, SizeIs(1));
  // As if it had ended before timestamp.json was written, and before anything was cleared.
  ASSERT_TRUE(files::replace(at("repo/metadata/timestamp.json"), timestamp));
  fs::remove_all(at("repo/incoming"));
  fs::copy(at("copy"), at("repo/incoming"), fs::copy_options::recursive);
  EXPECT_THAT(find_release(at("repo"), {"web", "production", "v1"}), Refuses(Errc::not_found, "v1 is not in"));
  ASSERT_THAT(accept().accepted, SizeIs(1));
  EXPECT_TRUE(find_release(at("repo"), {"web", "production", "v1"}));
}

TEST_F(Accept, NeedsAFolderToHandInOnlyWhereItIsTold) {
  Repository elsewhere = ci();
  elsewhere.incoming = at("handed-in");
  const auto draft = draft_of(store, {*store.latest("web")});
  ASSERT_TRUE(files::make_directories(at("environments/production")));
  ASSERT_TRUE(publish_release(elsewhere, *draft, *read_environment(at("environments"), "production"), {}));
  EXPECT_THAT(accept().accepted, IsEmpty());
  Repository holder = repository();
  holder.incoming = at("handed-in");
  EXPECT_THAT(accept_incoming(holder)->accepted, SizeIs(1));
}

TEST_F(Accept, MovesAChannelForwardInItsSerial) {
  ASSERT_TRUE(ci_release());
  ASSERT_TRUE(ci_release());
  const auto first = set_channel(ci(), "stable", {"web", "production", "v1"});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->channel.serial, 1);
  ASSERT_THAT(accept().accepted, SizeIs(1));
  const auto second = set_channel(ci(), "stable", {"web", "production", "v2"});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->channel.serial, 2);
  EXPECT_EQ(second->before, "v1");
  ASSERT_THAT(accept().accepted, SizeIs(1));
  EXPECT_THAT(list_channels(at("repo"), "web").value(), ElementsAre(second->channel));
  EXPECT_THAT(verify_repository(at("repo"), now)->faults, IsEmpty());

  const std::string target = "web/production/channels/stable.json";
  forge({}, {{target, bundle::to_canonical_json(first->channel)}});
  EXPECT_THAT(refusal(), HasSubstr("its serial goes from 2 to 1, and must rise"));
  ASSERT_TRUE(files::remove_tree(at("repo/incoming/web")));
  forge({}, {{target, bundle::to_canonical_json(bundle::Channel{"web", "production", "stable", "v7", 3})}});
  EXPECT_THAT(refusal(), HasSubstr("points to web/production/v7.json, which does not exist"));
  ASSERT_TRUE(files::remove_tree(at("repo/incoming/web")));
  forge({}, {{target, bundle::to_canonical_json(bundle::Channel{"web", "production", "canary", "v1", 3})}});
  EXPECT_THAT(refusal(), HasSubstr("is the channel canary of web/production"));
}

}  // namespace
}  // namespace berth::publish
