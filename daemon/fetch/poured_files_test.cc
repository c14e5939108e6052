#include "daemon/fetch/poured_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/bundle/hand_made_tar.h"
#include "core/files/files.h"
#include "daemon/fetch/made_tree.h"

namespace berth::fetch {
namespace {

using bundle::Entry;
using bundle::file_entry;
using bundle::folder_entry;
using bundle::HandMadeTar;
using bundle::link_entry;
using testing::AllOf;
using testing::HasSubstr;

class Poured : public testing::Test {
 protected:
  /// All of `bytes`, in pieces of `size`, into a new folder.
  Result<void> pour(const std::string& bytes, std::size_t size = 1000, EntryRun run = {0, 5}) {
    BERTH_CHECK(files::remove_tree(tree));
    BERTH_TRY(folder_, make_target(tree));
    BERTH_CHECK(make_without_files(folder_.get(), entries));
    made.assign(entries.size(), {});
    PouredFiles files(folder_.get(), entries, run, plan, made);
    for (std::size_t at = 0; at < bytes.size(); at += size) BERTH_CHECK(files.take(std::string_view(bytes).substr(at, size)));
    return files.finish();
  }
  Result<void> compare() {
    EXPECT_EQ(::chmod((tree / "bin").c_str(), 0755), 0);  // an earlier comparing has sealed it
    return compare_tree(folder_.get(), entries, {.plan = plan, .made = made}, 0, {});
  }

  void expect_refused(const std::string& bytes, const std::string& path) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{100'000}}) {
      const auto done = pour(bytes, size);
      ASSERT_FALSE(done) << path;
      EXPECT_EQ(done.error().code, Errc::trust);
      EXPECT_THAT(done.error().message, HasSubstr(path));
    }
  }

  files::TemporaryDirectory folder;
  const std::filesystem::path tree = folder.path() / "tree";
  const std::string large = std::string(2000, 'x');
  const std::vector<Entry> entries{folder_entry("bin"), file_entry("bin/run", large, 0755), file_entry("empty", ""), link_entry("latest", "bin/run"),
                                   file_entry("note", "hello\n")};
  const HandMadeTar tar =
      HandMadeTar().add(entries[0]).add(entries[1], large).add(entries[2]).add(entries[3]).add(entries[4], "hello\n");
  LinkPlan plan;
  MadeFiles made;

