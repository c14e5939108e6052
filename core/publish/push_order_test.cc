// What a reader finds while a repository is pushed after keys were replaced: wherever the push breaks off, a refresh succeeds.

#include "core/publish/push_order.h"

#include <algorithm>

#include "core/crypto/keys.h"
#include "core/publish/publish_fixture.h"
#include "core/publish/push.h"
#include "core/trust/client.h"
#include "core/trust/folder_remote.h"
#include "core/trust/repository_files.h"
#include "core/trust/root_change.h"

namespace berth::publish {
namespace {

using testing::ElementsAre;

/// A repository with one release that is served from `www`, and a node that has read it there.
class PushOrder : public PublishTest {
 protected:
  PushOrder() {
    make_repository();
    EXPECT_TRUE(build());
    EXPECT_TRUE(release());
    EXPECT_TRUE(push());
    EXPECT_EQ(refreshed(), "");
  }

  Result<Pushed> push(const std::string& command = {}) { return push_repository(repository(), at("www"), {.command = command}); }

  trust::RepositoryWriter writer() { return trust::RepositoryWriter::open(at("repo"), at("repo-keys"), repository().now).value(); }

  /// As `berth repo rotate` does; the old key stays at hand unless it is lost.
  void rotate(const std::string& role, bool loses_the_old_key = false) {
    const fs::path file = at("repo-keys") / (role + ".pem");
    if (!loses_the_old_key) fs::rename(file, at("repo-keys") / (role + "-old" + std::to_string(++rotations_) + ".pem"));
    fs::remove(file);
    const auto key = crypto::SigningKey::generate();
    ASSERT_TRUE(key.save(file));
    auto writing = writer();
    const auto root = writing.draft_root({.role = role, .keys = {key.public_key()}});
    ASSERT_TRUE(root) << root.error().message;
    const auto done = writing.replace_root(*root);
    ASSERT_TRUE(done) << done.error().message;
  }

  /// What is wrong with what is served, for the node as it was after the last whole push; it learns nothing of it. Empty: nothing.
  std::string refreshed_by_the_old_node() {
    fs::remove_all(at("its-copy"));
    fs::copy(at("node"), at("its-copy"));
    return refreshed("its-copy");
  }
  std::string refreshed(const std::string& node = "node") {
    trust::FolderRemote remote(at("www/metadata"));
    trust::Client client(at(node), remote, repository().now);
    EXPECT_TRUE(client.init(content(at("www/metadata/1.root.json"))));
    const auto done = client.refresh();
    return done ? "" : done.error().message;
  }

  /// What of the metadata a push copies.
  std::vector<std::string> new_files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(at("repo/metadata"))) {
      const fs::path there = at("www/metadata") / entry.path().filename();
      if (!fs::exists(there) || content(there) != content(entry.path())) names.push_back(entry.path().filename());
    }
    return names;
  }

  /// Pushes in every way to break off in the midst, and then whole.
  void expect_whole_throughout(const std::string& what) {
    SCOPED_TRACE(what);
    fs::copy(at("www"), at("before"), fs::copy_options::recursive);
    fs::copy(at("node"), at("node-walks"));
    int broke_off = 0;
    for (const std::string& name : new_files()) {
      fs::create_directories(at("www/metadata/." + name + ".being-pushed"));  // nothing can be written there
      EXPECT_FALSE(push()) << name;
      ++broke_off;
      EXPECT_EQ(refreshed_by_the_old_node(), "") << "broke off before " << name;
      go_back();
    }
    EXPECT_GE(broke_off, 2) << "root and root.json at least";
    for (int calls = 0;; ++calls) {
      // A command that fails after some calls, and copies before it does.
      put("calls", "");
      const std::string command = "sh -c 'cp -a \"$0\" \"$1\" && echo x >>" + at("calls").string() + " && test $(wc -l <" + at("calls").string() + ") -le " + std::to_string(calls) + "'";
      const bool whole = push(command).has_value();
      EXPECT_EQ(refreshed_by_the_old_node(), "") << "broke off after call " << calls + 1;
      EXPECT_EQ(refreshed("node-walks"), "") << "broke off after call " << calls + 1;
      if (whole) break;
      ASSERT_LT(calls, 20);
    }
    EXPECT_EQ(content(at("www/metadata/root.json")), content(at("repo/metadata/root.json")));
    go_back();
    ASSERT_TRUE(push());
    EXPECT_EQ(refreshed(), "");
    fs::remove_all(at("before"));
    fs::remove_all(at("node-walks"));
  }

 private:
  void go_back() {
    fs::remove_all(at("www"));
    fs::copy(at("before"), at("www"), fs::copy_options::recursive);
  }

  int rotations_ = 0;
};

TEST_F(PushOrder, LeavesAWholeRepositoryAtEachStepAfterKeysWereReplaced) {
  for (const char* role : {"timestamp", "snapshot", "targets", "root"}) {
    rotate(role);
    expect_whole_throughout(role);
  }
  rotate("root");
  rotate("snapshot");
  expect_whole_throughout("root and snapshot");
}

TEST_F(PushOrder, HasTheTimestampRightAfterTheFirstRootThatItFits) {
  const auto names = [this] {
    std::vector<std::string> order;
    const auto parts = metadata_in_order(at("repo"));
    EXPECT_TRUE(parts) << parts.error().message;
    for (const auto& part : *parts)
      for (const fs::path& file : part)
        if (file.filename() == "timestamp.json" || file.string().ends_with("root.json")) order.push_back(file.filename());
    return order;
  };
  EXPECT_THAT(names(), ElementsAre("1.root.json", "timestamp.json", "root.json"));
  rotate("timestamp", true);
  EXPECT_THAT(names(), ElementsAre("1.root.json", "2.root.json", "timestamp.json", "root.json"));
  rotate("root");
  EXPECT_THAT(names(), ElementsAre("1.root.json", "2.root.json", "timestamp.json", "3.root.json", "root.json"));
  rotate("snapshot");
  EXPECT_THAT(names(), ElementsAre("1.root.json", "2.root.json", "timestamp.json", "3.root.json", "4.root.json", "root.json"));
  ASSERT_TRUE(push());
  EXPECT_EQ(refreshed(), "");
  ASSERT_TRUE(writer().refresh());
  EXPECT_THAT(names(), ElementsAre("1.root.json", "2.root.json", "3.root.json", "4.root.json", "timestamp.json", "root.json")) << "the old snapshot key signed no more";
}

TEST_F(PushOrder, IsOfAWholeRepositoryAlone) {
  fs::remove(at("repo/metadata/timestamp.json"));
  EXPECT_THAT(metadata_in_order(at("repo")), Refuses(Errc::trust, "timestamp.json is missing"));
}

}  // namespace
}  // namespace berth::publish
