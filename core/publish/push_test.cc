#include "core/publish/push.h"

#include "core/publish/publish_fixture.h"
#include "core/publish/verify_repository.h"
#include "core/trust/folder_remote.h"

namespace berth::publish {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A repository with one release, which is pushed to `www`.
class Push : public PublishTest {
 protected:
  Push() {
    make_repository();
    EXPECT_TRUE(build());
    EXPECT_TRUE(release());
    EXPECT_TRUE(push());
  }

  Result<Pushed> push(const PushOptions& options = {}) { return push_repository(repository(), at("www"), options); }

  /// Another publisher's copy in the place of ours.
  void go_back_to(const std::string& copy) {
    fs::remove_all(at("repo"));
    fs::copy(at(copy), at("repo"), fs::copy_options::recursive);
  }
  void keep_as(const std::string& copy) { fs::copy(at("repo"), at(copy), fs::copy_options::recursive); }

  void refresh() {
    auto writer = trust::RepositoryWriter::open(at("repo"), at("repo-keys"), repository().now);
    ASSERT_TRUE(writer) << writer.error().message;
    ASSERT_TRUE(writer->refresh(trust::RefreshScope::timestamp_only));
  }

  std::vector<std::string> served() {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(at("www")))
      if (entry.is_regular_file()) files.push_back(entry.path().lexically_relative(at("www")));
    return files;
  }
};

TEST_F(Push, CopiesWhatIsNew) {
  EXPECT_THAT(verify_repository(at("www"), now)->faults, IsEmpty());
  EXPECT_EQ(push()->files, 0u);
  ASSERT_TRUE(release());
  EXPECT_GT(push()->files, 0u);
  EXPECT_THAT(verify_repository(at("www"), now)->faults, IsEmpty());
}

TEST_F(Push, DoesNotOverwriteWhatIsNewer) {
  keep_as("other");
  ASSERT_TRUE(release());
  ASSERT_TRUE(push());
  const std::string before = content(at("www/metadata/timestamp.json"));
  go_back_to("other");
  const auto files = served();
  EXPECT_THAT(push(), Refuses(Errc::conflict, "its timestamp has version 3, and the one of"));
  EXPECT_EQ(content(at("www/metadata/timestamp.json")), before);
  EXPECT_EQ(served(), files) << "nothing was pushed";
  ASSERT_TRUE(push({.force = true}));
  EXPECT_EQ(content(at("www/metadata/timestamp.json")), content(at("repo/metadata/timestamp.json")));
}

TEST_F(Push, DoesNotOverwriteTheSameVersionOfAnotherCopy) {
  keep_as("other");
  ASSERT_TRUE(release());
  ASSERT_TRUE(push());
  go_back_to("other");
  now += std::chrono::hours(1);
  ASSERT_TRUE(release());
  EXPECT_THAT(push(), Refuses(Errc::conflict, "version 3 of its timestamp has other contents"));
  refresh();
  EXPECT_THAT(push(), Refuses(Errc::conflict, "version 3 of its snapshot has other contents")) << "though our timestamp is newer";
  fs::remove(at("repo/metadata/3.snapshot.json"));  // needed by our own timestamp.json
  EXPECT_THAT(push(), Refuses(Errc::trust, "3.snapshot.json is missing"));
}

TEST_F(Push, DoesNotOverwriteARoleOfAnotherCopyWhoseSnapshotWasCollected) {
  keep_as("other");
  ASSERT_TRUE(release());
  ASSERT_TRUE(push());
  go_back_to("other");
  now += std::chrono::hours(1);
  ASSERT_TRUE(release());
  for (int times = 0; times < 2; ++times) {
    auto writer = trust::RepositoryWriter::open(at("repo"), at("repo-keys"), repository().now);
    ASSERT_TRUE(writer->refresh());
  }
  fs::remove(at("repo/metadata/3.snapshot.json"));
  EXPECT_THAT(push(), Refuses(Errc::conflict, "of its targets has other contents"));
}

TEST_F(Push, MendsWhatIsDamaged) {
  put("www/metadata/timestamp.json", "half a fi");
  ASSERT_TRUE(push());
  EXPECT_THAT(verify_repository(at("www"), now)->faults, IsEmpty());
}