 private:
  Fd folder_;
};

TEST_F(Poured, AreWhatTheIndexSaysInWhateverPiecesTheTarComes) {
  if (::getuid() != 0) GTEST_SKIP() << "what is made is root's";
  const mode_t before = ::umask(077);
  for (const std::size_t size : {std::size_t{1}, std::size_t{511}, std::size_t{512}, std::size_t{100'000}}) {
    const auto done = pour(tar.end(), size);
    ASSERT_TRUE(done) << size << ": " << done.error().message;
    const auto same = compare();
    EXPECT_TRUE(same) << size << ": " << same.error().message;
    EXPECT_EQ(files::read(tree / "bin/run", 10'000).value_or(""), large);
    EXPECT_EQ(files::read(tree / "note", 100).value_or(""), "hello\n");
    EXPECT_EQ(std::filesystem::file_size(tree / "empty"), 0U);
  }
  ::umask(before);
}

TEST_F(Poured, OfTwoSharesMakeOneTree) {
  const std::string first = HandMadeTar().add(entries[0]).add(entries[1], large).text();
  ASSERT_TRUE(pour(first, 1000, {0, 2}));
  EXPECT_TRUE(std::filesystem::exists(tree / "bin/run"));
  EXPECT_FALSE(std::filesystem::exists(tree / "note"));
  ASSERT_TRUE(pour(tar.end().substr(first.size()), 1000, {2, 5}));
  EXPECT_FALSE(std::filesystem::exists(tree / "bin/run"));
  EXPECT_TRUE(std::filesystem::exists(tree / "note"));
  EXPECT_FALSE(pour(tar.end(), 1000, {0, 2})) << "a share ends where its entries do";
  EXPECT_FALSE(pour(first.substr(0, first.size() - 1), 1000, {0, 2}));
}

TEST_F(Poured, TakeOnlyTheHeadersOfWhatIsLinked) {
  plan.add({.path = "bin/run", .from = folder.path()});
  const auto done = pour(HandMadeTar().add(entries[0]).add(entries[1]).add(entries[2]).add(entries[3]).add(entries[4], "hello\n").end());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_FALSE(std::filesystem::exists(tree / "bin/run"));
  expect_refused(tar.end(), "empty");
}

TEST_F(Poured, AreRefusedWhereAnyByteOfTheTarIsAnotherOne) {
  const std::string whole = tar.end();
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string other = whole;
    other[at] ^= 1;
    const auto done = pour(other);
    ASSERT_FALSE(done) << at;
    EXPECT_EQ(done.error().code, Errc::trust);
  }
}

TEST_F(Poured, NameTheEntryThatIsOtherwise) {
  const auto with = [this](std::size_t number, const Entry& other, const std::string& content) {
    HandMadeTar made_by_hand;
    const std::string contents[] = {"", large, "", "", "hello\n"};
    for (std::size_t i = 0; i < entries.size(); ++i) made_by_hand.add(i == number ? other : entries[i], i == number ? content : contents[i]);
    return made_by_hand.end();
  };
  expect_refused(with(0, folder_entry("bim"), ""), "bin: ");
  expect_refused(with(1, file_entry("bin/run", large, 0644), large), "bin/run: ");
  expect_refused(with(1, file_entry("bin/../../run", large, 0755), large), "bin/run: ");
  expect_refused(with(1, entries[1], std::string(2000, 'y')), "bin/run: has another content");
  expect_refused(with(3, link_entry("latest", "/etc/passwd"), ""), "latest: ");
  expect_refused(with(4, link_entry("note", "bin/run"), ""), "note: ");
  expect_refused(with(4, file_entry("note", "hello\n\n"), "hello\n\n"), "note: ");
}

TEST_F(Poured, AreRefusedWhereTheTarIsCutShortOrGoesOn) {
  const std::string whole = tar.end();
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{512}, std::size_t{1600}, whole.size() - 1100, whole.size() - 1024, whole.size() - 1})
    expect_refused(whole.substr(0, size), "cut short");
  expect_refused(whole + '\0', "goes on");
  expect_refused(HandMadeTar(tar).add(file_entry("zzz", "")).end(), "does not end");
}

TEST_F(Poured, AreNeverMadeOverWhatIsThere) {
  ASSERT_TRUE(pour(tar.end()));
  const Fd opened(::open(tree.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  PouredFiles again(opened.get(), entries, {0, 5}, plan, made);
  EXPECT_FALSE(again.take(tar.end()));
}

/// What is compared at the end, in the place of the content of what was hashed on its way.
class PouredTree : public Poured {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "what is made is root's";
    ASSERT_TRUE(pour(tar.end()));
  }
  void expect_different(const std::string& why) {
    const auto same = compare();
    ASSERT_FALSE(same);
    EXPECT_EQ(same.error().code, Errc::trust);
    EXPECT_THAT(same.error().message, AllOf(HasSubstr("note"), HasSubstr(why)));
  }
  const std::filesystem::path note = tree / "note";
};

TEST_F(PouredTree, IsReadAgainWhereAnotherFileLiesThereNow) {
  ASSERT_TRUE(files::replace(note, "hello\n", 0444));
  EXPECT_TRUE(compare());
  ASSERT_TRUE(files::replace(note, "hallo\n", 0444));
  expect_different("another content");
}

TEST_F(PouredTree, IsReadAgainWhereAFileWasWrittenTo) {
  ASSERT_EQ(::chmod(note.c_str(), 0644), 0);
  ASSERT_TRUE(files::write_all(Fd(::open(note.c_str(), O_WRONLY | O_CLOEXEC)).get(), "hallo\n", "note"));
  ASSERT_EQ(::chmod(note.c_str(), 0444), 0);
  expect_different("another content");
}

TEST_F(PouredTree, HasNoFileOfAnotherUserModeOrSizeNorOneTwice) {
  ASSERT_EQ(::chown(note.c_str(), 65534, 65534), 0);
  expect_different("was not to be unpacked");
  ASSERT_EQ(::chown(note.c_str(), 0, 0), 0);
  ASSERT_EQ(::chmod(note.c_str(), 0644), 0);
  expect_different("mode 0644, not 0444");
  ASSERT_TRUE(files::replace(note, "hello", 0444));
  expect_different("5 bytes, not 6");
  ASSERT_TRUE(pour(tar.end()));
  std::filesystem::create_hard_link(note, folder.path() / "again");
  expect_different("2 links");
}

TEST_F(PouredTree, HasNothingMoreOrLess) {
  std::filesystem::create_hard_link(note, tree / "note2");
  expect_different("not in the signed index");
  std::filesystem::remove(tree / "note2");
  std::filesystem::remove(note);
  expect_different("is missing");
}

}  // namespace
}  // namespace berth::fetch
