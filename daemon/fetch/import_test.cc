#include "daemon/fetch/import.h"

#include "core/release_file/release_file.h"
#include "core/trust/folder_remote.h"
#include "daemon/fetch/repository_fixture.h"

namespace berth::fetch {
namespace {

using testing::HasSubstr;

class ImportFile : public RepositoryFixture {
 protected:
  void SetUp() override {
    put(app / "bin/run", "#!/bin/sh\necho one\n", 0755);
    put(config / "settings", "a=1\n");
  }

  /// Exports a release of web to `file`.
  void export_release(const std::string& release) {
    fs::remove(file);
    trust::FolderRemote metadata(repo / "metadata"), targets(repo / "targets");
    const release_file::ReadBlob blob = [this](const std::string& path, std::uint64_t from, std::uint64_t most, const auto& sink) -> Result<void> {
      BERTH_TRY(const std::string bytes, files::read(repo / path, 64u << 20));
      return sink(std::string_view(bytes).substr(from, most));
    };
    const auto root = files::read(repo / "metadata/1.root.json", 1u << 20);
    const auto done = release_file::export_release(
        {.metadata = metadata, .targets = targets, .blob = blob, .root = *root, .now = std::chrono::system_clock::now()}, {"web", "production", release}, file);
    ASSERT_TRUE(done) << done.error().message;
  }

  Result<Imported> import_it(bool allow_expired = false) {
    EXPECT_TRUE(files::remove_tree(staging));
    fs::create_directories(staging);
    return import_file(node_options(), file, staging, {.environment = "production", .allow_expired = allow_expired, .reserve_bytes = 0}, {});
  }

  void expect_refused(const Result<Imported>& imported, Errc code, const std::string& why) {
    ASSERT_FALSE(imported) << why;
    EXPECT_EQ(imported.error().code, code) << imported.error().message;
    EXPECT_THAT(imported.error().message, HasSubstr(why));
    EXPECT_THAT(imported.error().message, HasSubstr("web.berth"));
  }

  std::string trusted(const std::string& name) { return files::read(node_options().trust_directory / name, 1u << 20).value_or("(none)"); }

  fs::path file = folder.path() / "web.berth", staging = folder.path() / "import";
};

TEST_F(ImportFile, IsARepositoryOfTheReleaseThatNeedsNoOther) {
  const auto published = publish("v1");
  export_release("v1");
  fs::rename(repo, folder.path() / "away");
  fs::create_directories(repo / "metadata");
  fs::copy(folder.path() / "away/metadata/root.json", repo / "metadata/root.json");  // what the node was given
  const auto imported = import_it();
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_EQ(imported->release, (ReleaseRef{"web", "production", "v1"}));
  EXPECT_EQ(imported->expired, "");
  RepositoryOptions options = node_options();
  options.url = staging;
  options.offline = true;
  Repository from_file(options);
  const auto resolved = from_file.resolve("web", "production", "v1", {});
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->manifest, published);
  EXPECT_EQ(resolved->manifest_sha256, imported->manifest_sha256);
  Progress progress;
  const auto index = from_file.small_blob(resolved->build.layer.index, 1u << 20, {});
  ASSERT_TRUE(index) << index.error().message;
  EXPECT_FALSE(fs::exists(staging / "trust"));
}

TEST_F(ImportFile, WhatIsSignedOtherwiseChangesNothing) {
  publish("v1");
  export_release("v1");
  ASSERT_TRUE(import_it());
  const std::string before = trusted("timestamp.json");
  publish("v2");
  export_release("v2");
  std::string bytes = files::read(file, 64u << 20).value_or("");
  const auto at = bytes.find("\"signed\"", bytes.find("timestamp.json"));
  bytes[bytes.find("version", at) + 9] = '9';
  ASSERT_TRUE(files::replace(file, bytes));
  expect_refused(import_it(), Errc::trust, "timestamp.json");
  EXPECT_EQ(trusted("timestamp.json"), before);
}

TEST_F(ImportFile, AFileOlderThanWhatIsTrustedIsARollbackAlsoWhereExpiryIsRelaxed) {
  publish("v1");
  export_release("v1");
  const std::string old = files::read(file, 64u << 20).value_or("");
  publish("v2");
  export_release("v2");
  ASSERT_TRUE(import_it());
  ASSERT_TRUE(files::replace(file, old));
  expect_refused(import_it(), Errc::trust, "rollback");
  expect_refused(import_it(true), Errc::trust, "rollback");
}

TEST_F(ImportFile, TheTrustedMetadataMoveOnlyInTurnWithOthersThatUseThem) {
  publish("v1");
  export_release("v1");
  EXPECT_TRUE(files::remove_tree(staging));
  fs::create_directories(staging);
  Repository others(node_options());
  const auto turn = others.take_turn({});
  ASSERT_TRUE(turn);
  std::stop_source stop;
  stop.request_stop();
  const auto waiting = import_file(node_options(), file, staging,
                                   {.environment = "production", .reserve_bytes = 0, .take_turn = [&] { return others.take_turn(stop.get_token()); }}, {});
  ASSERT_FALSE(waiting) << "somebody else works on the metadata";
  EXPECT_EQ(waiting.error().code, Errc::cancelled);
}

TEST_F(ImportFile, AReleaseOfAnotherEnvironmentAndAnotherRootAreRefused) {
  publish("v1");
  export_release("v1");
  fs::create_directories(staging);
  const auto other = import_file(node_options(), file, staging, {.environment = "qa", .allow_expired = false, .reserve_bytes = 0}, {});
  expect_refused(other, Errc::usage, "this node runs qa");
  const auto made = trust::init_repository(folder.path() / "other", folder.path() / "other-keys", std::chrono::system_clock::now());
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_TRUE(files::replace(repo / "metadata/root.json", files::read(folder.path() / "other/metadata/root.json", 1u << 20).value_or("")));
  expect_refused(import_it(), Errc::trust, "timestamp.json");
}

TEST_F(ImportFile, WhatIsTooLargeForTheDiskOrNoFileIsRefusedFirst) {
  publish("v1");
  export_release("v1");
  fs::create_directories(staging);
  const auto full = import_file(node_options(), file, staging, {.environment = "production", .allow_expired = false, .reserve_bytes = std::uint64_t{1} << 60}, {});
  expect_refused(full, Errc::no_space, "must stay free");
  EXPECT_TRUE(fs::is_empty(staging));
  fs::remove(file);
  expect_refused(import_it(), Errc::not_found, "No such file");
  fs::create_directory(file);
  expect_refused(import_it(), Errc::usage, "is no file");
}

}  // namespace
}  // namespace berth::fetch
