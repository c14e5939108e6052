#include "core/publish/build_store.h"

#include "core/crypto/sha256.h"
#include "core/json/json.h"
#include "core/publish/publish_fixture.h"

namespace berth::publish {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class BuildStoreTest : public PublishTest {};

TEST_F(BuildStoreTest, KeepsEveryBuildAndKnowsTheLatest) {
  const auto first = build();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_FALSE(first->already);
  now += std::chrono::hours(1);
  put("site/page", "two");
  const auto second = build();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_NE(first->build.ref.digest, second->build.ref.digest);
  EXPECT_EQ(store.latest("web")->ref.digest, second->build.ref.digest);
  const auto all = store.list();
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_THAT(*all, ElementsAre(second->build, first->build));
  EXPECT_EQ(store.find(first->build.ref.digest.substr(0, 8)).value(), first->build);
}

TEST_F(BuildStoreTest, GivesTheSameTreeTheSameDigest) {
  const auto first = build();
  put("elsewhere/bin/server", program_for(kAmd64), 0700);
  put("elsewhere/berth.toml", "# another comment\n" + spec());
  put("elsewhere/environments/production/env.toml", "A = \"x\"\n");
  put("elsewhere/.env", "SECRET=1");
  now += std::chrono::hours(1);
  const auto again = build("elsewhere", {.version = "1.4.2", .builder = "ci"});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->build.ref.digest, first->build.ref.digest);
  EXPECT_TRUE(again->already);
  EXPECT_EQ(store.latest("web")->ref.version, "1.4.2") << "what is said of it is the newest";
  EXPECT_THAT(*store.list(), SizeIs(1));
}

TEST_F(BuildStoreTest, NamesABuildByTarAndSpec) {
  const auto made = build();
  const Build& it = made->build;
  EXPECT_EQ(it.ref.digest, crypto::sha256_hex(it.ref.layer.tar_sha256 + "\n" + json::canonical(spec::to_json(it.spec)).value()));
  put("site/berth.toml", spec("[env.GREETING]\n"));
  const auto other = build();
  EXPECT_EQ(other->build.ref.layer.tar_sha256, it.ref.layer.tar_sha256);
  EXPECT_NE(other->build.ref.digest, it.ref.digest);
}

TEST_F(BuildStoreTest, MakesADamagedLayerAnew) {
  const auto first = build();
  const auto layer = store.layer_of(first->build.ref.digest);
  const std::string whole = content(layer);
  put(layer, whole.substr(0, whole.size() / 2));
  ASSERT_TRUE(build());
  EXPECT_EQ(content(layer), whole);
}

TEST_F(BuildStoreTest, LeavesNothingOfABuildThatFailed) {
  ASSERT_TRUE(build());
  put("site/berth.toml", spec("[process.worker]\ncommand = [\"bin/missing\"]\n"));
  EXPECT_THAT(build(), Refuses(Errc::usage, "bin/missing"));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(at("store"))) names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::UnorderedElementsAre("builds", "latest", ".lock"));
}

TEST_F(BuildStoreTest, SweepsWhatACrashLeftButNotWhatIsAtWork) {
  ASSERT_TRUE(build());
  put("store/.making-abcdef/build/layer.tar.zst", "half");
  const auto at_work = store.open_workshop();
  ASSERT_TRUE(at_work) << at_work.error().message;
  EXPECT_FALSE(fs::exists(at("store/.making-abcdef")));
  ASSERT_TRUE(build());
  EXPECT_TRUE(fs::exists(at_work->build()));
}

TEST_F(BuildStoreTest, SaysWhatItDoesNotHave) {
  EXPECT_THAT(store.latest("web"), Refuses(Errc::not_found, "berth build SOURCE"));
  EXPECT_THAT(store.find("0123456789"), Refuses(Errc::not_found, "no build 0123456789"));
  EXPECT_THAT(store.find("0123"), Refuses(Errc::usage, "8 to 64 digits"));
  EXPECT_THAT(store.find("../../etc"), Refuses(Errc::usage, "no build's digest"));
  EXPECT_THAT(*store.list(), IsEmpty());
}

