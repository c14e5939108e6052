#include "daemon/fetch/sealed_release.h"

#include "daemon/fetch/repository_fixture.h"

namespace berth::fetch {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class SealedRelease : public RepositoryFixture {
 protected:
  SealedRelease() {
    put(app / "bin/run", "#!/bin/sh\n", 0755);
    put(config / "settings", "a=1\n");
  }

  /// Signs another manifest under a name that is taken, as no publisher of ours does.
  std::string replace(const std::string& release) {
    put(config / "settings", "a=2\n");
    const std::string text = bundle::to_canonical_json(manifest(release, publish_layer(app), publish_layer(config)));
    auto writer = trust::RepositoryWriter::open(repo, keys, [] { return std::chrono::system_clock::now(); });
    EXPECT_TRUE(writer->add_targets({}, {{bundle::target_name("web", "production", release), text}}));
    return crypto::sha256_hex(text);
  }

  const ReleaseRef v1{.app = "web", .environment = "production", .release = "v1"};
};

TEST_F(SealedRelease, IsComparedWithWhatTheNodeTrustsAlready) {
  const std::string sealed = crypto::sha256_hex(bundle::to_canonical_json(publish("v1")));
  Repository repository(node_options());
  EXPECT_TRUE(repository.check_sealed(v1, "0000")) << "nothing is trusted yet";
  ASSERT_TRUE(repository.list({}));
  EXPECT_TRUE(repository.check_sealed(v1, sealed));
  EXPECT_TRUE(repository.check_sealed({.app = "web", .environment = "production", .release = "v9"}, sealed)) << "it is not listed";

  const std::string listed = replace("v1");
  EXPECT_TRUE(repository.check_sealed(v1, sealed)) << "nobody is asked";
  ASSERT_TRUE(repository.list({}));
  fs::rename(repo, folder.path() / "gone");
  const auto turn = repository.take_turn({});
  ASSERT_TRUE(turn) << "a refresh that hangs holds nothing up";
  EXPECT_FALSE(repository.check_sealed(v1, sealed, true));
  EXPECT_FALSE(repository.trust().refusals.contains("content")) << "somebody only looked";
  const auto other = repository.check_sealed(v1, sealed);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::trust);
  EXPECT_THAT(other.error().message, AllOf(HasSubstr("web@v1: "), HasSubstr(listed.substr(0, 12)), HasSubstr(sealed.substr(0, 12)), HasSubstr("under a new id")));
  EXPECT_EQ(repository.trust().refusals.at("content"), 1u);
}

}  // namespace
}  // namespace berth::fetch
