// What verbs say of a repository with apps that have keys of their own, and how they go on where somebody forgot a step.

#include "cli/publisher_fixture.h"
#include "core/crypto/keys.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class RepositoryVerbs : public PublisherVerbs {
 protected:
  RepositoryVerbs() {
    run({"repo", "init", at("repo")});
    run({"build", at("site")});
  }

  /// Makes `<name>.pem` and `<name>.pub`; gives the public one.
  std::string key(const std::string& name) {
    const auto made = crypto::SigningKey::generate();
    EXPECT_TRUE(made.save(at(name + ".pem")));
    put(name + ".pub", made.public_key().pem());
    return at(name + ".pub");
  }

  /// Runs a verb of `berth repo` on the repository.
  Ran repo(const std::string& verb, const std::vector<std::string>& more = {}, int exit = 0) { return run(with({"repo", verb, at("repo")}, more), exit); }

  void delegate_and_release() {
    repo("delegate", {"web", "--key", key("ci")});
    run(with(release(), {"--key", at("ci.pem")}));
    repo("accept");
  }
};

TEST_F(RepositoryVerbs, SayWhatARevocationTakesFromNodesAndWhatWaited) {
  delegate_and_release();
  run(with(release(), {"--key", at("ci.pem")}));
  const Ran ran = repo("revoke", {"web"});
  EXPECT_THAT(ran.out, AllOf(HasSubstr("those that run one keep running it"), HasSubstr("  web/production/v1.json\n"), Not(HasSubstr("v2.json"))));
  EXPECT_THAT(ran.out, HasSubstr(at("repo/incoming/web") + " up to version 2"));
  EXPECT_THAT(repo("accept").out, HasSubstr("nothing was handed in"));
}

TEST_F(RepositoryVerbs, SayThatAFolderOfWhatIsHandedInIsNotThere) {
  const Ran ran = repo("accept", {"--incoming", at("nowhere")}, 3);
  EXPECT_THAT(ran.err, HasSubstr("--incoming " + at("nowhere") + ": there is no such folder"));
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(repo("accept").out, HasSubstr("nothing was handed in")) << "a repository without incoming/ has nothing there";
}

TEST_F(RepositoryVerbs, SayWhichAppsWereAcceptedWhereAnotherIsRefused) {
  repo("delegate", {"web", "--key", key("ci")});
  run(with(release(), {"--key", at("ci.pem")}));
  put("repo/incoming/stranger/metadata/1.stranger.json", "{}");
  const Ran ran = repo("accept", {}, 4);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("rm -r " + at("repo/incoming/stranger")), HasSubstr("accepted all the same: web (version 1)")));
  EXPECT_THAT(ran.out, HasSubstr("web: version 1 is published"));
}

TEST_F(RepositoryVerbs, EndAnAcceptanceAsThatOfTheNamedRoleDid) {
  repo("delegate", {"web", "--key", key("ci")});
  run(with(release(), {"--key", at("ci.pem")}));
  put("repo/incoming/stranger/metadata/1.stranger.json", "{}");
  const Ran own = repo("accept", {"--role", "web"}, 0);
  EXPECT_THAT(own.err, HasSubstr("stranger is refused")) << "it is told all the same";
  EXPECT_THAT(own.out, HasSubstr("web: version 1 is published"));
  EXPECT_THAT(repo("accept", {"--role", "web"}, 0).out, HasSubstr("nothing of web was handed in\n"));
  repo("accept", {"--role", "web", "--role", "stranger"}, 4);
}

TEST_F(RepositoryVerbs, TakeNoRoleAwayFromNodesByAThreshold) {
  delegate_and_release();
  EXPECT_THAT(repo("delegate", {"web", "--key", key("second"), "--threshold", "2"}, 8).err, HasSubstr("berth repo delegate DIR web --threshold 2"));
  repo("delegate", {"web", "--key", at("second.pub")});
  repo("refresh", {"--role", "web", "--key", at("ci.pem"), "--key", at("second.pem")});
  repo("accept");
  repo("delegate", {"web", "--threshold", "2"});
  run({"inspect", "web/production@v1", "--repo", at("repo")});
}

TEST_F(RepositoryVerbs, NameTheEnvironmentOfTheNextStep) {
  EXPECT_THAT(run(release("qa")).out, HasSubstr("On a node: berth deploy web/qa@v1\n"));
  EXPECT_THAT(run({"promote", "web/qa@v1", "--to", "production", "--repo", at("repo"), "--environments", at("environments")}).out,
              HasSubstr("On a node: berth deploy web/production@v1\n"));
}

TEST_F(RepositoryVerbs, SayThatABuildIsOlderThanWhatIsDeclaredByNow) {
  put("environments/production/env.toml", "GREETING = \"hello\"\nMSG = \"x\"\n");
  EXPECT_THAT(run(release(), 2).err, AllOf(HasSubstr("MSG is not declared by web (build "), HasSubstr(", made at 20"), HasSubstr("'berth build' makes a new build")));
}

TEST_F(RepositoryVerbs, NameTheKeyThatHasNotSigned) {
  repo("delegate", {"web", "--key", key("ci"), "--key", key("second"), "--threshold", "2"});
  run(with(release(), {"--key", at("ci.pem")}));
  const std::string handed_in = at("repo/incoming/web/metadata/1.web.json");
  const Ran refused = repo("accept", {}, 4);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("1.web.json: 1 of its role's 2 keys signed it rightly, 2 must; not signed by key "), HasSubstr("'berth repo sign FILE"),
                                 Not(HasSubstr("forged"))));
  key("other");
  EXPECT_THAT(run({"repo", "sign", handed_in, "--key", at("other.pem")}).err, HasSubstr("is not one of the keys of role web: its signature does not count"));
  run({"repo", "sign", handed_in, "--key", at("second.pem")});
  repo("accept");
}

