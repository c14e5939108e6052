#include "core/release_file/release_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/bundle/layer.h"
#include "core/bundle/tar_header.h"
#include "core/bundle/tree.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/release_file/layout.h"
#include "core/release_file/others.h"
#include "core/trust/folder_remote.h"
#include "core/trust/repository.h"

namespace berth::release_file {
namespace {

using testing::HasSubstr;
using Clock = std::chrono::system_clock;

template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message;
    std::abort();
  }
  return std::move(*result);
}

/// A tar made entry by entry, so that it can break any rule.
class Tar {
 public:
  Tar& folder(const std::string& path) {
    text_ += bundle::tar_header({.path = path, .type = bundle::EntryType::directory, .mode = 0755});
    return *this;
  }
  Tar& link(const std::string& path, const std::string& target) {
    text_ += bundle::tar_header({.path = path, .type = bundle::EntryType::symlink, .mode = 0777, .target = target});
    return *this;
  }
  Tar& file(const std::string& path, const std::string& content) { return lying(path, content, content.size()); }
  /// A file whose header says another size.
  Tar& lying(const std::string& path, const std::string& content, std::uint64_t size) {
    text_ += bundle::tar_header({.path = path, .mode = 0644, .size = size}) + content + std::string(bundle::tar_padding(content.size()), '\0');
    return *this;
  }
  std::string end() const { return text_ + std::string(bundle::kTarEnd, '\0'); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class ReleaseFile : public testing::Test {
 protected:
  ReleaseFile() {
    fs::create_directories(into);
    const auto made = trust::init_repository(repo, folder.path() / "keys", Clock::now());
    EXPECT_TRUE(made) << made.error().message;
  }

  /// Publishes web/production@v1, of a file and a configuration.
  bundle::Manifest publish() {
    bundle::Manifest manifest;
    manifest.app = "web";
    manifest.environment = "production";
    manifest.release = "v1";
    const auto app = layer("app", {{"bin/run", std::string(3'000'000, 'r')}}), config = layer("config", {{"settings", "a=1\n"}});
    manifest.builds["any"] = {.digest = app.tar_sha256, .version = "", .layer = app};
    manifest.config = config;
    manifest.spec.app = "web";
    manifest.spec.processes["web"].command = {"bin/run"};
    manifest.requires_berthd = "0.1.0";
    manifest.created = "2030-01-01T00:00:00Z";
    auto writer = trust::RepositoryWriter::open(repo, folder.path() / "keys", [] { return Clock::now(); });
    EXPECT_TRUE(writer && writer->add_targets({{"web/production/v1.json", bundle::to_canonical_json(manifest)}}));
    return manifest;
  }

  bundle::LayerRef layer(const std::string& part, const std::map<std::string, std::string>& content) {
    for (const auto& [path, text] : content) {
      fs::create_directories((folder.path() / part / path).parent_path());
      EXPECT_TRUE(files::replace(folder.path() / part / path, text));
    }
    const auto tree = must(bundle::list_tree(folder.path() / part));
    auto written = must(bundle::write_layer(folder.path() / part, tree.entries, folder.path() / "new", 1));
    const std::string index = bundle::to_canonical_json(written.index);
    written.ref.index = {.sha256 = crypto::sha256_hex(index), .size = index.size()};
    fs::create_directories(repo / "blobs/sha256");
    fs::rename(folder.path() / "new", repo / bundle::blob_path(written.ref.blob.sha256));
    EXPECT_TRUE(files::replace(repo / bundle::blob_path(written.ref.index.sha256), index));
    return written.ref;
  }

  Result<Exported> export_it(const std::string& release = "v1") { return export_from(repo, {"web", "production", release}); }

  Result<Exported> export_from(const fs::path& repository, const ReleaseRef& release) {
    trust::FolderRemote metadata(repository / "metadata"), targets(repository / "targets");
    const ReadBlob blob = [repository](const std::string& path, std::uint64_t from, std::uint64_t most, const auto& sink) -> Result<void> {
      BERTH_TRY(const std::string bytes, files::read(repository / path, 64u << 20));
      return sink(std::string_view(bytes).substr(from, most));
    };
    const std::string root = files::read(repo / "metadata/root.json", 1u << 20).value_or("");
    return export_release({.metadata = metadata, .targets = targets, .blob = blob, .root = root, .now = Clock::now()}, release, file);
  }

  Result<Unpacked> unpack_text(const std::string& text) {
    EXPECT_TRUE(files::replace(file, text));
    const Fd opened = must(files::open(file, O_RDONLY));
    return unpack(opened.get(), "web.berth", into, {});
  }

  void expect_refused(const std::string& text, const std::string& why) {
    fs::remove_all(into);
    fs::create_directories(into);
    const auto refused = unpack_text(text);
    ASSERT_FALSE(refused) << why;
    EXPECT_EQ(refused.error().code, Errc::trust) << refused.error().message;
    EXPECT_THAT(refused.error().message, HasSubstr(why));
  }

  files::TemporaryDirectory folder;
  fs::path repo = folder.path() / "repo", file = folder.path() / "web.berth", into = folder.path() / "into";
  const std::string name = to_text({"web", "production", "v1"});
};

TEST_F(ReleaseFile, WhatIsUnpackedIsARepositoryThatProvesTheRelease) {
  const auto manifest = publish();
  const Exported exported = must(export_it());
  EXPECT_EQ(exported.manifest, manifest);
  EXPECT_EQ(exported.bytes, fs::file_size(file));
  const Fd opened = must(files::open(file, O_RDONLY));
  const Unpacked unpacked = must(unpack(opened.get(), "web.berth", into, {}));
  EXPECT_EQ(unpacked.release, (ReleaseRef{"web", "production", "v1"}));
  EXPECT_EQ(unpacked.blobs.size(), 4u);
  fs::remove(file);
  EXPECT_EQ(must(export_from(into, unpacked.release)).manifest, manifest) << "exported again, from what was unpacked";
}

TEST_F(ReleaseFile, AFileThatIsThereIsNotReplacedAndAFailureLeavesNone) {
  const auto manifest = publish();
  EXPECT_TRUE(files::replace(file, "mine"));
  EXPECT_EQ(export_it().error().code, Errc::exists);
  EXPECT_EQ(files::read(file, 10).value_or(""), "mine");
  fs::remove(file);
  EXPECT_EQ(export_it("v2").error().code, Errc::not_found);
  const fs::path blob = repo / bundle::blob_path(manifest.config.blob.sha256);
  std::string bytes = must(files::read(blob, 1u << 20));
  bytes.back() ^= 1;
  EXPECT_TRUE(files::replace(blob, bytes));
  const auto damaged = export_it();
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, Errc::trust) << damaged.error().message;
  EXPECT_FALSE(fs::exists(file));
  EXPECT_FALSE(fs::exists(file.string() + ".part"));
}

TEST_F(ReleaseFile, OnlyWhatAReleaseFileHasIsUnpacked) {
  const std::string hash = crypto::sha256_hex("x");
  expect_refused(Tar().file("release.json", name).end(), "no manifest");
  expect_refused(Tar().folder("blobs").folder("blobs/sha256").file("blobs/sha256/" + hash, "y").end(), "not what its name says");
  expect_refused(Tar().folder("blobs").folder("blobs/sha256").file("blobs/sha256/more", "y").end(), "no such file");
  expect_refused(Tar().folder("etc").end(), "no such folder");
  expect_refused(Tar().file("../x", "y").end(), "..");
  expect_refused(Tar().file("/etc/x", "y").end(), "/etc/x");
  expect_refused(Tar().folder("metadata").link("metadata/1.root.json", "../release.json").end(), "is a link");
  expect_refused(Tar().folder("metadata").file("metadata/.x.json", "{}").end(), "no such file");
  expect_refused(Tar().folder("metadata").lying("metadata/1.root.json", "{}", 9u << 20).end(), "allowed at most");
  expect_refused(Tar().file("release.json", std::string(5000, ' ')).end(), "allowed at most");
  expect_refused(Tar().file("release.json", R"({"app": "web", "environment": "production", "format": 2, "release": "v1"})").folder("targets").folder("targets/web")
                     .folder("targets/web/production").file("targets/web/production/a.json", "{}").end(), "release.json");
  expect_refused(Tar().folder("targets").folder("targets/web").folder("targets/web/production").file("targets/web/production/a.json", "{}")
                     .file("targets/web/production/b.json", "{}").end(), "second manifest");
  expect_refused("hello, this is no tar", "is no release file, as 'berth export' makes them");
  expect_refused(R"({"signed": {"_type": "root"}})" + std::string(2000, ' '), "is no release file, as 'berth export' makes them");
  expect_refused("", "is no release file, as 'berth export' makes them");
}

TEST_F(ReleaseFile, ATruncatedOrDamagedFileIsRefused) {
  const auto manifest = publish();
  must(export_it());
  const std::string whole = must(files::read(file, 64u << 20));
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{512}, whole.size() / 2, whole.size() - 512, whole.size() - 1})
    expect_refused(whole.substr(0, size), "");
  expect_refused(whole + std::string(512, '\0'), "");
  for (std::size_t at = 0; at < whole.size(); at += 257) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    fs::remove_all(into);
    fs::create_directories(into);
    const auto unpacked = unpack_text(damaged);
    if (!unpacked) {
      EXPECT_EQ(unpacked.error().code, Errc::trust) << at << ": " << unpacked.error().message;
      continue;
    }
    // What is signed is not looked at here: a client of what was unpacked finds the damage, or the damage is in what proves nothing.
    fs::remove(file);
    const auto again = export_from(into, unpacked->release);
    if (again) {
      EXPECT_EQ(again->manifest, manifest) << at;
    }
  }
}

