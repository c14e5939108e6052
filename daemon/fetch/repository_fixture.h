#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/bundle/layer.h"
#include "core/bundle/manifest.h"
#include "core/bundle/tree.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/trust/repository.h"
#include "daemon/fetch/fetch.h"

namespace berth::fetch {

/// A real repository in a folder, a publisher for it, and a node's view of it.
class RepositoryFixture : public testing::Test {
 protected:
  RepositoryFixture() {
    const auto made = trust::init_repository(repo, keys, std::chrono::system_clock::now());
    EXPECT_TRUE(made) << made.error().message;
  }

  /// Makes a layer of what lies below `source`, with its index, in the repository.
  bundle::LayerRef publish_layer(const fs::path& source) {
    const auto tree = bundle::list_tree(source);
    EXPECT_TRUE(tree) << tree.error().message;
    auto written = bundle::write_layer(source, tree->entries, folder.path() / "new.tar.zst", 3);
    EXPECT_TRUE(written) << written.error().message;
    const std::string text = bundle::to_canonical_json(written->index);
    written->ref.index = {.sha256 = crypto::sha256_hex(text), .size = text.size()};
    fs::create_directories(repo / "blobs/sha256");
    fs::rename(folder.path() / "new.tar.zst", blob(written->ref.blob));
    EXPECT_TRUE(files::replace(blob(written->ref.index), text));
    return written->ref;
  }

  bundle::Manifest manifest(const std::string& release, const bundle::LayerRef& build, const bundle::LayerRef& settings) const {
    bundle::Manifest made;
    made.app = "web";
    made.environment = "production";
    made.release = release;
    made.builds["any"] = {.digest = crypto::sha256_hex(build.tar_sha256), .version = "", .layer = build};
    made.config = settings;
    made.spec.app = "web";
    made.spec.processes["web"].command = {"bin/run"};
    made.requires_berthd = "0.1.0";
    made.created = "2030-01-01T00:00:00Z";
    return made;
  }

  /// Signs a manifest under the name of a release.
  void sign(const std::string& target, const std::string& text) {
    auto writer = trust::RepositoryWriter::open(repo, keys, [] { return std::chrono::system_clock::now(); });
    ASSERT_TRUE(writer) << writer.error().message;
    const auto added = writer->add_targets({{target, text}});
    ASSERT_TRUE(added) << added.error().message;
  }

  /// Publishes what `app` and `config` hold as a release of web.
  bundle::Manifest publish(const std::string& release) {
    auto made = manifest(release, publish_layer(app), publish_layer(config));
    sign(bundle::target_name("web", "production", release), bundle::to_canonical_json(made));
    return made;
  }

  void put(const fs::path& path, const std::string& content, mode_t mode = 0644) {
    fs::create_directories(path.parent_path());
    ASSERT_TRUE(files::replace(path, content, mode));
  }

  fs::path blob(const bundle::BlobRef& ref) const { return repo / bundle::blob_path(ref.sha256); }

  RepositoryOptions node_options() const {
    return {.url = "file://" + repo.string(), .root = repo / "metadata/root.json", .trust_directory = folder.path() / "node/tuf", .tls = {}};
  }

  files::TemporaryDirectory folder;
  fs::path repo = folder.path() / "repo", keys = folder.path() / "keys";
  fs::path app = make(folder.path() / "app"), config = make(folder.path() / "config");

 private:
  static fs::path make(const fs::path& path) {
    fs::create_directories(path);
    return path;
  }
};

}  // namespace berth::fetch
