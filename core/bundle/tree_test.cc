#include "core/bundle/tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "core/bundle/bundle_fixture.h"
#include "core/crypto/sha256.h"

namespace berth::bundle {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// cap_net_raw+ep, as the kernel has it (linux/capability.h, vfs_cap_data).
constexpr unsigned char kNetRaw[] = {1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

class ListTree : public FolderTest {
 protected:
  std::vector<std::string> paths(const ListOptions& options = {}) const {
    std::vector<std::string> found;
    for (const Entry& entry : must(list_tree(root, options)).entries) found.push_back(entry.path);
    return found;
  }
  Error error(const ListOptions& options = {}) const {
    const auto tree = list_tree(root, options);
    EXPECT_FALSE(tree);
    return tree ? Error() : tree.error();
  }
};

TEST_F(ListTree, ListsByTheBytesOfPathsWithHashes) {
  put_all_kinds();
  EXPECT_THAT(paths(),
              ElementsAre("bin", "bin-extra", "bin/alias", "bin/server", "block", std::string(60, 'd'),
                          std::string(60, 'd') + "/" + std::string(60, 'f'), "empty", "lib", "lib/far", "nothing in here", "ümläut"));
  const auto found = entries();
  EXPECT_EQ(found[0], (Entry{.path = "bin", .type = EntryType::directory, .mode = 0755}));
  EXPECT_EQ(found[2], (Entry{.path = "bin/alias", .type = EntryType::symlink, .mode = 0777, .target = "server"}));
  EXPECT_EQ(found[3],
            (Entry{.path = "bin/server", .type = EntryType::file, .mode = 0755, .size = 10, .sha256 = crypto::sha256_hex("#!/bin/sh\n")}));
  EXPECT_EQ(total_size(found), 10u + 35 + 512 + 33 + 5);
}

TEST_F(ListTree, MakesModesCanonical) {
  put("a", "", 0600);
  put("b", "", 0700);
  put("c", "", 0444);
  put("d", "", 0555);
  put("e", "", 0666);
  fs::create_directory(root / "f");
  fs::permissions(root / "f", fs::perms(0700));
  std::vector<std::uint32_t> modes;
  for (const Entry& entry : entries()) modes.push_back(entry.mode);
  EXPECT_THAT(modes, ElementsAre(0644, 0755, 0644, 0755, 0644, 0755));
}

TEST_F(ListTree, LeavesSetuidOutAndSaysSo) {
  put("ping", "", 04755);
  const Tree tree = must(list_tree(root));
  EXPECT_EQ(tree.entries[0].mode, 0755u);
  EXPECT_THAT(tree.notes, ElementsAre("ping: its setuid, setgid or sticky bit is left out"));
  const Error strict = error({.strict = true});
  EXPECT_EQ(strict.code, Errc::trust);
  EXPECT_THAT(strict.message, HasSubstr("ping: has a setuid"));
}

TEST_F(ListTree, LeavesDevicesPipesAndSocketsOutAndSaysSo) {
  put("app", "");
  ASSERT_EQ(::mkfifo((root / "pipe").c_str(), 0644), 0);
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = root / "dev.sock";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const Tree tree = must(list_tree(root));
  EXPECT_THAT(paths(), ElementsAre("app"));
  EXPECT_THAT(tree.notes, ElementsAre(testing::AllOf(HasSubstr("2 files are devices, pipes or sockets, and are left out"), HasSubstr("pipe"), HasSubstr("dev.sock"))));
  EXPECT_EQ(error({.strict = true}).code, Errc::trust);
  fs::remove(root / "pipe");
  EXPECT_THAT(error({.strict = true}).message, HasSubstr("dev.sock: is a socket"));
  EXPECT_THAT(must(list_tree(root, {.leave_out = [](std::string_view name) { return name == "dev.sock"; }})).notes, IsEmpty());
}

TEST_F(ListTree, LeavesFileCapabilitiesOutAndSaysSo) {
  put("ping", "", 0755);
  put("true", "", 0755);
  if (::setxattr((root / "ping").c_str(), "security.capability", kNetRaw, sizeof kNetRaw, 0) != 0) GTEST_SKIP() << "only root on a file system that has them";
  EXPECT_THAT(must(list_tree(root)).notes, ElementsAre("ping had file capabilities, which no build keeps"));
  EXPECT_THAT(must(list_tree(root, {.leave_out = {}, .hashes = false})).notes, ElementsAre(HasSubstr("ping had")));
}

TEST_F(ListTree, TakesHardLinksAsFilesUnlessStrict) {
  put("a", "x");
  fs::create_hard_link(root / "a", root / "b");
  EXPECT_THAT(paths(), ElementsAre("a", "b"));
  EXPECT_THAT(error({.strict = true}).message, HasSubstr("has other links to it"));
}

TEST_F(ListTree, RefusesWhatALayerCannotHave) {
  const struct {
    const char* what;
    std::function<void()> make;
    const char* why;
  } kCases[] = {{"absolute link", [this] { link("x", "/etc/passwd"); }, "x: is a link to '/etc/passwd': its target is absolute"},
                {"link out", [this] { link("d/x", "../../y"); }, "d/x: is a link to '../../y': its target leads out of the tree"},
                {"control character", [this] { put("x\ny", ""); }, "x?y: its path has control characters"},
                {"not UTF-8", [this] { put("x\xff", ""); }, "its path is not UTF-8"}};
  for (const auto& [what, make, why] : kCases) {
    make();
    const Error refused = error();
    EXPECT_EQ(refused.code, Errc::usage) << what;
    EXPECT_THAT(refused.message, HasSubstr(why)) << what;
    fs::remove_all(root);
    fs::create_directory(root);
  }
  fs::remove(root);
  EXPECT_EQ(error().code, Errc::not_found);
}

TEST_F(ListTree, DoesNotFollowLinks) {
  put("d/file", "");
  link("again", "d");
  link("loop", "loop");
  EXPECT_THAT(paths(), ElementsAre("again", "d", "d/file", "loop"));
}

TEST_F(ListTree, PassesOverWhatIsToBeLeftOut) {
  put(".git/config", "");
  put("kept/.git", "");
  EXPECT_THAT(paths({.leave_out = [](std::string_view path) { return path == ".git"; }}), ElementsAre("kept", "kept/.git"));
}

TEST_F(ListTree, CanBeCancelled) {
  put("a", "");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(error({.stop = stop.get_token()}).code, Errc::cancelled);
}

TEST_F(ListTree, ListsNothingInAnEmptyFolder) { EXPECT_THAT(paths({.strict = true}), IsEmpty()); }

TEST(CheckSame, NamesTheFirstDifference) {
  const std::vector<Entry> expected{{.path = "a", .size = 1, .sha256 = "1"},
                                    {.path = "b", .type = EntryType::symlink, .mode = 0777, .target = "a"}};
  EXPECT_TRUE(check_same(expected, expected));
  EXPECT_TRUE(check_same({}, {}));
  const auto changed = [&expected](const std::function<void(std::vector<Entry>&)>& change) {
    auto found = expected;
    change(found);
    const auto same = check_same(found, expected);
    EXPECT_FALSE(same);
    return same ? std::string() : same.error().message;
  };
  EXPECT_EQ(changed([](auto& found) { found.pop_back(); }), "'b' is missing");
  EXPECT_EQ(changed([](auto& found) { found.erase(found.begin()); }), "'a' is missing");
  EXPECT_EQ(changed([](auto& found) { found.push_back({.path = "c"}); }), "'c' is there, and not in the index");
  EXPECT_EQ(changed([](auto& found) { found.insert(found.begin() + 1, {.path = "aa"}); }), "'aa' is there, and not in the index");
  EXPECT_EQ(changed([](auto& found) { found[0].mode = 0755; }), "'a' has mode 0755, not 0644");
  EXPECT_EQ(changed([](auto& found) { found[0].size = 2; }), "'a' has 2 bytes, not 1");
  EXPECT_EQ(changed([](auto& found) { found[0].sha256 = "2"; }), "'a' has another content");
  EXPECT_EQ(changed([](auto& found) { found[1].target = "x"; }), "'b' points to 'x', not to 'a'");
  EXPECT_EQ(changed([](auto& found) { found[0].type = EntryType::directory; }), "'a' is of another type");
}

}  // namespace
}  // namespace berth::bundle
