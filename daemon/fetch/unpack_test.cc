#include <csignal>
#include <filesystem>
#include <thread>

#include <sys/stat.h>
#include <sys/wait.h>

#include "core/kill_one.h"
#include "daemon/fetch/unpack_fixture.h"

namespace berth::fetch {
namespace {

mode_t mode_of(const fs::path& path) {
  struct stat is {};
  return ::lstat(path.c_str(), &is) == 0 ? is.st_mode & 07777 : 0;
}

uid_t owner_of(const fs::path& path) {
  struct stat is {};
  return ::lstat(path.c_str(), &is) == 0 ? is.st_uid : static_cast<uid_t>(-1);
}

TEST_F(Unpack, MakesWhatWasSignedForReadOnlyAndRoots) {
  const auto done = unpack(honest, honest_tar.end());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(files::read(target / "bin/run", 100).value_or(""), "#!/bin/sh\n");
  EXPECT_EQ(files::read(target / "note", 100).value_or(""), "hello\n");
  EXPECT_EQ(fs::read_symlink(target / "latest"), "bin/run");
  EXPECT_EQ(mode_of(target), 0555U);
  EXPECT_EQ(mode_of(target / "bin"), 0555U);
  EXPECT_EQ(mode_of(target / "bin/run"), 0555U);
  EXPECT_EQ(mode_of(target / "note"), 0444U);
  for (const char* path : {"", "bin", "bin/run", "latest", "note"}) EXPECT_EQ(owner_of(target / path), 0U) << path;
}

TEST_F(Unpack, TakesLayersOfManyFramesAndLargeFiles) {
  files::TemporaryDirectory source;
  std::string large(40u << 20, '\0');
  for (std::size_t at = 0; at < large.size(); at += 97) large[at] = static_cast<char>(at * 31 >> 3);
  ASSERT_TRUE(files::replace(source.path() / "large", large, 0755));
  ASSERT_TRUE(files::replace(source.path() / "small", "s"));
  ASSERT_TRUE(files::replace(source.path() / "zero", ""));
  const std::vector<Entry> entries{file_entry("large", large, 0755), file_entry("small", "s"), file_entry("zero", "")};
  const auto written = bundle::write_layer(source.path(), entries, folder.path() / "written", 3);
  ASSERT_TRUE(written) << written.error().message;
  ASSERT_GT(written->index.frames.size(), 2U);
  const auto done = unpack_layer(written->index, folder.path() / "written", plan, target, options, {});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(fs::file_size(target / "large"), large.size());
}

/// As keepers and probes that berthd is just about to start have for a moment.
TEST_F(Unpack, WaitsForNoProcessThatOnlyHappensToHaveItsPipes) {
  std::vector<pid_t> others;
  std::jthread forking([&others](const std::stop_token& stop) {
    while (!stop.stop_requested() && others.size() < 200) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        for (;;) ::pause();
      }
      others.push_back(pid);
      ::usleep(1000);
    }
  });
  for (int i = 0; i < 10; ++i) {
    const auto done = unpack(honest, honest_tar.end());
    EXPECT_TRUE(done) << done.error().message;
  }
  forking.request_stop();
  forking.join();
  for (const pid_t pid : others) kill_one(pid, SIGKILL);
  for (const pid_t pid : others) ::waitpid(pid, nullptr, 0);
}

