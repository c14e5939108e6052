#include "core/publish/channels.h"

#include "core/publish/publish_fixture.h"
#include "core/publish/verify_repository.h"

namespace berth::publish {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Channels : public PublishTest {
 protected:
  Channels() {
    make_repository();
    EXPECT_TRUE(build());
    EXPECT_TRUE(release());
    EXPECT_TRUE(release());
  }

  Result<SetChannel> set(const std::string& name, const std::string& id) { return set_channel(repository(), name, {"web", "production", id}); }
};

TEST_F(Channels, MoveForwardAndBack) {
  ASSERT_TRUE(set("stable", "v2"));
  const auto back = set("stable", "v1");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->before, "v2");
  EXPECT_EQ(back->channel.serial, 2);
  EXPECT_THAT(list_channels(at("repo"), "").value(), ElementsAre(bundle::Channel{"web", "production", "stable", "v1", 2}));
  EXPECT_THAT(list_channels(at("repo"), "other").value(), IsEmpty());
  EXPECT_THAT(verify_repository(at("repo"), now)->faults, IsEmpty());
}

TEST_F(Channels, ThatPointThereAlreadyAreNotSignedAgain) {
  ASSERT_TRUE(set("stable", "v2"));
  const auto roles = trust::read_repository(at("repo"))->roles;
  const auto again = set("stable", "v2");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->channel.serial, 1);
  EXPECT_EQ(trust::read_repository(at("repo"))->roles[1].version, roles[1].version);
}

TEST_F(Channels, PointToReleasesThatExist) {
  EXPECT_THAT(set("stable", "v9"), Refuses(Errc::not_found, "web/production@v9 is not in"));
  EXPECT_THAT(set("Stable", "v1"), Refuses(Errc::usage, "channel 'Stable'"));
}

TEST_F(Channels, DoNotCountAsReleases) {
  ASSERT_TRUE(set("stable", "v2"));
  const auto third = release();
  ASSERT_TRUE(third) << third.error().message;
  EXPECT_EQ(third->manifest.release, "v3");
}

}  // namespace
}  // namespace berth::publish
