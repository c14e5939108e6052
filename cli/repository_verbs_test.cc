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

TEST_F(RepositoryVerbs, SayWhichAppsWereAcceptedWhereAnotherIsRefused) {
  repo("delegate", {"web", "--key", key("ci")});
  run(with(release(), {"--key", at("ci.pem")}));
  put("repo/incoming/stranger/metadata/1.stranger.json", "{}");
  const Ran ran = repo("accept", {}, 4);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("rm -r " + at("repo/incoming/stranger")), HasSubstr("accepted all the same: web (version 1)")));
  EXPECT_THAT(ran.out, HasSubstr("web: version 1 is published"));
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

}  // namespace
}  // namespace berth::cli