/// Two workers fill one tree: folders that one makes and the other fills, and a file that lies in frames of both.
TEST_F(Unpack, TakesLayersThatTwoWorkersShare) {
  files::TemporaryDirectory source;
  std::vector<Entry> entries;
  const auto put = [&](const std::string& path, const std::string& content) {
    ASSERT_TRUE(files::replace(source.path() / path, content));
    entries.push_back(file_entry(path, content));
  };
  for (const char* path : {"a", "b", "b/c", "b/empty"}) {
    fs::create_directory(source.path() / path);
    entries.push_back(folder_entry(path));
  }
  for (int i = 0; i < 300; ++i) {
    std::string content(static_cast<std::size_t>(i) * 911 % 120'000, static_cast<char>('a' + i % 26));
    put("a/" + std::to_string(i), content);
    put("b/" + std::to_string(i), content + "b");
    put("b/c/" + std::to_string(i), content + "c");
  }
  fs::create_symlink("../a/1", source.path() / "b/link");
  entries.push_back(link_entry("b/link", "../a/1"));
  std::ranges::sort(entries, {}, &Entry::path);
  const auto written = bundle::write_layer(source.path(), entries, folder.path() / "written", 3);
  ASSERT_TRUE(written) << written.error().message;
  ASSERT_GT(written->index.frames.size(), 2U);
  const auto done = unpack_layer(written->index, folder.path() / "written", plan, target, options, {});
  ASSERT_TRUE(done) << done.error().message;
  for (const Entry& entry : entries) {
    EXPECT_EQ(owner_of(target / entry.path), 0U) << entry.path;
  }
  for (const char* path : {"a/0", "a/299", "b/131", "b/c/132", "b/c/299"})
    EXPECT_EQ(files::read(target / path, 1u << 20).value_or("?"), files::read(source.path() / path, 1u << 20).value_or("!")) << path;
  EXPECT_EQ(mode_of(target / "b/empty"), 0555U);

  // The second worker's share alone is linked, but for every third file: what is linked does not come.
  files::TemporaryDirectory before;
  fs::rename(target, before.path() / "app");
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (entries[i].type == bundle::EntryType::file && i % 3 == 0) fs::remove(before.path() / "app" / entries[i].path);
  plan = std::move(*plan_links(entries, {before.path()}, "app", {}));
  ASSERT_GT(plan.links.size(), 500U);
  const auto beside_links = unpack_layer(written->index, folder.path() / "written", plan, target, options, {});
  ASSERT_TRUE(beside_links) << beside_links.error().message;
  for (const Entry& entry : entries)
    if (entry.type == bundle::EntryType::file) {
      EXPECT_EQ(files::read(target / entry.path, 1u << 20).value_or("?"), files::read(source.path() / entry.path, 1u << 20).value_or("!")) << entry.path;
    }
  plan = {};

  // The tar is not what the index says it is, where the second worker begins.
  bundle::LayerIndex lies = written->index;
  for (std::size_t i = 10; i < lies.entries.size(); ++i) lies.entries[i].size = (lies.entries[i].size + 512) % 120'000;
  EXPECT_TRUE(files::remove_tree(target));
  const auto refused = unpack_layer(lies, folder.path() / "written", plan, target, options, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::trust) << refused.error().message;

  // The same tar under other names: the rule that is told is the one that the whole breaks, wherever shares begin.
  lies = written->index;
  for (Entry& entry : lies.entries)
    if (entry.path == "b" || entry.path.starts_with("b/")) entry.path[0] = 'c';
  EXPECT_TRUE(files::remove_tree(target));
  expect_refused(unpack_layer(lies, folder.path() / "written", plan, target, options, {}), "b", "not in the signed index");
}

// ------------------------------------------------------------ files that a slot has

class Linked : public Unpack {
 protected:
  void SetUp() override {
    Unpack::SetUp();
    fs::create_directories(slot / "app");
    put(std::string(100, 'a'));
    plan = std::move(*plan_links(entries, {slot}, "app", {}));
    ASSERT_EQ(plan.links.size(), 1U);
    ASSERT_EQ(plan.links[0].path, "same");
  }
  void put(const std::string& content) { ASSERT_TRUE(files::replace(slot / "app/same", content, 0444)); }
  Result<void> unpack_new() {
    HandMadeTar tar;
    tar.add_file("new", "new").add_file("same", std::string(100, 'a'));
    return unpack(entries, tar.end());
  }

  const fs::path slot = folder.path() / "slot";
  const std::vector<Entry> entries{file_entry("new", "new"), file_entry("same", std::string(100, 'a'))};
};

TEST_F(Linked, AreTheVeryOnesThatWereRead) {
  const auto done = unpack_new();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(files::read(target / "same", 1000).value_or(""), std::string(100, 'a'));
  EXPECT_EQ(owner_of(target / "same"), 0U);
  EXPECT_EQ(mode_of(target / "same"), 0444U);
}

TEST_F(Linked, AreReadAgainWhereAnotherFileLiesThereNow) {
  put(std::string(100, 'a'));  // the same content
  const auto same = unpack_new();
  EXPECT_TRUE(same) << same.error().message;
  put(std::string(100, 'b'));
  expect_refused(unpack_new(), "same", "another content");
  put("short");
  expect_refused(unpack_new(), "same", "5 bytes, not 100");
  ASSERT_EQ(::chmod((slot / "app/same").c_str(), 0644), 0);
  expect_refused(unpack_new(), "same", "mode 0644, not 0444");
}

TEST_F(Linked, LeaveNoRoomForAWorkersOwn) {
  options.worker_program = BERTH_ROGUE_WORKER;
  const std::string other(100, 'b');
  expect_refused(unpack_blob(entries, "pour_file new 0644 new\npour_file same 0644 " + other + "\npour_end\n", 512), "", "");
  EXPECT_FALSE(files::read(target / "same", 1000) == other);
}

// ------------------------------------------------------------ tars that are not what they should be

TEST_F(Unpack, RefusesPathsThatLeaveTheFolder) {
  for (const char* path : {"../evil", "/tmp/berth-evil", "bin/../../evil", "./evil"})
    expect_refused(unpack(honest, HandMadeTar().add(folder_entry("bin")).add_file(path, "x").end()), path, "");
  EXPECT_FALSE(fs::exists(folder.path() / "evil"));
  EXPECT_FALSE(fs::exists("/tmp/berth-evil"));
}

TEST_F(Unpack, NeverWritesThroughALink) {
  fs::create_directory(folder.path() / "outside");
  fs::permissions(folder.path() / "outside", fs::perms::all);
  const std::string outside = folder.path() / "outside";
  expect_refused(unpack(honest, HandMadeTar().add(link_entry("bin", outside)).add_file("bin/evil", "x").end()), "bin", "");
  expect_refused(unpack(honest, HandMadeTar().add(link_entry("bin", "../outside")).add_file("bin/evil", "x").end()), "bin", "");
  expect_refused(unpack(honest, HandMadeTar().add(folder_entry("a")).add(link_entry("b", "a")).add_file("b/evil", "x").end()), "b/evil", "");
  expect_refused(unpack(honest, HandMadeTar().add(link_entry("note", "bin")).add_file("note", "x").end()), "note", "");
  EXPECT_TRUE(fs::is_empty(outside));
}

TEST_F(Unpack, RefusesWhatALayerDoesNotHave) {
  const auto with_type = [](const char* type) { return HandMadeTar().add(link_entry("evil", "note")).but_with(bundle::kTarType, type).end(); };
  expect_refused(unpack(honest, with_type("1")), "evil", "hard link");
  expect_refused(unpack(honest, with_type("3")), "evil", "device");
  expect_refused(unpack(honest, with_type("6")), "evil", "FIFO");
  expect_refused(unpack(honest, HandMadeTar().add_file("evil", "", 04755).end()), "evil", "4755");
  expect_refused(unpack(honest, HandMadeTar().add_file("evil", "", 0666).end()), "evil", "0666");
}

TEST_F(Unpack, RefusesWhatTheIndexDoesNotSay) {
  HandMadeTar more = honest_tar;
  expect_refused(unpack(honest, more.add_file("zzz", "x").end()), "zzz", "not in the signed index");
  std::vector<Entry> missing = honest;
  missing.push_back(file_entry("zzz", "x"));
  expect_refused(unpack(missing, honest_tar.end()), "zzz", "missing");

  std::vector<Entry> other = honest;
  other[3] = file_entry("note", "hello\n", 0755);
  expect_refused(unpack(other, honest_tar.end()), "note", "mode 0644, not 0755");
  other[3] = file_entry("note", "hallo\n");
  expect_refused(unpack(other, honest_tar.end()), "note", "");
  other[3] = link_entry("note", "bin");
  expect_refused(unpack(other, honest_tar.end()), "note", "a file, not a link");
  other = honest;
  other[2] = link_entry("latest", "note");
  expect_refused(unpack(other, honest_tar.end()), "latest", "leads elsewhere");
  other = honest;
  other[0] = folder_entry("bim");
  other[1] = file_entry("bim/run", "#!/bin/sh\n", 0755);
  expect_refused(unpack(other, honest_tar.end()), "bin", "not in the signed index");
}

TEST_F(Unpack, RefusesFilesThatAreLargerOrSmallerThanTheIndexSays) {
  std::vector<Entry> other = honest;
  other[3].size = 5;
  expect_refused(unpack(other, honest_tar.end()), "note", "6 bytes, not 5");
  other[3].size = 7;
  expect_refused(unpack(other, honest_tar.end()), "note", "6 bytes, not 7");
  const std::vector<Entry> small{file_entry("note", "hello\n")};
  expect_refused(unpack(small, HandMadeTar().add_file("note", std::string(1u << 20, 'x')).end()), "note", "File too large");
  EXPECT_LE(fs::file_size(target / "note"), 6U) << "what is too large is not even written";
}

TEST_F(Unpack, RefusesATarThatIsCutOffOrGoesOn) {
  const auto is_refused = [&](const std::string& tar) {
    const auto done = unpack(honest, tar);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::trust) << done.error().message;
  };
  is_refused(honest_tar.text());
  is_refused(honest_tar.end().substr(0, 1000));
  is_refused(honest_tar.end() + std::string(512, 'x'));
}

