#include "core/publish/release.h"

#include "core/bundle/layer.h"
#include "core/crypto/sha256.h"
#include "core/publish/contents.h"
#include "core/publish/publish_fixture.h"
#include "core/publish/verify_repository.h"

namespace berth::publish {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class Release : public PublishTest {
 protected:
  Release() {
    make_repository();
    EXPECT_TRUE(build());
  }

  /// Releases, and gives the id.
  std::string id_of(const Result<Published>& published) const {
    EXPECT_TRUE(published) << published.error().message;
    return published ? published->manifest.release : "";
  }

  bundle::Manifest found(const ReleaseRef& ref) {
    auto manifest = find_release(at("repo"), ref);
    EXPECT_TRUE(manifest) << manifest.error().message;
    return manifest ? *manifest : bundle::Manifest();
  }

  std::vector<std::string> faults() {
    const auto verified = verify_repository(at("repo"), now);
    EXPECT_TRUE(verified) << verified.error().message;
    return verified->faults;
  }
};

TEST_F(Release, IsInTheRepositoryWholeAndSigned) {
  put("environments/production/files/app.conf.tmpl", "port ${PORT}\n");
  const auto published = release();
  ASSERT_EQ(id_of(published), "v1");
  const auto manifest = found({"web", "production", "v1"});
  EXPECT_EQ(manifest, published->manifest);
  EXPECT_EQ(manifest.created, "2030-01-01T00:00:00Z");
  EXPECT_EQ(manifest.previous, "");
  EXPECT_THAT(manifest.builds, ElementsAre(Pair("linux/amd64", store.latest("web")->ref)));
  for (const bundle::BlobRef& blob : {manifest.config.blob, manifest.config.index, manifest.builds.at("linux/amd64").layer.blob}) {
    const std::string bytes = content(at("repo") / bundle::blob_path(blob.sha256));
    EXPECT_EQ(bytes.size(), blob.size);
    EXPECT_EQ(crypto::sha256_hex(bytes), blob.sha256);
  }
  EXPECT_THAT(content(at("repo") / bundle::blob_path(manifest.config.index.sha256)), HasSubstr("app.conf.tmpl"));
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(Release, OfAnotherConfigurationCostsLittle) {
  ASSERT_EQ(id_of(release()), "v1");
  put("environments/production/files/motd", "hello");
  const auto second = release();
  ASSERT_EQ(id_of(second), "v2");
  EXPECT_LT(second->new_bytes, 2000u);
  EXPECT_EQ(second->manifest.previous, "v1");
  EXPECT_EQ(id_of(release()), "v3");
}

TEST_F(Release, HasAnIdThatIsNeverUsedAgain) {
  EXPECT_EQ(id_of(release()), "v1");
  EXPECT_EQ(id_of(release("production", {.id_rule = IdRule::given, .id = "1.4.2"})), "1.4.2");
  EXPECT_THAT(release("production", {.id_rule = IdRule::given, .id = "1.4.2"}), Refuses(Errc::exists, "web/production@1.4.2 exists"));
  EXPECT_THAT(release("production", {.id_rule = IdRule::given, .id = "v1"}), Refuses(Errc::exists, "the next one is v2"));
  EXPECT_THAT(release("production", {.id_rule = IdRule::given, .id = "../v1"}), Refuses(Errc::usage, "release id '../v1'"));
  EXPECT_EQ(id_of(release("production", {.id_rule = IdRule::timestamp})), "20300101T000000Z");
  EXPECT_THAT(release("production", {.id_rule = IdRule::timestamp}), Refuses(Errc::exists, "20300101T000000Z"));
  EXPECT_EQ(id_of(release("production", {.id_rule = IdRule::given, .id = "v7"})), "v7");
  EXPECT_EQ(id_of(release()), "v8");
  EXPECT_EQ(found({"web", "production", "v8"}).previous, "v7");
  EXPECT_EQ(id_of(release("qa")), "v1") << "ids are by environment";
}

TEST_F(Release, IsPromotedWithTheVerySameBuild) {
  ASSERT_EQ(id_of(release("qa")), "v1");
  const auto qa = found({"web", "qa", "v1"});
  ASSERT_TRUE(files::remove_tree(at("store")));
  put("environments/production/files/motd", "production");
  const auto environment = read_environment(at("environments"), "production");
  const auto promoted = publish_release(repository(), draft_of(qa), *environment, {});
  ASSERT_EQ(id_of(promoted), "v1");
  EXPECT_EQ(promoted->manifest.builds, qa.builds);
  EXPECT_NE(promoted->manifest.config, qa.config);
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(Release, IsPromotedWithWhatTravelsWithIt) {
  put("sbom.json", "{}");
  ASSERT_EQ(id_of(release("qa", {.attachments = {at("sbom.json")}})), "v1");
  const auto qa = found({"web", "qa", "v1"});
  ASSERT_TRUE(files::make_directories(at("environments/production")));
  const auto environment = read_environment(at("environments"), "production");
  ASSERT_EQ(id_of(publish_release(repository(), draft_of(qa), *environment, {})), "v1");
  EXPECT_EQ(found({"web", "production", "v1"}).attachments, qa.attachments);
  ASSERT_THAT(qa.attachments, SizeIs(1));

  put("approval.txt", "by Ada");
  const auto more = publish_release(repository(), draft_of(qa), *environment, {.attachments = {at("sbom.json"), at("approval.txt")}});
  ASSERT_EQ(id_of(more), "v2");
  ASSERT_THAT(more->manifest.attachments, SizeIs(2));
  EXPECT_EQ(more->manifest.attachments[0].name, "approval.txt");
  EXPECT_EQ(more->manifest.attachments[1], qa.attachments[0]);
  EXPECT_THAT(faults(), IsEmpty());

  put("sbom.json", "{\"components\":[]}");
  EXPECT_THAT(publish_release(repository(), draft_of(qa), *environment, {.attachments = {at("sbom.json")}}),
              Refuses(Errc::usage, "attachment sbom.json: the release carries another file of this name"));
  fs::remove(at("repo") / bundle::blob_path(qa.attachments[0].blob.sha256));
  EXPECT_THAT(publish_release(repository(), draft_of(qa), *environment, {}), Refuses(Errc::trust, qa.attachments[0].blob.sha256));
}

TEST_F(Release, MayBeForSeveralPlatforms) {
  put("site/bin/server", program_for(kArm64), 0755);
  const auto arm = build();
  ASSERT_TRUE(arm) << arm.error().message;
  const auto all = store.list();
  const auto draft = draft_of(store, *all);
  ASSERT_TRUE(draft) << draft.error().message;
  EXPECT_THAT(draft->builds, SizeIs(2));
  EXPECT_THAT(draft_of(store, {arm->build, arm->build}), Refuses(Errc::usage, "are both for linux/arm64"));
  Build elsewhere = arm->build;
  elsewhere.commit = "abc123";
  elsewhere.builder = "arm@ci";
  Build here = store.list()->front().platform == "linux/amd64" ? store.list()->front() : store.list()->back();
  here.builder = "amd@ci";
  EXPECT_THAT(draft_of(store, {here, elsewhere}), Refuses(Errc::usage, "are of different commits: one that is not known and abc123"));
  here.commit = "abc123-dirty";
  EXPECT_THAT(draft_of(store, {here, elsewhere}), Refuses(Errc::usage, "are of different commits: abc123-dirty and abc123"));
  const auto said = draft_of(store, {here, elsewhere}, "r17");
  ASSERT_TRUE(said) << said.error().message;
  EXPECT_EQ(said->commit, "r17");
  EXPECT_EQ(said->builder, "amd@ci, arm@ci");
  Build other = arm->build;
  other.spec.writable_home = true;
  EXPECT_THAT(draft_of(store, {arm->build, other}), Refuses(Errc::usage, "different specs"));
}

TEST_F(Release, IsRefusedBeforeAnythingIsWritten) {
  put("environments/production/files/app.conf.tmpl", "${NOBODY}");
  EXPECT_THAT(release(), Refuses(Errc::usage, "app.conf.tmpl:1:1: ${NOBODY}"));
  put("environments/production/files/app.conf.tmpl", "");
  put("environments/production/env.toml", "OTHER = \"x\"\n");
  EXPECT_THAT(release(), Refuses(Errc::usage, "OTHER is not declared"));
  EXPECT_FALSE(fs::exists(at("repo/blobs")));
}

TEST_F(Release, TakesNoDamagedLayer) {
  const auto layer = store.layer_of(store.latest("web")->ref.digest);
  put(layer, content(layer) + "x");
  EXPECT_THAT(release(), Refuses(Errc::trust, layer.string() + " is damaged"));
  EXPECT_THAT(trust::read_repository(at("repo"))->targets, IsEmpty());
}

TEST_F(Release, CarriesAttachments) {
  put("sbom.json", "{}");
  put("notes.md", "# New");
  ASSERT_EQ(id_of(release("production", {.attachments = {at("sbom.json"), at("notes.md")}})), "v1");
  const auto attachments = found({"web", "production", "v1"}).attachments;
  ASSERT_THAT(attachments, SizeIs(2));
  EXPECT_EQ(attachments[1].name, "sbom.json");
  EXPECT_EQ(content(at("repo") / bundle::blob_path(attachments[1].blob.sha256)), "{}");
  EXPECT_THAT(release("production", {.attachments = {at("missing")}}), Refuses(Errc::usage, "attachment: "));
  put("a b", "x");
  EXPECT_THAT(release("production", {.attachments = {at("a b")}}), Refuses(Errc::usage, "attachments"));
}

TEST_F(Release, ThatIsNotThereIsNamedWithTheNewestThatAre) {
  EXPECT_THAT(find_release(at("repo"), {"web", "qa", "v9"}), Refuses(Errc::not_found, "there is no release of web/qa"));
  ASSERT_EQ(id_of(release("qa")), "v1");
  EXPECT_THAT(find_release(at("repo"), {"web", "qa", "v9"}), Refuses(Errc::not_found, "web/qa@v9 is not in"));
  EXPECT_THAT(find_release(at("repo"), {"web", "qa", "v9"}), Refuses(Errc::not_found, "the newest there: v1"));
}

class Verify : public Release {
 protected:
  Verify() { EXPECT_EQ(id_of(release()), "v1"); }

  void damage(const fs::path& file) {
    std::string bytes = content(file);
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(files::replace(file, bytes));
  }
  fs::path blob(const bundle::BlobRef& ref) { return at("repo") / bundle::blob_path(ref.sha256); }
};

TEST_F(Verify, NamesWhatIsDamagedOrMissing) {
  const auto manifest = found({"web", "production", "v1"});
  const bundle::LayerRef& layer = manifest.builds.at("linux/amd64").layer;
  damage(blob(layer.blob));
  EXPECT_THAT(faults(), ElementsAre(testing::AllOf(HasSubstr("web/production@v1, build for linux/amd64"), HasSubstr(layer.blob.sha256))));
  fs::remove(blob(manifest.config.index));
  EXPECT_THAT(faults(), ElementsAre(HasSubstr(layer.blob.sha256), HasSubstr(manifest.config.index.sha256)));
  ASSERT_EQ(id_of(release()), "v2") << "the missing blob is written anew";
  EXPECT_THAT(faults(), testing::Each(HasSubstr(layer.blob.sha256)));
}

TEST_F(Verify, NamesAManifestThatIsNotWhatWasSigned) {
  const auto state = trust::read_repository(at("repo"));
  damage(file_of(at("repo"), state->targets.front()));
  EXPECT_THAT(faults(), ElementsAre(HasSubstr("v1.json")));
}

TEST_F(Verify, NamesWhatHasExpired) {
  now += std::chrono::hours(24 * 8);
  EXPECT_THAT(faults(), ElementsAre(HasSubstr("timestamp expired at 2030-01-08T00:00:00Z")));
}

TEST(Contents, ReadAReleaseOutOfATargetsName) {
  EXPECT_EQ(release_of("web/production/v1.json"), (ReleaseRef{"web", "production", "v1"}));
  for (const char* other : {"web/v1.json", "web/production/v1", "web/production/.json", "Web/qa/v1.json", "a/b/c/v1.json", "", "//"})
    EXPECT_FALSE(release_of(other)) << other;
}

bundle::Manifest numbered(const std::string& id, const std::string& previous, const std::string& created) {
  bundle::Manifest manifest;
  manifest.release = id;
  manifest.previous = previous;
  manifest.created = created;
  return manifest;
}

TEST(Contents, NextIdFollowsTheHighestNumber) {
  EXPECT_EQ(next_id({}, {}), "v1");
  EXPECT_EQ(next_id({numbered("v9", "", ""), numbered("v10", "", ""), numbered("v2", "", "")}, {}), "v11");
  EXPECT_EQ(next_id({numbered("v9", "", "")}, {"v11", "v10", "2030"}), "v12") << "also of those that were dropped";
  EXPECT_EQ(next_id({numbered("1.4.2", "", ""), numbered("v07", "", ""), numbered("vx", "", ""), numbered("v99999999999999999999", "", "")}, {}), "v1");
}

TEST(Contents, NewestReleaseIsTheOneThatNoneFollowed) {
  EXPECT_EQ(newest_release({}), "");
  EXPECT_EQ(newest_release({numbered("a", "", "2030"), numbered("b", "a", "2029"), numbered("c", "b", "2028")}), "c") << "whatever the clocks said";
  EXPECT_EQ(newest_release({numbered("a", "", "2030"), numbered("b", "a", "2029"), numbered("c", "a", "2031")}), "c");
}

}  // namespace
}  // namespace berth::publish
