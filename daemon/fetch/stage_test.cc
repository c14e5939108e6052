#include <sys/mount.h>
#include <sys/stat.h>

#include "daemon/fetch/repository_fixture.h"

namespace berth::fetch {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

struct stat about(const fs::path& path) {
  struct stat is {};
  EXPECT_EQ(::lstat(path.c_str(), &is), 0) << path;
  return is;
}

class Stage : public RepositoryFixture {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "only root stages";
    put(app / "bin/run", "#!/bin/sh\necho one\n", 0755);
    put(app / "share/same", std::string(100'000, 's'));
    put(app / "share/text", "one\n");
    fs::create_symlink("run", app / "bin/start");
    put(config / "settings", "a=1\n");
  }

  Result<Staged> stage_release(const std::string& release, const fs::path& into, std::stop_token stop = {}) {
    Repository repository(node_options());
    auto resolved = repository.resolve("web", "production", release, {});
    if (!resolved) return std::unexpected(resolved.error());
    fs::create_directories(into);
    return stage(repository, *resolved, into, options, progress, [this](StagePhase phase) { phases.push_back(phase); }, stop);
  }

  /// What lies in a folder, by path.
  static std::vector<std::string> paths(const fs::path& root) {
    std::vector<std::string> all;
    for (const auto& one : fs::recursive_directory_iterator(root)) all.push_back(one.path().lexically_relative(root).string());
    std::ranges::sort(all);
    return all;
  }

  void expect_refused(const Result<Staged>& staged, Errc code, const std::vector<std::string>& words) {
    ASSERT_FALSE(staged);
    EXPECT_EQ(staged.error().code, code) << staged.error().message;
    EXPECT_THAT(staged.error().message, HasSubstr("web/production@v"));
    for (const auto& word : words) EXPECT_THAT(staged.error().message, HasSubstr(word));
  }

  StageOptions options{.worker_program = BERTH_UNPACK_PROGRAM, .reserve_bytes = 0};
  Progress progress;
  std::vector<StagePhase> phases;
  fs::path staging = folder.path() / "staging/1";
};

TEST_F(Stage, FillsAFolderWithTheWholeRelease) {
  const auto published = publish("v1");
  const auto staged = stage_release("v1", staging);
  ASSERT_TRUE(staged) << staged.error().message;
  EXPECT_THAT(paths(staging), ElementsAre("app", "app.index.json", "app/bin", "app/bin/run", "app/bin/start", "app/share", "app/share/same", "app/share/text",
                                          "config", "config.index.json", "config/settings", "manifest.json"));
  const std::string app_index = files::read(staging / "app.index.json", 1u << 20).value_or("");
  EXPECT_EQ(crypto::sha256_hex(app_index), published.builds.at("any").layer.index.sha256);
  EXPECT_EQ(about(staging / "app.index.json").st_mode & 07777, 0444U);
  EXPECT_EQ(files::read(staging / "manifest.json", 1u << 20).value_or(""), bundle::to_canonical_json(published));
  EXPECT_EQ(files::read(staging / "app/share/text", 100).value_or(""), "one\n");
  EXPECT_EQ(about(staging / "app/bin/run").st_mode & 07777, 0555U);
  EXPECT_EQ(about(staging / "config/settings").st_mode & 07777, 0444U);
  EXPECT_EQ(about(staging / "manifest.json").st_mode & 07777, 0444U);
  for (const auto& path : paths(staging)) EXPECT_EQ(about(staging / path).st_uid, 0U) << path;
  EXPECT_THAT(phases, ElementsAre(StagePhase::fetching, StagePhase::unpacking));
  EXPECT_EQ(progress.bytes_done, progress.bytes_total);
  EXPECT_GT(progress.bytes_done, 0U);
  const auto indexes = published.builds.at("any").layer.index.size + published.config.index.size;
  EXPECT_EQ(staged->tree_bytes, 19 + 100'000 + 4 + 4 + indexes + bundle::to_canonical_json(published).size());
}

TEST_F(Stage, LinksUnchangedFilesFromASealedSlot) {
  publish("v1");
  ASSERT_TRUE(stage_release("v1", folder.path() / "slots/v1"));
  put(app / "share/text", "two\n");
  ::chmod((app / "bin/run").c_str(), 0644);
  publish("v2");
  options.sealed_slots = {folder.path() / "slots/missing", folder.path() / "slots/v1"};
  const auto staged = stage_release("v2", staging);
  ASSERT_TRUE(staged) << staged.error().message;
  EXPECT_EQ(files::read(staging / "app/share/text", 100).value_or(""), "two\n");
  const auto shared = about(staging / "app/share/same");
  const auto before = about(folder.path() / "slots/v1/app/share/same");
  if (shared.st_ino != before.st_ino) GTEST_SKIP() << "this disk has reflinks";
  EXPECT_EQ(shared.st_nlink, 2U);
  EXPECT_EQ(about(staging / "app/bin/run").st_nlink, 1U) << "its mode changed";
  EXPECT_EQ(about(staging / "app/bin/run").st_mode & 07777, 0444U);
}

TEST_F(Stage, FetchesNothingOfABuildThatIsThereAlready) {
  publish("v1");
  ASSERT_TRUE(stage_release("v1", folder.path() / "slots/v1"));
  put(config / "settings", "a=2\n");
  const auto published = publish("v2");
  fs::remove(blob(published.builds.at("any").layer.blob));
  options.sealed_slots = {folder.path() / "slots/v1"};
  progress.bytes_total = progress.bytes_done = 0;
  const auto staged = stage_release("v2", staging);
  ASSERT_TRUE(staged) << staged.error().message;
  EXPECT_EQ(progress.bytes_total, published.config.blob.size + published.config.index.size);
  EXPECT_EQ(fs::read_symlink(staging / "app/bin/start"), "run");
  EXPECT_EQ(files::read(staging / "config/settings", 100).value_or(""), "a=2\n");
  EXPECT_EQ(about(staging / "app/share").st_mode & 07777, 0555U);
}

TEST_F(Stage, TakesNothingFromASlotThatRottedOrIsNotSealed) {
  publish("v1");
  const fs::path slot = folder.path() / "slots/v1";
  ASSERT_TRUE(stage_release("v1", slot));
  ::chmod((slot / "app/share/text").c_str(), 0644);
  put(slot / "app/share/same", std::string(100'000, 'r'), 0444);
  options.sealed_slots = {slot};
  const auto staged = stage_release("v1", staging);
  ASSERT_TRUE(staged) << staged.error().message;
  EXPECT_EQ(about(staging / "app/share/same").st_nlink, 1U);
  EXPECT_EQ(about(staging / "app/share/text").st_nlink, 1U);
  EXPECT_EQ(files::read(staging / "app/share/same", 1u << 20).value_or(""), std::string(100'000, 's'));
}

TEST_F(Stage, NamesALayerThatIsDamagedTruncatedOrMissing) {
  const auto layer = publish("v1").builds.at("any").layer;
  const std::string good = *files::read(blob(layer.blob), 10u << 20);
  std::string bad = good;
  bad[bad.size() / 2] ^= 1;
  put(blob(layer.blob), bad);
  expect_refused(stage_release("v1", staging), Errc::trust, {layer.blob.sha256.substr(0, 8), "MiB 1 of 1"});
  put(blob(layer.blob), good.substr(0, good.size() - 12));
  expect_refused(stage_release("v1", folder.path() / "staging/2"), Errc::trust, {layer.blob.sha256.substr(0, 8), "12 bytes short"});
  fs::remove(blob(layer.blob));
  expect_refused(stage_release("v1", folder.path() / "staging/3"), Errc::trust, {"somebody withholds it", layer.blob.sha256.substr(0, 8)});
  put(blob(layer.blob), good);
  EXPECT_TRUE(stage_release("v1", folder.path() / "staging/4"));
}

TEST_F(Stage, NamesAnIndexThatIsDamaged) {
  const auto layer = publish("v1").builds.at("any").layer;
  std::string bad = *files::read(blob(layer.index), 10u << 20);
  bad[bad.size() / 2] ^= 1;
  put(blob(layer.index), bad);
  expect_refused(stage_release("v1", staging), Errc::trust, {layer.index.sha256.substr(0, 8), "index"});
}

TEST_F(Stage, SeesBeforeItFetchesThatTheDiskIsTooSmall) {
  const auto layer = publish("v1").builds.at("any").layer;
  fs::remove(blob(layer.blob));  // asking for it would fail otherwise
  options.reserve_bytes = std::uint64_t{1} << 60;
  expect_refused(stage_release("v1", staging), Errc::no_space, {"reserve", "free", "needed", "KiB"});

  options.reserve_bytes = 0;
  const fs::path small = folder.path() / "small";
  fs::create_directory(small);
  ASSERT_EQ(::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=64k"), 0);
  expect_refused(stage_release("v1", small / "staging"), Errc::no_space, {small.string()});
  EXPECT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
}

TEST_F(Stage, StopsWhenItIsToStop) {
  publish("v1");
  std::stop_source stop;
  stop.request_stop();
  expect_refused(stage_release("v1", staging, stop.get_token()), Errc::cancelled, {});
}

TEST_F(Stage, TakesALayerWithoutAnyFile) {
  fs::remove_all(config);
  fs::create_directory(config);
  publish("v1");
  const auto staged = stage_release("v1", staging);
  ASSERT_TRUE(staged) << staged.error().message;
  EXPECT_TRUE(fs::is_empty(staging / "config"));
}

}  // namespace
}  // namespace berth::fetch