TEST_F(Push, LooksAtWhatIsServedWhereACommandCopies) {
  keep_as("other");
  ASSERT_TRUE(release());
  ASSERT_TRUE(push());
  go_back_to("other");
  const PushOptions copying{.command = "cp -a"};
  EXPECT_THAT(push(copying), Refuses(Errc::conflict, "its timestamp has version 3")) << "the destination is a local folder";
  trust::FolderRemote served(at("www/metadata"));
  const auto elsewhere = push_repository(repository(), at("elsewhere"), {.command = "cp -a", .served = &served, .served_at = "https://example.com"});
  EXPECT_THAT(elsewhere, Refuses(Errc::conflict, "https://example.com: its timestamp has version 3"));
  EXPECT_FALSE(fs::exists(at("elsewhere")));
  EXPECT_THAT(push({.command = "cp -a", .prune = CollectOptions()}), Refuses(Errc::usage, "a copying command removes nothing"));
}

TEST_F(Push, RefusesWhereNothingIsServedUnlessByForce) {
  fs::create_directories(at("typo"));
  trust::FolderRemote nothing(at("typo"));
  const PushOptions mistyped{.command = "cp -a", .served = &nothing, .served_at = "https://example.com/typo"};
  const auto to_elsewhere = [&](PushOptions options) { return push_repository(repository(), at("elsewhere"), options); };
  fs::create_directories(at("elsewhere"));
  EXPECT_THAT(to_elsewhere(mistyped), Refuses(Errc::not_found, "nothing is served at https://example.com/typo"));
  EXPECT_THAT(to_elsewhere(mistyped), Refuses(Errc::not_found, "--force for the first push"));
  put("typo/timestamp.json", "<html>Welcome!</html>");  // as servers answer that have a page for everything
  EXPECT_THAT(to_elsewhere(mistyped), Refuses(Errc::conflict, "https://example.com/typo: what is served there as metadata/timestamp.json is none"));
  EXPECT_TRUE(fs::is_empty(at("elsewhere"))) << "nothing was pushed";
  PushOptions first = mistyped;
  first.force = true;
  const auto pushed = to_elsewhere(first);
  ASSERT_TRUE(pushed) << pushed.error().message;
  EXPECT_THAT(verify_repository(at("elsewhere"), now)->faults, IsEmpty());
}

TEST_F(Push, TellsThatSourceAndDestinationAreTheSame) {
  fs::create_directory_symlink("repo", at("by-another-name"));
  for (const char* name : {"repo", "repo/", "www/../repo", "by-another-name"}) {
    EXPECT_THAT(push_repository(repository(), at(name), {}), Refuses(Errc::usage, "are the same folder")) << name;
    EXPECT_THAT(push_repository(repository(), at(name), {.command = "cp -a", .force = true}), Refuses(Errc::usage, "are the same folder")) << name;
  }
}

TEST_F(Push, PrunesByTheRulesOfCollection) {
  put("www/blobs/sha256/" + std::string(64, '0'), "nothing lists me");
  put("www/targets/web/production/.v1.json.being-pushed", "unfinished");
  for (int times = 0; times < 3; ++times) refresh();
  const trust::WallTime signing = now;
  now = std::chrono::system_clock::now();
  const auto young = push({.prune = CollectOptions()});
  ASSERT_TRUE(young) << young.error().message;
  EXPECT_THAT(young->pruned.files, IsEmpty()) << "it came a moment ago";
  now = signing;
  ASSERT_TRUE(release());
  now = std::chrono::system_clock::now() + std::chrono::hours(1);
  const auto done = push({.prune = CollectOptions{.keep_metadata = 1, .grace = std::chrono::minutes(1)}});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(done->pruned.files, Contains("blobs/sha256/" + std::string(64, '0')));
  EXPECT_THAT(done->pruned.files, Contains("targets/web/production/.v1.json.being-pushed"));
  EXPECT_THAT(done->pruned.files, Contains("metadata/2.targets.json"));
  EXPECT_THAT(done->pruned.files, Not(Contains(HasSubstr("root.json"))));
  now = signing;
  EXPECT_THAT(verify_repository(at("www"), now)->faults, IsEmpty());
  EXPECT_EQ(content(at("repo/metadata/2.targets.json")).empty(), false) << "the repository itself keeps what it has";
}

}  // namespace
}  // namespace berth::publish
