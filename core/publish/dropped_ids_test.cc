// An id that a release had is never given to another one, also where the first is listed no more.

#include "core/publish/accept.h"
#include "core/publish/channels.h"
#include "core/publish/collect.h"
#include "core/publish/contents.h"
#include "core/publish/publish_fixture.h"
#include "core/trust/delegation_change.h"
#include "core/trust/role_writer.h"
#include "core/trust/root_change.h"

namespace berth::publish {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// A repository whose app `web` is delegated, with two releases of it.
class DroppedIds : public PublishTest {
 protected:
  DroppedIds() {
    make_repository();
    EXPECT_TRUE(build());
    EXPECT_TRUE(writer().delegate({.role = "web", .keys = {new_key("ci")}, .paths = {"web/*/*", "web/*/channels/*"}}));
    EXPECT_EQ(id_of(by("ci")), "v1");
    EXPECT_EQ(id_of(by("ci")), "v2");
  }

  trust::RepositoryWriter writer() { return std::move(*trust::RepositoryWriter::open(at("repo"), at("repo-keys"), repository().now)); }

  crypto::PublicKey new_key(const std::string& keys, const std::string& role = "web") {
    const crypto::SigningKey key = crypto::SigningKey::generate();
    EXPECT_TRUE(files::make_directories(at(keys)));
    EXPECT_TRUE(key.save(at(keys) / (role + ".pem")));
    return key.public_key();
  }

  /// Releases with the keys of a folder; what is handed in is accepted.
  Result<Published> by(const std::string& keys, const ReleaseOptions& options = {}) {
    BERTH_CHECK(files::make_directories(at("environments/production")));
    BERTH_TRY(const Build latest, store.latest("web"));
    BERTH_TRY(const Draft draft, draft_of(store, {latest}));
    BERTH_TRY(const Environment configuration, read_environment(at("environments"), "production"));
    Repository there = repository();
    there.keys = at(keys);
    BERTH_TRY(auto published, publish_release(there, draft, configuration, options));
    if (published.handed_in.empty()) return published;
    BERTH_TRY(const auto accepted, accept_incoming(repository()));
    for (const RefusedRole& refused : accepted.refused)
      if (refused.role == published.role) return std::unexpected(refused.error);
    return published;
  }

  static std::string id_of(const Result<Published>& published) {
    EXPECT_TRUE(published) << published.error().message;
    return published ? published->manifest.release : "";
  }

  /// The key is stolen, and a new one signs for all but v2.
  void drop_the_highest() {
    ASSERT_TRUE(writer().delegate({.role = "web", .keys = {new_key("next")}}));
    const auto stolen = crypto::SigningKey::load(at("ci/web.pem"));
    ASSERT_TRUE(writer().revoke({.role = "web", .keys = {stolen->public_key()}, .force = true}));
    {
      auto role = trust::RoleWriter::open(at("repo"), at("repo/incoming"), "web", trust::Keyring(at("next")), repository().now, true);
      ASSERT_TRUE(role) << role.error().message;
      ASSERT_TRUE(role->drop("web/production/v2.json"));
      ASSERT_TRUE(role->refresh());
    }
    ASSERT_THAT(accept_incoming(repository())->accepted, SizeIs(1));
  }
};

TEST_F(DroppedIds, AreNotGivenAgainAfterATargetWasDropped) {
  drop_the_highest();
  EXPECT_THAT(by("next", {.id_rule = IdRule::given, .id = "v2"}),
              Refuses(Errc::exists, "web/production@v2 was the id of a release that has been dropped, and an id is never used again"));
  EXPECT_EQ(id_of(by("next")), "v3");
  EXPECT_EQ(id_of(by("next")), "v4") << "v3's version keeps the list";
}

TEST_F(DroppedIds, AreNotGivenAgainOverVersionsThatWait) {
  drop_the_highest();
  Repository there = repository();
  there.keys = at("next");
  const Draft draft = *draft_of(store, {*store.latest("web")});
  const Environment configuration = *read_environment(at("environments"), "production");
  EXPECT_EQ(id_of(publish_release(there, draft, configuration, {})), "v3");
  EXPECT_EQ(id_of(publish_release(there, draft, configuration, {})), "v4");
  EXPECT_THAT(publish_release(there, draft, configuration, {.id_rule = IdRule::given, .id = "v2"}), Refuses(Errc::exists, "has been dropped"));
}

TEST_F(DroppedIds, AreNotGivenAgainAfterARoleWasRevoked) {
  drop_the_highest();
  ASSERT_TRUE(writer().revoke({.role = "web"}));
  EXPECT_THAT(read_releases({at("repo")}, *trust::read_repository(at("repo")), "web", "").value(), IsEmpty());
  EXPECT_THAT(by("repo-keys", {.id_rule = IdRule::given, .id = "v1"}), Refuses(Errc::exists, "the next one is v3"));
  EXPECT_EQ(id_of(by("repo-keys")), "v3") << "the repository's own key";
  ASSERT_TRUE(writer().delegate({.role = "site", .keys = {new_key("site", "site")}, .paths = {"web/*/*", "web/*/channels/*"}}));
  EXPECT_EQ(id_of(by("site")), "v4") << "the key of another role";
}

TEST_F(DroppedIds, AreNotGivenAgainWhereTheRepositorysKeyTookTheReleasesOver) {
  drop_the_highest();
  ASSERT_TRUE(writer().revoke({.role = "web", .keep_targets = true}));
  EXPECT_THAT(by("repo-keys", {.id_rule = IdRule::given, .id = "v2"}), Refuses(Errc::exists, "has been dropped"));
  EXPECT_THAT(by("repo-keys", {.id_rule = IdRule::given, .id = "v1"}), Refuses(Errc::exists, "v1 exists"));
  EXPECT_EQ(id_of(by("repo-keys")), "v3");
}

TEST_F(DroppedIds, StayOverWhatElseIsSigned) {
  drop_the_highest();
  ASSERT_TRUE(writer().revoke({.role = "web"}));
  ASSERT_TRUE(writer().refresh());
  now += std::chrono::hours(24 * 60);
  ASSERT_TRUE(writer().refresh()) << "also of the targets role";
  {
    auto writing = writer();
    const auto root = writing.draft_root({.role = "targets", .keys = {crypto::SigningKey::load(at("repo-keys/targets.pem"))->public_key()}});
    ASSERT_TRUE(root) << root.error().message;
    ASSERT_TRUE(writing.replace_root(*root));
  }
  ASSERT_TRUE(collect_repository(repository(), {.keep_metadata = 1, .grace = {}}));
  EXPECT_EQ(id_of(by("repo-keys")), "v3");
}

TEST_F(DroppedIds, LeaveChannelsAlone) {
  ASSERT_TRUE(set_channel(repository(), "stable", {"web", "production", "v1"}).error().code == Errc::not_found) << "the role's key sets it";
  Repository ci = repository();
  ci.keys = at("ci");
  ASSERT_TRUE(set_channel(ci, "stable", {"web", "production", "v1"}));
  ASSERT_THAT(accept_incoming(repository())->accepted, SizeIs(1));
  ASSERT_TRUE(writer().revoke({.role = "web"}));
  ASSERT_EQ(id_of(by("repo-keys")), "v3");
  const auto set = set_channel(repository(), "stable", {"web", "production", "v3"});
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_THAT(list_channels(at("repo"), "web").value(), ElementsAre(set->channel));
}

}  // namespace
}  // namespace berth::publish
