// The publisher's verbs, as a user calls them: no berthd is there.

#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include <fmt/core.h>

#include "cli/publisher_fixture.h"
#include "core/trust/repository.h"

namespace berth::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(PublisherVerbs, MakeARepositoryAndSayWhichKeyBelongsOffline) {
  const Ran ran = run({"repo", "init", at("repo")});
  EXPECT_THAT(ran.out, HasSubstr(at("repo/metadata/1.root.json")));
  EXPECT_THAT(ran.out, HasSubstr("root.pem       move it offline"));
  EXPECT_TRUE(fs::exists(at("repo-keys/root.pem")));
  EXPECT_THAT(run({"repo", "init", at("repo")}, 8).err, HasSubstr("is a repository already"));

  const auto told = document({"repo", "init", at("other") + "/", "--keys", at("keys")});
  EXPECT_EQ(text_of(told, "root"), at("other/metadata/1.root.json"));
  ASSERT_EQ(list_of(told, "keys").size(), 4u);
  EXPECT_EQ(text_of(list_of(told, "keys")[0], "path"), at("keys/root.pem"));
  EXPECT_THAT(run({"repo", "init", at("third"), "--keys", at("third/keys")}, 2).err, HasSubstr("private keys would lie in the repository"));
}

TEST_F(PublisherVerbs, EncryptTheKeysTheyMakeWhereAPassphraseIsGiven) {
  put("passphrase", "open sesame\n");
  const std::vector<std::string> by_file{"--passphrase-file", at("passphrase")};
  run(with({"repo", "init", at("repo")}, by_file));
  const auto is_encrypted = [&](const std::string& key) { return files::read(at(key), 1u << 16)->starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"); };
  for (const char* role : {"root", "targets", "snapshot", "timestamp"}) EXPECT_TRUE(is_encrypted(fmt::format("repo-keys/{}.pem", role))) << role;
  EXPECT_THAT(run({"repo", "refresh", at("repo")}, 2).err, HasSubstr("is encrypted; give its passphrase"));
  run(with({"repo", "refresh", at("repo")}, by_file));

  ::setenv("BERTH_TEST_PASSPHRASE", "open sesame", 1);
  const std::vector<std::string> by_variable{"--passphrase-env", "BERTH_TEST_PASSPHRASE"};
  run(with({"repo", "rotate", at("repo"), "timestamp"}, by_variable));
  EXPECT_TRUE(is_encrypted("repo-keys/timestamp-2.pem"));
  run(with({"repo", "init", at("second")}, by_variable));
  EXPECT_TRUE(is_encrypted("second-keys/root.pem"));
  ::unsetenv("BERTH_TEST_PASSPHRASE");
  EXPECT_THAT(run(with({"repo", "init", at("third")}, by_variable), 2).err, HasSubstr("BERTH_TEST_PASSPHRASE: the variable is not set"));
  put("passphrase", "\n");
  EXPECT_THAT(run(with({"repo", "init", at("third")}, by_file), 2).err, HasSubstr("the passphrase for new keys is empty"));
  EXPECT_FALSE(fs::exists(at("third-keys"))) << "nothing is made with half a wish";
}

TEST_F(PublisherVerbs, TellWhatIsAmissWithoutBlamingBerthd) {
  run({"repo", "init", at("repo")});
  const Ran away = run({"inspect", "web/production@v1", "--repo", "http://127.0.0.1:1", "--root", at("repo/metadata/1.root.json")}, 1);
  EXPECT_THAT(away.err, HasSubstr("http://127.0.0.1:1: the repository cannot be reached: "));
  EXPECT_THAT(run({"export", "web/production@v1", "--repo", at("repo"), "-o", "/nosuch/x.berth"}, 3).err, HasSubstr("/nosuch/x.berth: there is no folder /nosuch: make it, or name another file"));
  for (const char* verb : {"export", "inspect", "run"})
    EXPECT_THAT(run({verb, "web/production@v1", "--repo", at("none")}, 3).err, HasSubstr(at("none") + " is no repository: there is no " + at("none/metadata"))) << verb;
  for (const char* path : {"./nosuch", "../nosuch", "/nosuch", "./web@v1"}) EXPECT_THAT(run({"run", path}, 3).err, HasSubstr(std::string("berth run: ") + path + ": there is no such folder")) << path;
  EXPECT_THAT(run({"run", "web/production"}, 3).err, HasSubstr("web/production is no folder, no release (APP/ENV@RELEASE), and no build"));
  EXPECT_THAT(run({"builds", "nosuch"}, 3).err, HasSubstr("no builds of nosuch in "));
  EXPECT_THAT(run({"channel", "list", "nosuch", "--repo", at("repo")}).out, HasSubstr("nosuch has no channel in "));
  EXPECT_THAT(run({"man"}, 2).err, HasSubstr("berth --man"));
}

TEST_F(PublisherVerbs, WhatMayNotBeReadIsNotPermittedAndNoWrongCall) {
  run({"build", at("site")});  // makes the store, which the next one is to get to
  fs::permissions(at("site/berth.toml"), fs::perms::none);
  const Ran ran = run_berth({"build", at("site")}, respect_modes);
  if (ran.exit == kKeepsCapabilities) GTEST_SKIP() << "no capability may be given up here";
  EXPECT_EQ(ran.exit, 7);
  EXPECT_THAT(ran.err, HasSubstr(at("site/berth.toml") + ": Permission denied"));
  fs::create_directory(at("closed"));
  fs::permissions(at("closed"), fs::perms::none);
  ::setenv("XDG_DATA_HOME", at("closed/data").c_str(), 1);
  const Ran nowhere = run_berth({"build", at("site")}, respect_modes);
  EXPECT_EQ(nowhere.exit, 7);
  EXPECT_THAT(nowhere.err, testing::AllOf(HasSubstr("builds are kept in " + at("closed/data/berth") + ", which cannot be made ("), HasSubstr("Permission denied): name another place by $XDG_DATA_HOME or $HOME\n")));
}

TEST_F(PublisherVerbs, BuildAndListBuilds) {
  const auto told = document({"build", at("site"), "--version", "1.4.2", "--builder", "ci"});
  const std::string digest = text_of(told, "build");
  EXPECT_EQ(digest.size(), 64u);
  EXPECT_EQ(text_of(told, "platform"), "any");
  const Ran again = run({"build", at("site")});
  EXPECT_THAT(again.out, StartsWith("web: build " + digest.substr(0, 12) + " for any: 1 file, "));
  EXPECT_THAT(again.out, HasSubstr("had it already"));
  EXPECT_THAT(run({"builds"}).out, HasSubstr(digest.substr(0, 12)));
  const auto builds = document({"builds", "web"});
  ASSERT_EQ(list_of(builds, "builds").size(), 1u);
  EXPECT_TRUE(truth_of(list_of(builds, "builds")[0], "latest"));
  run({"builds", "other", "--json"}, 3);
  EXPECT_TRUE(fs::exists(at("share/berth/builds/" + digest + "/layer.tar.zst")));
}

TEST_F(PublisherVerbs, OfferTheAppsThatWereBuiltHere) {
  run({"build", at("site")});
  EXPECT_EQ(run({"complete", "--", "release", "w"}).out, "web\n");
  EXPECT_EQ(run({"complete", "--", "release", "x"}).out, "");
}

TEST_F(PublisherVerbs, OfferWhatTheRepositoryHasThatIsNamed) {
  publish();
  run({"channel", "set", "stable", "web/production@v1", "--repo", at("repo")});
  EXPECT_EQ(run({"complete", "--", "inspect", "--repo", at("repo"), "w"}).out, "web/production@v1\n");
  EXPECT_EQ(run({"complete", "--", "releases", "--repo=file://" + at("repo"), ""}).out, "web\n");
  EXPECT_EQ(run({"complete", "--", "channel", "set", "--repo", at("repo"), ""}).out, "stable\tweb/production@v1\n");
  EXPECT_EQ(run({"complete", "--", "inspect", "--repo", at("nowhere"), "w"}).out, "");
}

TEST_F(PublisherVerbs, VerboseNamesEachFileOfTheRepositoryThatIsRead) {
  publish();
  EXPECT_EQ(run({"inspect", "web/production@v1", "--repo", at("repo")}).err, "");
  EXPECT_THAT(run({"inspect", "web/production@v1", "--repo", at("repo"), "-v"}).err,
              testing::AllOf(HasSubstr("# " + at("repo") + "/metadata/timestamp.json: "), HasSubstr("# " + at("repo") + "/targets/web/production/"), HasSubstr("# ended with 0 after ")));
}

TEST_F(PublisherVerbs, AReleaseThatIsAsTheOneBeforeSaysSo) {
  publish();
  EXPECT_EQ(run(release()).err, "berth: v2 is as v1 is: the same build with the same configuration\n");
  put("environments/production/files/more", "x");
  EXPECT_EQ(run(release()).err, "");
}

TEST_F(PublisherVerbs, ReleaseAndPromoteAndList) {
  publish();
  const Ran second = run(release());
  EXPECT_THAT(second.out, StartsWith("web/production@v2: build "));
  EXPECT_THAT(second.out, HasSubstr("berth deploy web/production@v2"));
  EXPECT_THAT(run(with(release(), {"--id", "v1"}), 8).err, HasSubstr("web/production@v1 exists"));
  run({"promote", "web/production@v1", "--to", "qa", "--repo", at("repo"), "--environments", at("environments")});
  const auto releases = document({"releases", "web", "--repo", at("repo")});
  ASSERT_EQ(list_of(releases, "releases").size(), 3u);
  const Ran table = run({"releases", "web", "--repo", at("repo")});
  EXPECT_THAT(table.out, HasSubstr("qa"));
  EXPECT_THAT(table.out, HasSubstr("v2"));
  run({"releases", "other", "--repo", at("repo")}, 3);
}

TEST_F(PublisherVerbs, PromoteWhatTravelsWithARelease) {
  publish();
  put("sbom.json", "{}");
  put("approval.txt", "by Ada");
  run(with(release(), {"--attach", at("sbom.json")}));
  run({"promote", "web/production@v2", "--to", "qa", "--repo", at("repo"), "--environments", at("environments"), "--attach", at("approval.txt")});
  const Ran shown = run({"inspect", "web/qa@v1", "--repo", at("repo")});
  EXPECT_THAT(shown.out, HasSubstr("attachment     approval.txt, "));
  EXPECT_THAT(shown.out, HasSubstr("attachment     sbom.json, "));
}

TEST_F(PublisherVerbs, ShowWhatAReleaseConsistsOf) {
  publish();
  const Ran shown = run({"inspect", "web/production@v1", "--repo", at("repo"), "--files"});
  for (const char* part :
       {"process        web × 1: bin/server", "variable       GREETING=hello", "files for any", "0755           26 bin/server", "configuration"})
    EXPECT_THAT(shown.out, HasSubstr(part));
  EXPECT_THAT(shown.out, HasSubstr("signed for by  the role targets, by "));
  EXPECT_THAT(shown.out, HasSubstr("paths, "));
  EXPECT_EQ(text_of(document({"inspect", "web/production@v1", "--repo", at("repo")}), "release"), "v1");
  EXPECT_THAT(run({"inspect", "web@v1", "--repo", at("repo")}, 2).err, HasSubstr("of which environment"));
}

TEST_F(PublisherVerbs, ShowWhatTwoReleasesDoNotHaveAlike) {
  publish();
  put("site/bin/server", "#!/bin/sh\nexec sleep 2000\n", 0755);
  put("site/bin/more", "");
  put("environments/production/env.toml", "GREETING = \"good day\"\n");
  run({"build", at("site")});
  document(release());
  const Ran shown = run({"diff", "web/production@v1", "web/production@v2", "--repo", at("repo")});
  for (const char* line : {"~ build: ", "~ variable GREETING: hello -> good day\n", "+ file bin/more: 0 bytes, 0644, ", "~ file bin/server: 26 bytes, 0755, "})
    EXPECT_THAT(shown.out, HasSubstr(line));
  EXPECT_EQ(list_of(document({"diff", "web/production@v1", "web/production@v1", "--repo", at("repo")}), "changes").size(), 0u);
  run({"diff", "web/production@v1", "web/production@v9", "--repo", at("repo")}, 3);
}

TEST_F(PublisherVerbs, WriteAReleaseToOneFileThatIsARepositoryOfIt) {
  publish();
  run({"export", "web/production@v1", "--repo", at("repo"), "-o", at("web.berth")});
  EXPECT_THAT(run({"export", "web/production@v1", "--repo", at("repo"), "-o", at("web.berth")}, 8).err,
              StartsWith("berth export: " + at("web.berth") + " is there already"));
  ASSERT_EQ(std::system(fmt::format("mkdir {0} && tar -xf {1} -C {0}", at("unpacked"), at("web.berth")).c_str()), 0);
  const std::string root = at("repo") + "/metadata/1.root.json";
  EXPECT_EQ(run({"inspect", "web/production@v1", "--repo", at("unpacked"), "--root", root, "--json"}).out,
            run({"inspect", "web/production@v1", "--repo", at("repo"), "--json"}).out);
  const Ran shown = run({"inspect", at("web.berth")});
  const Ran proven = run({"inspect", at("web.berth"), "--root", root});
  EXPECT_EQ(proven.out, run({"inspect", "web/production@v1", "--repo", at("repo")}).out);
  EXPECT_THAT(shown.out, StartsWith(proven.out)) << "the file alone says the same,";
  EXPECT_THAT(shown.out.substr(proven.out.size()), HasSubstr("nothing proves who signed it")) << "and that anybody may have made it";
  EXPECT_THAT(run({"inspect", at("web.berth"), "--json"}).err, HasSubstr("nothing proves who signed it"));
  EXPECT_THAT(run({"diff", at("web.berth"), at("web.berth")}).out, HasSubstr("the same files"));
  EXPECT_THAT(run({"inspect", at("web.berth"), "--repo", at("repo")}, 2).err, HasSubstr("without --repo"));
  EXPECT_THAT(run({"inspect", "./nothing.berth"}, 3).err, HasSubstr("nothing.berth"));
  ASSERT_TRUE(files::replace(at("note.berth"), "hello"));
  EXPECT_THAT(run({"inspect", at("note.berth")}, 4).err, HasSubstr("note.berth: is no release file"));
  EXPECT_THAT(run({"export", "web/production@v1", "--repo", "http://127.0.0.1:1/x", "-o", at("other.berth")}, 2).err, HasSubstr("--root"));
}

TEST_F(PublisherVerbs, ReleaseAnOlderBuild) {
  publish();
  const std::string first = text_of(document({"build", at("site")}), "build");
  put("site/page", "new");
  run({"build", at("site")});
  const auto told = document(with(release(), {"--build", first.substr(0, 10)}));
  const json::value* builds = member(told, "builds");
  ASSERT_NE(builds, nullptr);
  EXPECT_EQ(text_of(*member(*builds, "any"), "build"), first);
  run(with(release(), {"--build", "0000000000"}), 3);
}

TEST_F(PublisherVerbs, SayWhatIsWrongWithTwo) {
  publish();
  const std::string other = at("environments/other");
  fs::create_directories(other);
  const std::tuple<std::vector<std::string>, int, std::string> table[] = {
      {{"release", "web", "--repo", at("repo")}, 2, "--env NAME"},
      {{"release", "web", "--env", "qa"}, 2, "--repo DIR"},
      {{"release", "web@v1", "--env", "qa", "--repo", at("repo")}, 2, "more than an app"},
      {{"release", "nothing", "--env", "qa", "--repo", at("repo")}, 3, "berth build SOURCE"},
      {release("nowhere"), 2, "environments/nowhere is no folder"},
      {release("other"), 2, "web requires GREETING"},
      {with(release(), {"--id", "a/b"}), 2, "release id 'a/b'"},
      {with(release(), {"--id", "x", "--timestamp"}), 2, "two ids"},
      {with(release(), {"--keys", at("nokeys")}), 3, "nokeys"},
      {{"promote", "web@v1", "--to", "qa", "--repo", at("repo")}, 2, "from which environment"},
      {{"promote", "web/production@v1", "--repo", at("repo")}, 2, "--to NAME"},
      {{"promote", "web/production@v1", "--to", "production", "--repo", at("repo")}, 2, "in production already"},
      {{"promote", "web/production@v9", "--to", "qa", "--repo", at("repo")}, 3, "the newest there: v1"},
      {{"channel", "set", "stable", "web/production@v9", "--repo", at("repo")}, 3, "web/production@v9 is not in " + at("repo") + "; the newest there: v1"},
      {{"inspect", "web/production@v9", "--repo", at("repo")}, 3, "berth: web/production@v9 is not in " + at("repo") + "; the newest there: v1"},
      {{"diff", "web/production@v1", "web/qa@v9", "--repo", at("repo")}, 3, "web/qa@v9 is not in " + at("repo") + "; there is no release of web/qa"},
      {{"export", "web/production@v9", "--repo", at("repo")}, 3, "web/production@v9 is not in " + at("repo") + "; the newest there: v1"},
      {{"build", at("nowhere")}, 3, "there is no such folder or file"},
      {{"repo", "status", at("nowhere")}, 3, "is no repository"},
      {{"repo"}, 2, "name a verb: init, status, verify, refresh, rotate, sign"},
  };
  for (const auto& [arguments, exit, says] : table) EXPECT_THAT(run(arguments, exit).err, HasSubstr(says));
}

TEST_F(PublisherVerbs, KeepARepository) {
  publish();
  EXPECT_THAT(run({"repo", "status", at("repo")}).out, HasSubstr("web/production"));
  const auto before = document({"repo", "status", at("repo")});
  const auto after = document({"repo", "refresh", at("repo")});
  const auto version = [](const json::value& told, std::size_t role) { return number_of(list_of(told, "roles").at(role), "version"); };
  EXPECT_EQ(version(after, 1), version(before, 1) + 1);
  EXPECT_EQ(text_of(list_of(after, "roles")[1], "standing"), "good");

  EXPECT_THAT(run({"repo", "verify", at("repo")}).out, HasSubstr("all is as it was signed"));
  for (const auto& blob : fs::directory_iterator(at("repo/blobs/sha256"))) ASSERT_TRUE(files::replace(blob.path(), "damaged"));
  const Ran damaged = run({"repo", "verify", at("repo")}, 4);
  EXPECT_THAT(damaged.out, HasSubstr("web/production@v1, build for any: blob "));
  EXPECT_THAT(damaged.out, HasSubstr("4 faults"));
}

TEST_F(PublisherVerbs, WarnWhenARoleIsToBeSignedSoonWhoeverTouchesTheRepository) {
  // The rest is signed anew by whatever publishes; root is not.
  const auto then = std::chrono::system_clock::now() - std::chrono::hours(24 * 330);
  ASSERT_TRUE(trust::init_repository(at("repo"), at("repo-keys"), then));
  const std::string soon = at("repo") + ": root expires soon, in 34d";
  const Ran quiet = run({"repo", "refresh", at("repo"), "--quiet"});
  EXPECT_THAT(quiet.err, HasSubstr(soon));
  EXPECT_THAT(quiet.err, HasSubstr("it is renewed with the root key"));
  EXPECT_EQ(quiet.out, "");
  EXPECT_THAT(run({"repo", "refresh", at("repo")}).err, HasSubstr(soon));
  EXPECT_THAT(run({"repo", "accept", at("repo"), "--quiet"}).err, HasSubstr(soon));
  EXPECT_EQ(list_of(document({"repo", "accept", at("repo")}), "notes").size(), 1u);
  run({"build", at("site")});
  EXPECT_THAT(run(release()).err, HasSubstr(soon));
  EXPECT_THAT(run({"promote", "web/production@v1", "--to", "qa", "--repo", at("repo"), "--environments", at("environments")}).err, HasSubstr(soon));
  EXPECT_EQ(list_of(document(release()), "notes").size(), 2u) << "and that it is as the one before";
  run({"repo", "refresh", at("repo"), "--only", "root"});
  EXPECT_EQ(run({"repo", "refresh", at("repo"), "--quiet"}).err, "");
}

TEST_F(PublisherVerbs, EndWithFourWhereARoleHasExpiredAlsoWithoutAWord) {
  const auto then = std::chrono::system_clock::now() - std::chrono::hours(24 * 400);
  ASSERT_TRUE(trust::init_repository(at("repo"), at("repo-keys"), then));
  EXPECT_THAT(run({"repo", "refresh", at("repo"), "--quiet"}, 4).err, HasSubstr("root has expired, and nodes take no release from here"));
}

}  // namespace
}  // namespace berth::cli
