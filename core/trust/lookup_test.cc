// Looking targets up through delegations, and fetching them.

#include "core/crypto/sha256.h"
#include "core/trust/client_fixture.h"
#include "core/trust/limits.h"

namespace berth::trust {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Lookup : public ClientFixture {
 protected:
  Lookup() { pin(); }

  /// Delegates "any path of one segment" from one role to another.
  json::object& chain(const std::string& from, const std::string& to, bool terminating = false) {
    return repository.delegate(from, to, json::array{json::value("*")}, terminating);
  }

  /// The delegated roles that a lookup of `name` asks for, in order; the rest of a first refresh is left out.
  std::vector<std::string> visited(const std::string& name) {
    (void)files::remove_tree(folder.path() / "tuf");
    pin();
    (void)find(name);
    std::vector<std::string> roles = repository.requests;
    roles.erase(roles.begin(), roles.begin() + 4);
    return roles;
  }

  void expect_not_found(const std::string& name) {
    const auto found = find(name);
    ASSERT_FALSE(found) << name << " is in " << found->role;
    EXPECT_EQ(found.error().code, Errc::not_found) << found.error().message;
  }
};

TEST_F(Lookup, FindsATargetOfTheTopLevelWithoutAskingDelegatedRoles) {
  repository.add_target("targets", "a", "bytes");
  chain("targets", "more");
  repository.update_snapshot();
  const auto target = find("a");
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(target->role, "targets");
  EXPECT_EQ(target->length, 5u);
  EXPECT_THAT(visited("a"), IsEmpty());
}

TEST_F(Lookup, NamesTheKeysThatSignedARoleAndNoOthers) {
  chain("targets", "web");
  FakeRole& web = repository["web"];
  const auto* own = web.signers.front();
  web.signers.push_back(repository.new_key());  // somebody adds his name: a right signature, of no key of the role
  repository.add_target("web", "a", "bytes");
  repository.add_target("targets", "b", "bytes");
  repository.update_snapshot();
  const auto target = find("a");
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(target->role, "web");
  EXPECT_THAT(target->keys, ElementsAre(keyid_of(*own)));
  EXPECT_THAT(find("b").value().keys, ElementsAre(keyid_of(*repository["targets"].signers.front())));

  Client offline = client();
  ASSERT_TRUE(offline.load_local());
  EXPECT_THAT(offline.find("a").value().keys, ElementsAre(keyid_of(*own)));
}

TEST_F(Lookup, NamesWhatIsInTheFolderOfWhatIsNotThere) {
  repository.delegate("targets", "web", json::array{json::value("web/*/*")}, false);
  repository.delegate("targets", "other", json::array{json::value("other/*/*")}, false);
  for (const char* name : {"web/qa/v1", "web/qa/v2", "web/production/v1", "web/qa/deep/v1"}) repository.add_target("web", name, "bytes");
  repository.add_target("other", "web/qa/v3", "bytes");  // which it may not
  repository.add_target("targets", "web/qa/v0", "bytes");
  repository.update_snapshot();
  ASSERT_FALSE(find("web/qa/v9"));
  Client offline = client();
  ASSERT_TRUE(offline.load_local());
  EXPECT_THAT(offline.beside("web/qa/v9").value(), ElementsAre("web/qa/v0", "web/qa/v1", "web/qa/v2"));
  EXPECT_THAT(offline.beside("web/dev/v9").value(), IsEmpty());
}

TEST_F(Lookup, GoesDepthFirstInTheOrderListed) {
  chain("targets", "a");
  chain("targets", "b");
  chain("a", "a1");
  chain("a", "a2");
  chain("b", "b1");
  repository.update_snapshot();
  expect_not_found("x");
  EXPECT_THAT(visited("x"), ElementsAre("1.a.json", "1.a1.json", "1.a2.json", "1.b.json", "1.b1.json"));
  EXPECT_EQ(content("a1.json"), FakeRepository::sign(repository["a1"]));
}

TEST_F(Lookup, VisitsARoleOnceInCyclesAndDiamonds) {
  chain("targets", "a");
  chain("targets", "b");
  chain("a", "c");
  chain("b", "c");
  chain("c", "a");
  repository.update_snapshot();
  EXPECT_THAT(visited("x"), ElementsAre("1.a.json", "1.c.json", "1.b.json"));
}

TEST_F(Lookup, EndsAfterATerminatingDelegationThatCoversThePath) {
  chain("targets", "a");
  chain("targets", "d");
  chain("a", "b", true);
  chain("a", "c");
  chain("b", "b1");
  repository.add_target("d", "x", "bytes");
  repository.update_snapshot();
  expect_not_found("x");
  EXPECT_THAT(visited("x"), ElementsAre("1.a.json", "1.b.json", "1.b1.json"));
}

TEST_F(Lookup, PassesATerminatingDelegationThatDoesNotCoverThePath) {
  repository.delegate("targets", "a", json::array{json::value("a/*")}, true);
  chain("targets", "b");
  repository.add_target("b", "x", "bytes");
  repository.update_snapshot();
  EXPECT_THAT(visited("x"), ElementsAre("1.b.json"));
  EXPECT_EQ(find("x")->role, "b");
}

TEST_F(Lookup, CountsATargetOnlyWhereEveryDelegationOnTheWayCoversIt) {
  repository.delegate("targets", "web", json::array{json::value("web/*")});
  repository.add_target("web", "web/v1", "bytes");
  repository.add_target("web", "api/v1", "bytes");
  repository.add_target("web", "web/production/v1", "bytes");
  repository.update_snapshot();
  EXPECT_TRUE(find("web/v1"));
  expect_not_found("api/v1");
  expect_not_found("web/production/v1");
}

TEST_F(Lookup, DelegatesByHashPrefix) {
  const std::string digest = crypto::sha256_hex("some/where/x");
  auto& delegation = repository.delegate("targets", "bin", {});
  delegation.erase("paths");
  delegation["path_hash_prefixes"] = json::array{json::value("zz"), json::value(digest.substr(0, 2))};
  repository.add_target("bin", "some/where/x", "bytes");
  repository.update_snapshot();
  EXPECT_TRUE(find("some/where/x"));
  delegation["path_hash_prefixes"] = json::array{json::value(digest.substr(0, 2) == "00" ? "01" : "00")};
  FakeRepository::raise(repository["targets"].content);
  repository.update_snapshot();
  expect_not_found("some/where/x");
}

TEST_F(Lookup, EncodesNamesOfRolesInUrlsAndFiles) {
  for (const std::string role : {"?", "#", "/delegatedrole", "../delegatedrole", "é"}) chain("targets", role);
  repository.update_snapshot();
  EXPECT_THAT(visited("x"), ElementsAre("1.%3F.json", "1.%23.json", "1.%2Fdelegatedrole.json", "1...%2Fdelegatedrole.json", "1.%C3%A9.json"));
  EXPECT_THAT(kept(), ElementsAre("%23.json", "%2Fdelegatedrole.json", "%3F.json", "%C3%A9.json", "..%2Fdelegatedrole.json", "root.json",
                                  "snapshot.json", "targets.json", "timestamp.json"));
}

TEST_F(Lookup, StopsAfterThirtyTwoDelegations) {
  for (int i = 0; i < 40; ++i) chain(i == 0 ? "targets" : fmt::format("r{}", i - 1), fmt::format("r{}", i));
  repository.add_target("r31", "within", "bytes");
  repository.add_target("r32", "beyond", "bytes");
  repository.update_snapshot();
  EXPECT_TRUE(find("within"));
  expect_not_found("beyond");
  EXPECT_EQ(visited("beyond").size(), 32u);
}

TEST_F(Lookup, DoesNotAskForARoleThatSnapshotDoesNotList) {
  chain("targets", "web");
  repository.update_snapshot();
  repository["snapshot"].content["meta"].as_object().erase("web.json");
  EXPECT_THAT(visited("x"), IsEmpty());
  EXPECT_THAT(find("x").error().message, HasSubstr("role 'web': snapshot.json does not list it"));
}

TEST_F(Lookup, RefusesADelegatedRoleThatItsDelegatorsKeysDidNotSign) {
  chain("targets", "web");
  repository["web"].signers = {repository.new_key()};
  repository.update_snapshot();
  EXPECT_EQ(find("x").error().code, Errc::trust);
  EXPECT_EQ(content("web.json"), "(absent)");
}

TEST_F(Lookup, VerifiesARoleWithTheKeysOfTheDelegatorOnThePresentPath) {
  repository.delegate("targets", "parent-a", json::array{json::value("a/*")});
  repository.delegate("targets", "parent-b", json::array{json::value("b/*")});
  repository.delegate("parent-a", "release", json::array{json::value("?/*")});
  const auto signers = repository["release"].signers;
  repository["release"].signers = {repository.new_key()};
  repository.delegate("parent-b", "release", json::array{json::value("?/*")});
  repository["release"].signers = signers;  // parent-a's key alone
  repository.add_target("release", "a/x", "bytes");
  repository.add_target("release", "b/x", "bytes");
  repository.update_snapshot();

  Client both = client();
  ASSERT_TRUE(both.refresh());
  EXPECT_TRUE(both.find("a/x"));
  EXPECT_EQ(both.find("b/x").error().code, Errc::trust) << "from memory";
  EXPECT_TRUE(both.find("a/x"));
  EXPECT_EQ(find("b/x").error().code, Errc::trust) << "from disk";
}

TEST_F(Lookup, RefusesDelegationsToTopLevelRolesAndTwiceToOne) {
  for (const std::string role : {"root", "timestamp", "snapshot", "targets", ""}) {
    FakeRole targets = repository["targets"];
    chain("targets", "other")["name"] = role;
    EXPECT_EQ(find("x").error().code, Errc::trust) << role;
    repository["targets"] = targets;
  }
  chain("targets", "twice");
  chain("targets", "twice");
  EXPECT_THAT(find("x").error().message, HasSubstr("name role 'twice' twice"));
}

// ---------------------------------------------------------------- listing

TEST_F(Lookup, ListsWhatALookupWouldFind) {
  repository.add_target("targets", "top", "bytes");
  repository.delegate("targets", "web", json::array{json::value("web/*")});
  repository.delegate("targets", "api", json::array{json::value("api/*")});
  repository.add_target("web", "web/v1", "bytes");
  repository.add_target("web", "api/forged", "bytes");
  repository.add_target("api", "api/v1", "bytes");
  repository["api"].content["expires"] = kPast;
  chain("targets", "unpublished");
  repository.update_snapshot();
  repository["snapshot"].content["meta"].as_object().erase("unpublished.json");

  Client fresh = client();
  ASSERT_TRUE(fresh.refresh());
  std::vector<Error> passed_over;
  const auto targets = fresh.list(&passed_over);
  ASSERT_TRUE(targets) << targets.error().message;
  std::vector<std::string> names;
  for (const Target& target : *targets) names.push_back(target.name);
  EXPECT_THAT(names, ElementsAre("top", "web/v1"));
  ASSERT_EQ(passed_over.size(), 2u);
}

TEST_F(Lookup, ListingFailsWhereTheRepositoryDoes) {
  chain("targets", "web");
  repository.update_snapshot();
  repository.instead["1.web.json"] = [] { return fail(Errc::timeout, "slow"); };
  Client fresh = client();
  ASSERT_TRUE(fresh.refresh());
  EXPECT_EQ(fresh.list().error().code, Errc::timeout);
}

// ---------------------------------------------------------------- without the repository

TEST_F(Lookup, WorksFromDiskAloneThoughExpired) {
  chain("targets", "web");
  repository.add_target("web", "x", "bytes");
  repository.update_snapshot();
  ASSERT_TRUE(find("x"));
  now = *parse_time("2050-01-01T00:00:00Z");
  repository.requests.clear();
  Client offline = client();
  ASSERT_TRUE(offline.load_local());
  EXPECT_TRUE(offline.find("x"));
  EXPECT_THAT(repository.requests, IsEmpty());
  EXPECT_EQ(offline.roles().size(), 5u);
}

TEST_F(Lookup, FromDiskStillWantsSignatures) {
  ASSERT_TRUE(refresh());
  FakeRole forged = repository["targets"];
  forged.signers = {repository.new_key()};
  ASSERT_TRUE(files::replace(folder.path() / "tuf/targets.json", FakeRepository::sign(forged)));
  EXPECT_EQ(client().load_local().error().code, Errc::trust);
}

TEST_F(Lookup, SaysWhereNothingWasEverFetched) {
  EXPECT_EQ(client().load_local().error().code, Errc::not_found);
  EXPECT_EQ(client().find("x").error().code, Errc::internal);
}

// ---------------------------------------------------------------- downloading

struct Download {
  const char* what;
  std::uint64_t length;
  json::object hashes;
  Errc refused;  ///< `internal` where it is right
};

TEST_F(Lookup, DownloadsWhatHasTheListedLengthAndHashes) {
  const std::string bytes = "content";
  const std::string sha256 = crypto::sha256_hex(bytes);
  const std::string sha512 = crypto::sha512_hex(bytes);
  const std::string other = crypto::sha256_hex("other");
  const Download cases[] = {
      {"sha256", 7, {{"sha256", sha256}}, Errc::internal},
      {"sha512", 7, {{"sha512", sha512}}, Errc::internal},
      {"both", 7, {{"sha256", sha256}, {"sha512", sha512}}, Errc::internal},
      {"an unknown one too", 7, {{"sha256", sha256}, {"md5", "00"}}, Errc::internal},
      {"one wrong", 7, {{"sha256", sha256}, {"sha512", crypto::sha512_hex("other")}}, Errc::trust},
      {"other content", 7, {{"sha256", other}}, Errc::trust},
      {"shorter than listed", 8, {{"sha256", sha256}}, Errc::trust},
      {"longer than listed", 6, {{"sha256", sha256}}, Errc::protocol},
      {"only unknown", 7, {{"md5", "00"}}, Errc::trust},
      {"no hash", 7, {}, Errc::trust},
      {"longer than any target may be", kMostTarget + 1, {{"sha256", sha256}}, Errc::trust},
      {"a path for a hash", 7, {{"sha256", "../../etc/passwd"}}, Errc::trust},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    FakeTargets server;
    for (const std::string& hash : {sha256, sha512, other}) server.files["some/dir/" + hash + ".file.txt"] = bytes;
    repository["targets"].content["targets"].as_object()["some/dir/file.txt"] = {{"length", c.length}, {"hashes", c.hashes}};
    FakeRepository::raise(repository["targets"].content);
    repository.update_snapshot();
    Client fresh = client();
    ASSERT_TRUE(fresh.refresh());
    const auto got = fresh.download(fresh.find("some/dir/file.txt").value(), server);
    EXPECT_LE(server.requests.size(), 1u);
    if (c.refused == Errc::internal) {
      ASSERT_TRUE(got) << got.error().message;
      EXPECT_EQ(*got, bytes);
    } else {
      ASSERT_FALSE(got);
      EXPECT_EQ(got.error().code, c.refused) << got.error().message;
    }
  }
}

TEST_F(Lookup, DownloadsByThePlainNameWithoutConsistentSnapshots) {
  repository["root"].content["consistent_snapshot"] = false;
  repository.publish_root();
  repository.add_target("targets", "dir/x", "bytes");
  FakeTargets server;
  server.files["dir/x"] = "bytes";
  Client fresh = client();
  ASSERT_TRUE(fresh.refresh());
  EXPECT_EQ(fresh.download(fresh.find("dir/x").value(), server).value(), "bytes");
}

}  // namespace
}  // namespace berth::trust