TEST_F(RepositoryVerbs, SayWhatARootLacks) {
  repo("rotate", {"timestamp", "--out", at("root.json"), "--keys", at("none"), "--new", key("next")});
  const Ran unsigned_root = repo("rotate", {"--in", at("root.json")}, 4);
  EXPECT_THAT(unsigned_root.err, AllOf(HasSubstr("0 of its role's 1 keys signed it rightly, 1 must; not signed by key "), Not(HasSubstr("forged"))));
  EXPECT_THAT(run({"repo", "sign", at("root.json"), "--key", at("next.pem")}).err, HasSubstr("is not one of the keys that " + at("root.json") + " lists for root"));
  EXPECT_EQ(run({"repo", "sign", at("root.json"), "--key", at("repo-keys/root.pem")}).err, "");
  EXPECT_THAT(repo("rotate", {"targets", "--new", at("next.pub")}, 2).err, AllOf(HasSubstr("that the new root of "), HasSubstr("not at hand: key ")));
  fs::rename(at("repo-keys/root.pem"), at("root.pem"));
  EXPECT_THAT(repo("refresh", {"--only", "root"}, 3).err, AllOf(HasSubstr("the key of role root is not at hand"), HasSubstr("--out FILE"), Not(HasSubstr("forged"))));
}

TEST_F(RepositoryVerbs, TakeTheKeyOfARotationThatWasBegunBefore) {
  repo("rotate", {"root", "--out", at("root.json")});
  const auto begun = files::read(at("repo-keys/root-2.pem"), 1u << 16);
  ASSERT_TRUE(begun);
  EXPECT_THAT(repo("rotate", {"root"}).out, HasSubstr("The key of the rotation that was begun: " + at("repo-keys/root-2.pem")));
  EXPECT_EQ(files::read(at("repo-keys/root-2.pem"), 1u << 16).value(), *begun);
  fs::rename(at("repo-keys/root-2.pem"), at("repo-keys/root-3.pem"));
  EXPECT_THAT(repo("rotate", {"root"}, 8).err, HasSubstr("root-3.pem: is a key of role root already"));
}

TEST_F(RepositoryVerbs, TellWhatIsNoPlaceForARepository) {
  EXPECT_THAT(run({"repo", "init", at("site")}, 8).err, HasSubstr("site is not empty: "));
  EXPECT_FALSE(fs::exists(at("site/metadata")) || fs::exists(at("site-keys")));
  const Ran quiet = run({"repo", "init", at("other"), "--quiet"});
  EXPECT_THAT(quiet.out, AllOf(HasSubstr("is a repository"), Not(HasSubstr("root.pem"))));
  const fs::path before = fs::current_path();
  fs::current_path(at(""));
  for (const char* remote : {"nohost:/x", "nohost:x", "rsync://nohost/x"}) {
    EXPECT_THAT(repo("push", {remote}, 2).err, AllOf(HasSubstr("--with 'rsync -a'"), HasSubstr(std::string("./") + remote)));
    EXPECT_FALSE(fs::exists(std::string(remote).substr(0, std::string(remote).find('/'))));
  }
  EXPECT_THAT(repo("push", {"./with:colon"}).out, HasSubstr("./with:colon: a new folder, "));
  EXPECT_THAT(repo("push", {"./with:colon/"}).out, Not(HasSubstr("a new folder")));
  repo("push", {"with-slash/"});
  for (const char* mistyped : {"./nodir/www", "nodir/www/", "nodir/a/b"}) {
    EXPECT_THAT(repo("push", {mistyped}, 3).err, AllOf(HasSubstr(std::string(mistyped) + ": there is no folder " + at("nodir")), HasSubstr("nothing was copied")));
    EXPECT_FALSE(fs::exists("nodir"));
  }
  fs::current_path(before);
  fs::remove(at("repo/metadata/timestamp.json"));
  EXPECT_THAT(repo("status", {}, 4).err, HasSubstr("timestamp.json is missing, so the repository is not whole"));
}

TEST_F(RepositoryVerbs, SayThatAChannelIsNew) {
  run(release());
  const auto set = [&](const std::string& channel) { return run({"channel", "set", channel, "web/production@v1", "--repo", at("repo")}).out; };
  EXPECT_THAT(set("stable"), HasSubstr("It is a new channel, the first of web/production"));
  EXPECT_THAT(set("stabel"), HasSubstr("It is a new channel; web/production has stable (did you mean 'stable'?)"));
  EXPECT_THAT(set("stable"), Not(HasSubstr("new channel")));
}

TEST_F(RepositoryVerbs, NameAnEncryptedKeyOnce) {
  put("passphrase", "open sesame");
  run({"repo", "init", at("other"), "--passphrase-file", at("passphrase")});
  const std::string said = run({"repo", "rotate", at("other"), "timestamp"}, 2).err;
  EXPECT_EQ(said, "berth: " + at("other-keys/root.pem") + ": is encrypted; give its passphrase by --passphrase-file or --passphrase-env\n");
}

}  // namespace
}  // namespace berth::cli
