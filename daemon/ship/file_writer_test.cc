#include "daemon/ship/file_writer.h"

#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>

#include "core/files/files.h"
#include "core/json/json.h"
#include "daemon/ship/ship_fixture.h"

namespace berth::ship {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

class FileWriterTest : public testing::Test {
 protected:
  static Entry entry(std::string text, std::uint64_t sequence = 1) {
    static const auto origin = std::make_shared<Origin>(
        Origin{.node = "edge-1", .environment = "qa", .app = "web", .process = "web", .instance = "web/web.1", .stream = "stdout", .labels = {{"rack", "r7"}}});
    return {.time = logs::parse_rfc3339("2026-11-24T09:00:00.123456789Z").value(), .severity = Severity::warning, .sequence = sequence, .text = std::move(text), .origin = origin};
  }
  FileSettings settings(std::uint64_t rotate = 1u << 20, int keep = 2) {
    return {.name = "agent", .path = folder.path() / "out/all.jsonl", .rotate_bytes = rotate, .keep_files = keep, .group = {}};
  }
  std::string content(const std::string& name = "all.jsonl") { return files::read(folder.path() / "out" / name, 1u << 24).value_or("(none)"); }
  std::size_t lines(const std::string& name = "all.jsonl") {
    const std::string text = content(name);
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
  }
  files::TemporaryDirectory folder;
};

TEST_F(FileWriterTest, WritesALineOfJsonForEachEntry) {
  FileWriter writer(settings());
  const std::vector<Entry> batch{entry("a \"quoted\"\n\x01 line \xc3\xa4", 17)};
  ASSERT_TRUE(writer.write(batch));
  const auto json = json::parse(content());
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_EQ(boost::json::serialize(*json),
            "{\"time\":\"2026-11-24T09:00:00.123456789Z\",\"severity\":\"warning\",\"sequence\":17,\"node\":\"edge-1\",\"environment\":\"qa\",\"app\":\"web\",\"process\":\"web\","
            "\"instance\":\"web/web.1\",\"stream\":\"stdout\",\"labels\":{\"rack\":\"r7\"},\"text\":\"a \\\"quoted\\\"\\n\\u0001 line \xc3\xa4\"}");
  struct stat status {};
  ASSERT_EQ(::stat((folder.path() / "out/all.jsonl").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(FileWriterTest, RotatesBetweenBatchesAndKeepsAFew) {
  FileWriter writer(settings(64u << 10, 2));
  const std::vector<Entry> batch(100, entry(std::string(500, 'x')));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(writer.write(batch));
  EXPECT_EQ(lines(), 100u);
  EXPECT_EQ(lines("all.jsonl.1"), 100u);
  EXPECT_EQ(lines("all.jsonl.2"), 100u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path() / "out"), {}), 3);
}

TEST_F(FileWriterTest, GoesOnInANewFileWhereSomebodyTookTheOldOne) {
  FileWriter writer(settings());
  const std::vector<Entry> one{entry("one")}, two{entry("two")};
  ASSERT_TRUE(writer.write(one));
  std::filesystem::rename(folder.path() / "out/all.jsonl", folder.path() / "out/taken");
  ASSERT_TRUE(writer.write(two));
  EXPECT_THAT(content("taken"), HasSubstr("\"one\""));
  EXPECT_THAT(content(), HasSubstr("\"two\""));
  std::filesystem::remove_all(folder.path() / "out");
  ASSERT_TRUE(writer.write(one));
  EXPECT_EQ(lines(), 1u);
}

TEST_F(FileWriterTest, CutsALineThatACrashTore) {
  std::filesystem::create_directories(folder.path() / "out");
  const std::string torn(200'000, 'x');
  std::ofstream(folder.path() / "out/all.jsonl") << "{\"whole\":1}\n{\"torn\":\"" << torn;
  FileWriter writer(settings());
  const std::vector<Entry> batch{entry("next")};
  ASSERT_TRUE(writer.write(batch));
  EXPECT_EQ(lines(), 2u);
  EXPECT_THAT(content(), testing::StartsWith("{\"whole\":1}\n{\"time\""));
}

TEST_F(FileWriterTest, TakesBackWhatAFullDiskTookOfABatch) {
  FileWriter writer(settings());
  const std::vector<Entry> small{entry("small")}, large(1000, entry(std::string(500, 'y')));
  ASSERT_TRUE(writer.write(small));
  const std::string before = content();
  struct rlimit usual {};
  ::getrlimit(RLIMIT_FSIZE, &usual);
  std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit tight{.rlim_cur = 100'000, .rlim_max = usual.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &tight);
  const auto failed = writer.write(large);
  ::setrlimit(RLIMIT_FSIZE, &usual);
  std::signal(SIGXFSZ, SIG_DFL);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("all.jsonl"));
  EXPECT_EQ(content(), before);
  ASSERT_TRUE(writer.write(large));
  EXPECT_EQ(lines(), 1001u);
}

TEST_F(FileWriterTest, RefusesWhatIsNoFileOfItsOwn) {
  std::filesystem::create_directories(folder.path() / "out/all.jsonl");
  const std::vector<Entry> batch{entry("x")};
  EXPECT_FALSE(FileWriter(settings()).write(batch));
  std::filesystem::remove(folder.path() / "out/all.jsonl");
  std::filesystem::create_symlink("/etc/passwd", folder.path() / "out/all.jsonl");
  EXPECT_FALSE(FileWriter(settings()).write(batch));
  std::filesystem::remove(folder.path() / "out/all.jsonl");
  auto for_nobody = settings();
  for_nobody.group = "no-such-group-here";
  const auto refused = FileWriter(for_nobody).write(batch);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no-such-group-here"));
}

}  // namespace
}  // namespace berth::ship