TEST_F(BuildStoreTest, PassesOverARecordThatDoesNotHold) {
  const auto made = build();
  const fs::path record = at("store/builds") / made->build.ref.digest / "build.json";
  std::string text = content(record);
  text.replace(text.find("\"instances\":1"), 13, "\"instances\":2");
  put(record, text);
  EXPECT_THAT(store.latest("web"), Refuses(Errc::trust, "layer and spec do not make the digest"));
  std::vector<Error> passed_over;
  EXPECT_THAT(*store.list(&passed_over), IsEmpty());
  EXPECT_THAT(passed_over, SizeIs(1));
}

class MakeBuild : public PublishTest {};

TEST_F(MakeBuild, HoldsTheTreeWithoutItsSpecAndWhatIsIgnored) {
  put("site/.berthignore", "*.o\n");
  put("site/main.o", "object");
  put("site/html/index.html", "<p>");
  put("site/environments/qa/env.toml", "");
  const auto made = build();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->build.platform, "linux/amd64");
  EXPECT_EQ(made->files, 2u);
  const std::string index = content(store.index_of(made->build.ref.digest));
  EXPECT_THAT(index, HasSubstr("\"html/index.html\""));
  for (const char* absent : {"berth.toml", "berthignore", "main.o", "environments"}) EXPECT_THAT(index, testing::Not(HasSubstr(absent)));
}

TEST_F(MakeBuild, IsNotForAPlatformThatItsProgramIsNotFor) {
  const auto made = build();
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_EQ(made->build.platform, "linux/amd64");
  EXPECT_THAT(build("site", {.platform = "linux/arm64"}), Refuses(Errc::usage, "is a program for linux/amd64; leave --platform out"));
  EXPECT_TRUE(build("site", {.platform = "linux/amd64"}));
  EXPECT_THAT(build("site", {.platform = "any"}), Refuses(Errc::conflict, "already, for linux/amd64"))
      << "a build that is there is never another platform's afterwards";
  EXPECT_EQ(store.latest("web")->platform, "linux/amd64");
}

TEST_F(MakeBuild, TakesTheCommitFromGitUnlessTold) {
  put("site/.git/HEAD", "0123456789abcdef0123456789abcdef01234567\n");
  EXPECT_EQ(build()->build.commit, "0123456789abcdef0123456789abcdef01234567");
  EXPECT_EQ(build("site", {.commit = "r42"})->build.commit, "r42");
}

TEST_F(MakeBuild, NamesTheSpecAndThePlaceInIt) {
  put("site/berth.toml", spec("instancs = 2\n"));
  EXPECT_THAT(build(), Refuses(Errc::usage, "site/berth.toml:5:1"));
  ASSERT_TRUE(files::make_directories(at("empty")));
  EXPECT_THAT(build("empty"), Refuses(Errc::usage, "empty/berth.toml: there is none"));
  EXPECT_THAT(build("missing"), Refuses(Errc::not_found, "missing: there is no such folder or file"));
  EXPECT_THAT(build("site", {.platform = "windows"}), Refuses(Errc::usage, "platform 'windows'"));
  EXPECT_THAT(build("site", {.version = "1\n2"}), Refuses(Errc::usage, "version: must be one line"));
}

TEST_F(MakeBuild, DoesNotGiveTheKeysOfARepositoryAway) {
  ASSERT_TRUE(trust::init_repository(at("site/repo"), at("site/repo-keys"), now));
  EXPECT_THAT(build(), Refuses(Errc::usage, "repo-keys holds the private keys of a repository"));
  fs::remove(at("site/repo-keys/root.pem"));
  EXPECT_THAT(build(), Refuses(Errc::usage, "repo-keys holds the private keys"));
  put("site/.berthignore", "/repo\n/repo-keys\n");
  put("site/tls/root.pem", "a certificate of the app's own");
  const auto made = build();
  EXPECT_TRUE(made) << made.error().message;
}

TEST_F(MakeBuild, OfAnArchiveIsThatOfItsFolder) {
  const auto of_folder = build();
  const std::string tar = "tar -C " + at("").string() + " -czf " + at("site.tgz").string() + " site";
  ASSERT_EQ(std::system(tar.c_str()), 0);
  const auto of_archive = build("site.tgz");
  ASSERT_TRUE(of_archive) << of_archive.error().message;
  EXPECT_EQ(of_archive->build.ref.digest, of_folder->build.ref.digest);
  EXPECT_TRUE(of_archive->already);
}

}  // namespace
}  // namespace berth::publish
