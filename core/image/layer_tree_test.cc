#include "core/image/layer_tree.h"

#include <gmock/gmock.h>

#include "core/bundle/paths.h"

namespace berth::image {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A tree as a list: "d/", "f", "l -> target".
std::vector<std::string> listed(const LayerTree& tree) {
  std::vector<std::string> lines;
  for (const Placed& placed : tree.list()) {
    std::string line = placed.path;
    if (placed.type == EntryType::directory) line += "/";
    if (placed.type == EntryType::symlink) line += " -> " + placed.target;
    lines.push_back(line);
  }
  return lines;
}

/// What a layer does, a word and paths: "f a/b", "d a", "l a target", "h a to", "w a/.wh.b".
void apply(LayerTree& tree, const std::vector<std::string>& layer) {
  tree.begin_layer();
  for (const std::string& line : layer) {
    const auto space = line.find(' ', 2);
    const std::string path = line.substr(2, space == std::string::npos ? space : space - 2);
    const std::string more = space == std::string::npos ? "" : line.substr(space + 1);
    Result<void> done;
    if (line[0] == 'f') done = tree.add_file(path, 1, false);
    if (line[0] == 'd') done = tree.add_directory(path);
    if (line[0] == 'l') done = tree.add_symlink(path, more);
    if (line[0] == 'h') done = tree.add_hardlink(path, more);
    if (line[0] == 'w') {
      const auto is_whiteout = tree.white_out(path);
      ASSERT_TRUE(is_whiteout) << line << ": " << is_whiteout.error().message;
      EXPECT_TRUE(*is_whiteout) << line;
    }
    ASSERT_TRUE(done) << line << ": " << done.error().message;
  }
}

TEST(LayerTree, PutsLayersOnOneAnotherWithWhiteouts) {
  struct Row {
    std::string what;
    std::vector<std::vector<std::string>> layers;
    std::vector<std::string> tree;
  };
  const Row table[] = {
      {"nothing", {{}}, {}},
      {"folders on the way are made", {{"f a/b/c"}}, {"a/", "a/b/", "a/b/c"}},
      {"a later file replaces one", {{"f a"}, {"f a"}}, {"a"}},
      {"a folder keeps what is in it when it comes again", {{"f d/a"}, {"d d", "f d/b"}}, {"d/", "d/a", "d/b"}},
      {"a file replaces a folder", {{"f d/a"}, {"f d"}}, {"d"}},
      {"a folder replaces a file", {{"f d"}, {"d d"}}, {"d/"}},
      {"a folder replaces a symlink", {{"d x", "l d x"}, {"d d"}}, {"d/", "x/"}},
      {"a file replaces a symlink, not what that leads to", {{"f x", "l a x"}, {"f a"}}, {"a", "x"}},
      {"a whiteout takes a file away", {{"f a", "f b"}, {"w .wh.a"}}, {"b"}},
      {"a whiteout takes a folder away with all in it", {{"f d/a", "f d/e/f", "f b"}, {"w .wh.d"}}, {"b"}},
      {"a whiteout of a symlink leaves what that leads to", {{"f x/y", "l d x"}, {"w .wh.d"}}, {"x/", "x/y"}},
      {"a whiteout of what is not there", {{"f a"}, {"w .wh.b", "w no/.wh.x"}}, {"a"}},
      {"what a layer puts there itself stays: before", {{"f d/old"}, {"w .wh.d", "f d/new"}}, {"d/", "d/new"}},
      {"what a layer puts there itself stays: after", {{"f d/old"}, {"f d/new", "w .wh.d"}}, {"d/", "d/new"}},
      {"a file of the same layer stays", {{"f a"}, {"f a", "w .wh.a"}}, {"a"}},
      {"opaque: what was there goes", {{"f d/old", "f d/e/old"}, {"w d/.wh..wh..opq"}}, {"d/"}},
      {"opaque: what comes in the same layer stays, before", {{"f d/old"}, {"f d/new", "w d/.wh..wh..opq"}}, {"d/", "d/new"}},
      {"opaque: what comes in the same layer stays, after", {{"f d/old"}, {"w d/.wh..wh..opq", "f d/new"}}, {"d/", "d/new"}},
      {"opaque deeper down", {{"f d/e/old", "f d/a"}, {"d d", "d d/e", "w d/e/.wh..wh..opq", "f d/e/new"}}, {"d/", "d/a", "d/e/", "d/e/new"}},
      {"opaque at the root", {{"f old"}, {"w .wh..wh..opq", "f new"}}, {"new"}},
      {"and a later layer brings it back", {{"f a"}, {"w .wh.a"}, {"f a"}}, {"a"}},
      {"AUFS's own names", {{"f a"}, {"w .wh..wh.plnk", "w .wh..wh.orph"}}, {"a"}},
      {"paths lead through symlinks", {{"d usr/lib", "l lib usr/lib"}, {"f lib/x"}}, {"lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/x"}},
      {"absolute symlinks lead from the image's root", {{"d usr/lib", "l a/lib /usr/lib"}, {"f a/lib/x"}},
       {"a/", "a/lib -> ../usr/lib", "usr/", "usr/lib/", "usr/lib/x"}},
      {"symlinks never lead out", {{"l out ../../../etc"}, {"f out/passwd"}}, {"etc/", "etc/passwd", "out -> etc"}},
      {"whiteouts follow symlinks as well", {{"f usr/lib/x", "l lib usr/lib"}, {"w lib/.wh.x"}}, {"lib -> usr/lib", "usr/", "usr/lib/"}},
      {"hardlinks", {{"f a", "h d/b a"}, {"w .wh.a"}}, {"d/", "d/b"}},
      {"hardlinks of symlinks", {{"l a x", "h b a"}}, {"a -> x", "b -> x"}},
      {"a hardlink to itself", {{"f a", "h a a"}}, {"a"}},
      {"slashes and dots", {{"f ./a//./b", "f /c"}}, {"a/", "a/b", "c"}},
  };
  for (const Row& row : table) {
    LayerTree tree;
    for (const auto& layer : row.layers) apply(tree, layer);
    EXPECT_EQ(listed(tree), row.tree) << row.what;
  }
}

TEST(LayerTree, RefusesWhatCannotBe) {
  LayerTree tree;
  apply(tree, {"f file", "l loop loop", "l a b", "l b a"});
  const std::tuple<Result<void>, const char*> table[] = {
      {tree.add_file("../x", 1, false), "'../x' leads out of the image"},
      {tree.add_file("a/../../x", 1, false), "leads out of the image"},
      {tree.add_file("file/x", 1, false), "'file' is a file, and something comes below it"},
      {tree.add_file("loop/x", 1, false), "one symlink too many"},
      {tree.add_file("a/x", 1, false), "one symlink too many"},
      {tree.add_file("/", 1, false), "is the image's root"},
      {tree.add_symlink("x", ""), "'x' is a link to nothing"},
      {tree.add_hardlink("x", "missing"), "'x' is a link to 'missing', which is no file that came before it"},
      {tree.add_hardlink("x", "../file"), "leads out of the image"},
      {tree.add_file(std::string(5000, 'x'), 1, false), "is longer than 4095 bytes"},
      {tree.add_file(std::string(1030, 'x') + "/y", 1, false), "deeper than 1024 bytes"},
  };
  for (const auto& [done, words] : table) {
    ASSERT_FALSE(done) << words;
    EXPECT_EQ(done.error().code, Errc::usage);
    EXPECT_THAT(done.error().message, HasSubstr(words));
  }
  for (const char* path : {".wh.", ".wh..", ".wh..."}) EXPECT_FALSE(tree.white_out(path)) << path;
}

TEST(LayerTree, FoldersOnTheWayCountAsWell) {
  LayerTree tree(10);
  apply(tree, {"f a/b/c/d/e", "f a/b/c/d/f"});
  EXPECT_EQ(tree.count(), 6u);
  const auto refused = tree.add_file("1/2/3/4/5/6", 1, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::usage);
  EXPECT_THAT(refused.error().message, HasSubstr("more than 10 files and folders"));
}

TEST(LayerTree, SymlinksAreBounded) {
  LayerTree tree;
  tree.begin_layer();
  EXPECT_TRUE(tree.add_symlink("longest", std::string(4095, 'x')));
  const auto longer = tree.add_symlink("longer", std::string(4096, 'x'));
  ASSERT_FALSE(longer);
  EXPECT_THAT(longer.error().message, HasSubstr("'longer' is a symlink whose target is longer than 4095 bytes"));

  // Each goes down and up a thousand times before it leads on to the next.
  std::string winding;
  for (int i = 0; i < 800; ++i) winding += "d/../";
  ASSERT_TRUE(tree.add_directory("d"));
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(tree.add_symlink("l" + std::to_string(i), winding + "l" + std::to_string(i + 1)));
  const auto too_far = tree.add_file("l0/x", 1, false);
  ASSERT_FALSE(too_far);
  EXPECT_THAT(too_far.error().message, HasSubstr("symlinks that lead too far"));
  ASSERT_TRUE(tree.add_symlink("over", "l0/../x"));
  for (const Placed& placed : tree.list())
    if (placed.path == "over") {
      EXPECT_EQ(placed.target, "x") << "as of a circle";
    }

  const std::string target(4000, 'x');
  Result<void> done;
  for (int i = 0; i < 20'000 && done; ++i) done = tree.add_symlink("same", target);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("one symlink too many"));
}

TEST(LayerTree, DepthIsBoundedThroughSymlinksToo) {
  LayerTree tree;
  tree.begin_layer();
  std::string deep = "d";
  for (int i = 0; i < 400; ++i) deep += "/d";
  ASSERT_TRUE(tree.add_directory(deep));
  ASSERT_TRUE(tree.add_symlink("l", deep));
  const auto deeper = tree.add_directory("l/" + deep);
  ASSERT_FALSE(deeper);
  EXPECT_THAT(deeper.error().message, HasSubstr("deeper than 1024 bytes"));
}

TEST(LayerTree, LinksBecomeSuchThatALayerOfABundleCanHaveThem) {
  const std::tuple<const char*, const char*, const char*> table[] = {
      // where it is, what it says, what it becomes
      {"a", "b", "b"},
      {"a", "/usr/bin/x", "usr/bin/x"},
      {"etc/alternatives/awk", "/usr/bin/mawk", "../../usr/bin/mawk"},
      {"a/b", "../c", "../c"},
      {"a/b", "../../../c", "../c"},
      {"a", "..", "."},
      {"a", "/", "."},
      {"d/a", "/", ".."},
      {"a", "b/", "b"},
      {"a", "./b//c/.", "b/c"},
      {"a/b", "c/../d", "../a/d"},
      {"x/y", "../real/../other", "../other"},
      {"x/z", "../link/../other", "../real/other"},  // `link` leads to real/deep, so `..` is real
      {"loops", "circle/../x", "x"},
      {"mtab", "/proc/self/mounts", "proc/self/mounts"},
  };
  for (const auto& [path, target, wanted] : table) {
    LayerTree tree;
    tree.begin_layer();
    ASSERT_TRUE(tree.add_directory("real/deep"));
    ASSERT_TRUE(tree.add_symlink("link", "/real/deep"));
    ASSERT_TRUE(tree.add_symlink("circle", "circle"));
    ASSERT_TRUE(tree.add_symlink(path, target));
    for (const Placed& placed : tree.list()) {
      if (placed.path == path) {
        EXPECT_EQ(placed.target, wanted) << path << " -> " << target;
      }
      if (placed.type == EntryType::symlink) {
        EXPECT_EQ(bundle::wrong_target(placed.path, placed.target), "") << placed.target;
      }
    }
  }
}

TEST(LayerTree, MountPointsReplaceWhateverWasThere) {
  LayerTree tree;
  apply(tree, {"l tmp var/tmp", "f dev/null", "f berth/own", "f run", "f proc/x/y"});
  for (const char* path : {"tmp", "dev", "run", "proc", "berth/data"}) tree.make_mount_point(path);
  EXPECT_THAT(listed(tree), ElementsAre("berth/", "berth/data/", "berth/own", "dev/", "proc/", "run/", "tmp/"));
}

TEST(LayerTree, ComesSortedByBytesWithFoldersFirst) {
  LayerTree tree;
  apply(tree, {"f a/x", "f a-b", "f a.c", "f B"});
  EXPECT_THAT(listed(tree), ElementsAre("B", "a/", "a-b", "a.c", "a/x"));
}

}  // namespace
}  // namespace berth::image
