#include "core/publish/patches.h"

#include "core/bundle/patch_parts.h"
#include "core/bundle/tree.h"
#include "core/patch/script.h"
#include "core/publish/collect.h"
#include "core/publish/contents.h"
#include "core/publish/make_patch.h"
#include "core/publish/patch_script.h"
#include "core/publish/publish_fixture.h"
#include "core/publish/verify_repository.h"
#include "core/test_noise.h"

namespace berth::publish {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Patches : public PublishTest {
 protected:
  Patches() {
    make_repository();
    put("site/share/large", noise(200'000, 1));
    put("site/share/same", noise(50'000, 2));
  }

  /// Builds what is there, and releases it.
  bundle::BuildRef published(const std::string& environment = "production", const ReleaseOptions& options = {}) {
    EXPECT_TRUE(build());
    const auto made = release(environment, options);
    EXPECT_TRUE(made) << made.error().message;
    notes = made->notes;
    return made->manifest.builds.begin()->second;
  }
  bundle::BuildRef changed(const std::string& text, const ReleaseOptions& options = {}) {
    put("site/share/text", text);
    return published("production", options);
  }
  std::vector<std::string> faults() {
    const auto verified = verify_repository(at("repo"), now);
    EXPECT_TRUE(verified) << verified.error().message;
    return verified->faults;
  }
  fs::path blob(const bundle::BlobRef& ref) const { return at("repo") / bundle::blob_path(ref.sha256); }
  UnpackedLayer layer(const bundle::BuildRef& build) const {
    auto opened = UnpackedLayer::open(build.layer, blob(build.layer.blob), blob(build.layer.index));
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  /// What a node makes of it, with stock parts.
  std::string applied(const bundle::PatchRef& patch, const bundle::BuildRef& from, const bundle::BuildRef& to) const {
    const UnpackedLayer old = layer(from), fresh = layer(to);
    const std::string bytes = content(blob(patch.blob)), base = tar_of(old, bundle::patch_base(patch.base, old.entries(), fresh.entries()));
    std::string index(to.layer.index.size, '\0'), script(patch.script_size, '\0'), contents;
    EXPECT_TRUE(patch::decode_frame(bytes.substr(0, patch.index_size), old.index(), index));
    EXPECT_EQ(index, fresh.index());
    EXPECT_TRUE(patch::decode_frame(bytes.substr(patch.index_size), base, script));
    const auto made = bundle::patch_made(old.entries(), fresh.entries());
    EXPECT_TRUE(patch::apply(script, base, bundle::total_size(made), [&](std::string_view piece) -> Result<void> {
      contents += piece;
      return {};
    }));
    EXPECT_EQ(contents, contents_of(fresh, made));
    return contents;
  }

  std::vector<std::string> notes;
};

TEST_F(Patches, LeadFromEachOfTheLastBuildsToANewOne) {
  std::vector<bundle::BuildRef> builds;
  for (const char* text : {"one", "two", "three", "four", "five"}) builds.push_back(changed(text));
  EXPECT_THAT(builds[0].patches, IsEmpty());
  EXPECT_THAT(builds[1].patches, SizeIs(1));
  ASSERT_THAT(builds[4].patches, SizeIs(3));
  for (const bundle::PatchRef& patch : builds[4].patches) {
    const auto from = std::ranges::find(builds, patch.from, [](const bundle::BuildRef& one) { return one.layer.index.sha256; });
    ASSERT_NE(from, builds.end());
    EXPECT_GE(from - builds.begin(), 1) << "only the last three";
    EXPECT_LT(patch.blob.size, 1500U) << "of a layer of 250 KB";
    applied(patch, *from, builds[4]);
  }
  EXPECT_THAT(notes, IsEmpty());
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(Patches, AreMadeAsTheyAreAskedFor) {
  changed("one");
  changed("two");
  EXPECT_THAT(changed("three", {.patches = {.builds = 1}}).patches, SizeIs(1));
  EXPECT_THAT(changed("four", {.patches = {.builds = 0}}).patches, IsEmpty());
  EXPECT_THAT(changed("five", {.patches = {.builds = 9, .effort = patch::Effort::best}}).patches, SizeIs(4));
  EXPECT_THAT(changed("five").patches, SizeIs(3)) << "the same build again";
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(Patches, AreNotMadeWhereTheySaveLittle) {
  changed("one");
  put("site/share/large", noise(200'000, 3));
  EXPECT_THAT(changed("two").patches, IsEmpty());
  EXPECT_THAT(notes, IsEmpty());
}

TEST_F(Patches, AreTakenFromAReleaseThatHasThem) {
  put("environments/qa/files/motd", "qa");
  const auto one = published("qa");
  ASSERT_THAT(published("production").patches, IsEmpty());
  put("site/share/text", "two");
  const auto two = published("qa");
  ASSERT_THAT(two.patches, SizeIs(1));
  ASSERT_TRUE(files::remove_tree(at("store")));
  fs::remove(blob(one.layer.blob));  // it could not be made again
  const auto qa = find_release(at("repo"), {"web", "qa", "v2"});
  const auto promoted = publish_release(repository(), draft_of(*qa), *read_environment(at("environments"), "production"), {});
  ASSERT_TRUE(promoted) << promoted.error().message;
  EXPECT_EQ(promoted->manifest.builds.begin()->second.patches, two.patches);
}

TEST_F(Patches, AreLeftOutWithANoteWhereAnEarlierBuildIsDamaged) {
  const auto one = changed("one");
  fs::permissions(blob(one.layer.blob), fs::perms(0644));
  put(fs::path("repo") / bundle::blob_path(one.layer.blob.sha256), noise(one.layer.blob.size, 9));
  EXPECT_THAT(changed("two").patches, IsEmpty());
  EXPECT_THAT(notes, ElementsAre(HasSubstr("no patch from the build of v1: ")));
}

TEST_F(Patches, AreKeptByACollectionAndMissedWhereTheyAreGone) {
  changed("one");
  const auto two = changed("two");
  now += std::chrono::hours(24 * 30);
  const auto collected = collect_repository(repository(), {.grace = std::chrono::hours(0)});
  ASSERT_TRUE(collected) << collected.error().message;
  ASSERT_TRUE(fs::exists(blob(two.patches.at(0).blob)));
  fs::remove(blob(two.patches[0].blob));
  EXPECT_THAT(faults(), testing::Contains(HasSubstr(two.patches[0].blob.sha256)));
}

/// Programs are told by their differences.
TEST_F(Patches, OfProgramsAreSmallerThanTheirBytes) {
  std::string program = program_for(kAmd64) + noise(300'000, 5);
  put("site/bin/server", program, 0755);
  const auto one = changed("one");
  for (std::size_t at = 1000; at < program.size(); at += 1000) program[at] = static_cast<char>(program[at] + 4);  // as addresses change
  put("site/bin/server", program, 0755);
  const auto two = changed("two");
  ASSERT_THAT(two.patches, SizeIs(1));
  EXPECT_LT(two.patches[0].blob.size, 3000U);
  applied(two.patches[0], one, two);
}

/// A reader takes so many steps and no more: a program that would need them is told as it is.
TEST_F(Patches, NeverHaveMoreStepsThanAReaderTakes) {
  const std::string before = program_for(kAmd64) + noise(20'000, 5);
  std::string after = before;
  for (std::size_t at = 1000; at + 1000 < after.size(); at += 2000) after.insert(at, noise(40, static_cast<unsigned>(at)));
  put("site/bin/first", before, 0755);
  put("site/bin/second", before, 0755);
  const UnpackedLayer old = layer(changed("one"));
  put("site/bin/first", after, 0755);
  put("site/bin/second", after, 0755);
  const UnpackedLayer fresh = layer(changed("two"));
  const auto made = bundle::patch_made(old.entries(), fresh.entries());
  const std::size_t for_both = script_of(old.tar(), old.entries(), fresh, made, patch::Effort::fast).steps.size();
  ASSERT_GT(for_both, 10U);
  for (const std::size_t most : {for_both, for_both - 1, for_both / 2 + 2, std::size_t{3}}) {
    const patch::Script script = script_of(old.tar(), old.entries(), fresh, made, patch::Effort::fast, most);
    EXPECT_LE(script.steps.size(), most);
    std::string contents;
    ASSERT_TRUE(patch::apply(patch::to_bytes(script), old.tar(), bundle::total_size(made), [&](std::string_view piece) -> Result<void> {
      contents += piece;
      return {};
    }));
    EXPECT_EQ(contents, contents_of(fresh, made)) << most;
  }
}

}  // namespace
}  // namespace berth::publish
