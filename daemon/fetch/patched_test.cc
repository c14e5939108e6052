// Releases that come as patches of what is on the node.

#include <sys/stat.h>

#include "core/patch/frame.h"
#include "core/patch/script.h"
#include "core/publish/make_patch.h"
#include "core/test_noise.h"
#include "daemon/fetch/repository_fixture.h"

namespace berth::fetch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Patched : public RepositoryFixture {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "only root stages";
    put(app / "bin/run", "#!/bin/sh\necho one\n", 0755);
    put(app / "share/same", noise(300'000, 1));  // most of it: the base is what changed
    put(app / "share/text", noise(100'000, 2));
    put(app / "share/gone", noise(1000, 3));
    fs::create_symlink("run", app / "bin/start");
    put(config / "settings", "a=1\n");
    one = publish("v1");
    const auto staged = stage_release("v1", slot);
    ASSERT_TRUE(staged) << staged.error().message;
    options.sealed_slots = {slot};
    progress.bytes_total = progress.bytes_done = 0;

    put(app / "bin/run", "#!/bin/sh\necho two\n", 0755);
    put(app / "share/text", noise(50'000, 2) + "new" + noise(100'000, 2).substr(50'000));
    fs::remove(app / "share/gone");
    put(app / "share/new/file", "x");
    put(app / "share/new/empty", "");
    two = manifest("v2", publish_layer(app), publish_layer(config));
  }

  publish::UnpackedLayer open(const bundle::Manifest& release) const {
    const auto& layer = release.builds.at("any").layer;
    return *publish::UnpackedLayer::open(layer, blob(layer.blob), blob(layer.index));
  }
  /// v2 with a patch from v1, or from another release.
  publish::MadePatch patch(const bundle::Manifest& from) {
    auto made = publish::make_patch(open(from), open(two), two.builds.at("any").layer, patch::Effort::fast);
    EXPECT_TRUE(made && *made);
    return std::move(**made);
  }
  void publish_two(const publish::MadePatch& made) {
    put(blob(made.ref.blob), made.blob);
    two.builds.at("any").patches = {made.ref};
    sign("web/production/v2.json", bundle::to_canonical_json(two));
  }
  /// The patch as somebody signed it who gave it other bytes.
  static publish::MadePatch with_bytes(publish::MadePatch made, const std::string& index, const std::string& script) {
    made.blob = index + script;
    made.ref.blob = {.sha256 = crypto::sha256_hex(made.blob), .size = made.blob.size()};
    made.ref.chunks = {made.ref.blob.sha256};
    made.ref.index_size = index.size();
    return made;
  }

  Result<Staged> stage_release(const std::string& release, const fs::path& into, std::stop_token stop = {}) {
    Repository repository(node_options());
    auto resolved = repository.resolve("web", "production", release, {});
    if (!resolved) return std::unexpected(resolved.error());
    fs::create_directories(into);
    foreseen = plan_stage(repository, *resolved, into, options, stop);
    EXPECT_TRUE(fs::is_empty(into));
    return stage(repository, *resolved, into, options, progress, [](StagePhase) {}, stop);
  }

  /// What was fetched is what the plan said, and nothing else.
  void expect_foreseen(const Result<Staged>& staged) {
    ASSERT_TRUE(staged && foreseen);
    std::map<std::string, std::uint64_t> bytes;
    for (const auto& blob : foreseen->fetched) bytes[blob.kind] += blob.ref.size;
    EXPECT_EQ(bytes["patch"], staged->patch_bytes);
    EXPECT_EQ(bytes["layer"], staged->layer_bytes);
    EXPECT_EQ(bytes["index"], staged->index_bytes);
    EXPECT_EQ(foreseen->notes.size(), staged->notes.size());
    EXPECT_FALSE(foreseen->refused);
  }

  void expect_two(const Result<Staged>& staged) {
    ASSERT_TRUE(staged) << staged.error().message;
    const auto tree = bundle::list_tree(staging / "app");
    const auto wanted = bundle::list_tree(app);
    ASSERT_TRUE(tree && wanted);
    EXPECT_TRUE(bundle::check_same(tree->entries, wanted->entries));
    std::vector<std::string> names;
    for (const auto& one_of_them : fs::directory_iterator(staging)) names.push_back(one_of_them.path().filename());
    std::ranges::sort(names);
    EXPECT_THAT(names, ElementsAre("app", "app.index.json", "config", "config.index.json", "manifest.json"));
    EXPECT_EQ(progress.bytes_done, progress.bytes_total);
  }
  void expect_layer(const Result<Staged>& staged, const std::string& why) {
    expect_two(staged);
    ASSERT_TRUE(staged);
    EXPECT_EQ(staged->patched_from, "");
    EXPECT_EQ(staged->layer_bytes, two.builds.at("any").layer.blob.size);
    EXPECT_THAT(staged->notes, ElementsAre(testing::AllOf(HasSubstr("the layer is fetched instead of the patch"), HasSubstr("from v1"), HasSubstr(why))));
  }
  void expect_refused(const std::string& why) {
    const auto staged = stage_release("v2", staging);
    ASSERT_FALSE(staged);
    EXPECT_EQ(staged.error().code, Errc::trust) << staged.error().message;
    EXPECT_THAT(staged.error().message, HasSubstr("web/production@v2: layer"));
    EXPECT_THAT(staged.error().message, HasSubstr(": patch "));
    EXPECT_THAT(staged.error().message, HasSubstr(why));
  }

  bundle::Manifest one, two;
  Result<StagePlan> foreseen;
  StageOptions options{.worker_program = BERTH_UNPACK_PROGRAM, .reserve_bytes = 0};
  Progress progress;
  fs::path slot = folder.path() / "slots/v1", staging = folder.path() / "staging/2";
};

TEST_F(Patched, AReleaseIsMadeOfTheOneBefore) {
  const auto made = patch(one);
  publish_two(made);
  fs::remove(blob(two.builds.at("any").layer.blob));   // neither is asked for
  fs::remove(blob(two.builds.at("any").layer.index));
  const auto staged = stage_release("v2", staging);
  expect_two(staged);
  EXPECT_EQ(staged->patched_from, "v1");
  EXPECT_EQ(staged->patch_bytes, made.ref.blob.size);
  EXPECT_EQ(staged->layer_bytes, 0U);
  EXPECT_EQ(staged->index_bytes, 0U);
  EXPECT_THAT(staged->notes, IsEmpty());
  struct stat is {};
  ASSERT_EQ(::stat((staging / "app/bin/run").c_str(), &is), 0);
  EXPECT_EQ(is.st_mode & 07777, 0555U);
  EXPECT_EQ(is.st_uid, 0U);
}

TEST_F(Patched, WhatIsFetchedIsWhatThePlanSays) {
  const auto made = patch(one);
  publish_two(made);
  expect_foreseen(stage_release("v2", staging));
  EXPECT_EQ(foreseen->fetched.front().from, "v1");
  EXPECT_EQ(foreseen->fetched.front().ref, made.ref.blob);
  EXPECT_EQ(foreseen->app.entries.size(), bundle::list_tree(app)->entries.size());
  EXPECT_GT(foreseen->needed, made.ref.blob.size);

  options.reserve_bytes = std::uint64_t{1} << 60;
  ASSERT_TRUE(files::remove_tree(staging));
  const auto staged = stage_release("v2", staging);
  ASSERT_TRUE(foreseen && foreseen->refused);
  ASSERT_FALSE(staged);
  EXPECT_EQ(foreseen->refused->code, staged.error().code);
}

TEST_F(Patched, OneThatOnlyTakesFilesAwayBringsTheIndex) {
  put(app / "bin/run", "#!/bin/sh\necho one\n", 0755);
  put(app / "share/text", noise(100'000, 2));
  fs::remove_all(app / "share/new");
  two = manifest("v2", publish_layer(app), publish_layer(config));
  publish_two(patch(one));
  fs::remove(blob(two.builds.at("any").layer.blob));
  fs::remove(blob(two.builds.at("any").layer.index));
  expect_two(stage_release("v2", staging));
}

TEST_F(Patched, OneThatStartsFromElsewhereIsPassedOver) {
  publish_two(patch(one));
  options.sealed_slots = {};
  const auto staged = stage_release("v2", staging);
  expect_two(staged);
  expect_foreseen(staged);
  EXPECT_GT(staged->layer_bytes, 0U);
  EXPECT_EQ(staged->patch_bytes, 0U);
  EXPECT_THAT(staged->notes, IsEmpty());
}

TEST_F(Patched, TheLayerIsTakenWhereTheSlotDrifted) {
  publish_two(patch(one));
  put(slot / "app/share/text", noise(100'000, 7), 0444);  // what the patch refers to
  const auto staged = stage_release("v2", staging);
  expect_layer(staged, "share/text");
  expect_foreseen(staged);
}

TEST_F(Patched, TheLayerIsTakenWhereAFileThatDidNotChangeIsGone) {
  publish_two(patch(one));
  fs::remove(slot / "app/share/same");
  const auto staged = stage_release("v2", staging);
  expect_layer(staged, "share/same is not as it was sealed");
  expect_foreseen(staged);
}

TEST_F(Patched, TheLayerIsTakenWhereTheOldIndexIsNotAsItWas) {
  publish_two(patch(one));
  put(slot / "app.index.json", "{}", 0444);
  const auto staged = stage_release("v2", staging);
  expect_two(staged);
  expect_foreseen(staged);
  EXPECT_EQ(staged->patch_bytes, 0U);
}

TEST_F(Patched, TheLayerIsTakenWhereThePatchIsMissingOrDamaged) {
  const auto made = patch(one);
  publish_two(made);
  std::string bad = made.blob;
  bad[bad.size() / 2] ^= 1;
  put(blob(made.ref.blob), bad);
  expect_layer(stage_release("v2", staging), "not what was signed for");
  ASSERT_TRUE(files::remove_tree(staging));
  fs::remove(blob(made.ref.blob));
  progress.bytes_total = progress.bytes_done = 0;
  expect_layer(stage_release("v2", staging), "No such file");
}

TEST_F(Patched, OneThatIsSignedAndMadeAgainstAnotherBuildIsRefused) {
  // An index that it can be decoded with, and a script that it cannot.
  auto made = patch(one);
  const std::string index = made.blob.substr(0, made.ref.index_size);
  const std::string elsewhere = noise(made.ref.script_size, 9), the_same = noise(made.ref.script_size, 9);
  publish_two(with_bytes(made, index, *patch::encode_frame(elsewhere, the_same, patch::Effort::fast)));
  expect_refused("made against another build");

  ASSERT_TRUE(files::remove_tree(staging));
  const std::string wanted = files::read(blob(two.builds.at("any").layer.index), 1u << 20).value_or("");
  const std::string copy(wanted.begin(), wanted.end());
  const auto other = patch::encode_frame(wanted, copy, patch::Effort::fast);
  made = with_bytes(patch(one), *other, made.blob.substr(made.ref.index_size));
  two.release = "v3";
  put(blob(made.ref.blob), made.blob);
  two.builds.at("any").patches = {made.ref};
  sign("web/production/v3.json", bundle::to_canonical_json(two));
  const auto staged = stage_release("v3", staging);
  ASSERT_FALSE(staged);
  EXPECT_EQ(staged.error().code, Errc::trust) << staged.error().message;
}

TEST_F(Patched, OneThatMakesSomethingElseIsRefused) {
  const auto made = patch(one);
  const std::string index = made.blob.substr(0, made.ref.index_size);
  publish::MadePatch lies = made;
  patch::Script script;
  script.append(std::string(10'000, 'e'));
  const std::string text = patch::to_bytes(script);
  lies = with_bytes(made, index, *patch::encode_frame(text, "", patch::Effort::fast));
  lies.ref.script_size = text.size();
  publish_two(lies);
  expect_refused("makes 10000 bytes");
}

TEST_F(Patched, OneThatIsLargerThanItSaysIsRefused) {
  auto made = patch(one);
  made.ref.script_size -= 1;
  publish_two(made);
  expect_refused("not the");
}

TEST_F(Patched, AnIndexThatIsHereIsNotFetchedAgain) {
  put(config / "settings", "a=2\n");
  two = manifest("v2", one.builds.at("any").layer, publish_layer(config));
  sign("web/production/v2.json", bundle::to_canonical_json(two));
  fs::remove(blob(two.builds.at("any").layer.index));
  const auto staged = stage_release("v2", staging);
  ASSERT_TRUE(staged) << staged.error().message;
  EXPECT_EQ(staged->index_bytes, two.config.index.size);
  expect_foreseen(staged);
}

TEST_F(Patched, StopsWhenItIsToStop) {
  publish_two(patch(one));
  std::stop_source stop;
  stop.request_stop();
  const auto staged = stage_release("v2", staging, stop.get_token());
  ASSERT_FALSE(staged);
  EXPECT_EQ(staged.error().code, Errc::cancelled) << staged.error().message;
}

}  // namespace
}  // namespace berth::fetch