// ------------------------------------------------------------ frames that are not what they should be

TEST_F(Unpack, RefusesFramesThatAreNotJustWhatTheIndexSays) {
  const std::string tar = honest_tar.end();
  const std::string frame = zstd_frame(tar);
  expect_refused(unpack_blob(honest, frame, tar.size() - 1), "frame at byte 0", "more in it");
  expect_refused(unpack_blob(honest, frame, tar.size() + 1), "frame at byte 0", "not the");
  expect_refused(unpack_blob(honest, frame.substr(0, frame.size() - 5), tar.size()), "frame at byte 0", "cut off");
  expect_refused(unpack_blob(honest, frame + "tail", tar.size()), "frame at byte 0", "");
  expect_refused(unpack_blob(honest, "this is no zstd at all", tar.size()), "frame at byte 0", "cannot be decoded");
  std::string damaged = frame;
  damaged.replace(damaged.size() / 2, 8, 8, '\xff');
  EXPECT_FALSE(unpack_blob(honest, damaged, tar.size()));
}

TEST_F(Unpack, DecodesNoWindowOverEightMiB) {
  const std::string tar = honest_tar.end();
  EXPECT_TRUE(unpack_blob(honest, zstd_frame(tar, 23), tar.size()));
  expect_refused(unpack_blob(honest, zstd_frame(tar, 24), tar.size()), "frame at byte 0", "cannot be decoded");
}

}  // namespace
}  // namespace berth::fetch