TEST_F(ReleaseFile, OneThatIsNotThereIsToldWithTheNewestThatAre) {
  publish();
  const auto refused = export_from(repo, {"web", "production", "v9"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::not_found);
  EXPECT_EQ(refused.error().message, "web/production@v9 is not in the repository; the newest there: v1");
  const ReleaseRef wanted{"web", "qa", "v99"};
  EXPECT_EQ(text_of_others({"v2", "v10", "v9", "v1", "v11", "v3"}, wanted), "the newest there: v11, v10, v9, v3, v2");
  EXPECT_EQ(text_of_others({"2026-11-28", "2026-11-29"}, wanted), "there: 2026-11-29, 2026-11-28");
  EXPECT_EQ(text_of_others({"a", "b", "c", "d", "e", "v1"}, wanted), "there, among others: v1, e, d, c, b");
  EXPECT_EQ(text_of_others({}, wanted), "there is no release of web/qa");
}

TEST_F(ReleaseFile, TheNameIsReadStrictly) {
  EXPECT_EQ(must(parse_name(name)), (ReleaseRef{"web", "production", "v1"}));
  for (const char* wrong : {"", "[]", R"({"app":"web","environment":"production","format":1,"release":"../v1"})",
                            R"({"app":"web","environment":"production","format":1,"release":"v1","more":1})"})
    EXPECT_FALSE(parse_name(wrong)) << wrong;
}

}  // namespace
}  // namespace berth::release_file
