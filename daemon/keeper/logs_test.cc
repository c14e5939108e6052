#include "core/kill_one.h"
#include "daemon/keeper/keeper_fixture.h"

#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace berth::keeper {
namespace {

using testing::ElementsAre;

class KeeperLogs : public KeeperFixture {
 protected:
  /// Runs a script to its end and stops the keeper, so that the log is whole.
  void run(Launch plan) {
    plan.restart = RestartWhen::never;
    start_keeper();
    launch(plan);
    expect(Event::ended, 60s);
    stop();
    expect(Event::gone);
    ASSERT_TRUE(wait_until([&] { return gone(); }, 10s));
  }

  /// The numbers of "stdout F line <n>" in order, over all segments; each segment's name must be its first line's place.
  void expect_numbered(int count) {
    int next = 1, place = 1;
    for (const auto& path : segments()) {
      ASSERT_EQ(path.filename().string(), fmt::format("{:016}.log", place));
      std::ifstream file(path);
      for (std::string line; std::getline(file, line); place++) ASSERT_EQ(line.substr(31), fmt::format("stdout F line {}", next++));
    }
    EXPECT_EQ(next, count + 1);
  }
  static Launch numbered(int count) { return shell(fmt::format("seq -f 'line %.0f' {}", count)); }
};

TEST_F(KeeperLogs, AreCriLinesOfBothStreams) {
  run(shell("echo out; echo err >&2"));
  std::istringstream text(log());
  int count = 0;
  for (std::string line; std::getline(text, line); count++) {
    EXPECT_THAT(line, testing::MatchesRegex(
                          "20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{9}Z (stdout F out|stderr F err)"));
  }
  EXPECT_EQ(count, 2);
  EXPECT_EQ(fs::status(segments().at(0)).permissions(), fs::perms(0640));
}

TEST_F(KeeperLogs, TellOfEachLineItsReleaseDeploymentAndRun) {
  start_keeper();
  Launch plan = shell("echo out; echo err >&2; head -c 20000 /dev/zero | tr '\\0' x; echo; exec sleep 100");
  plan.log_tag = "v42:17";
  launch(plan);
  const int first = expect(Event::started).app_pid;
  ASSERT_TRUE(wait_until([&] { return lines().size() == 4; }, 10s));
  kill_one(first, SIGKILL);
  const int second = expect(Event::started).app_pid;
  ASSERT_TRUE(wait_until([&] { return lines().size() == 8; }, 10s));
  std::vector<std::string> tags;  // of both streams, which have no order between them
  for (const std::string& line : lines()) tags.push_back(line.substr(0, line.find(' ', line.find(' ') + 1)));
  EXPECT_EQ(slurp(logs / ".ended"), fmt::format("v42:17:{}", first)) << "which nobody had asked for";
  stop();
  expect(Event::gone);
  EXPECT_EQ(slurp(logs / ".ended"), fmt::format("v42:17:{}", first)) << "the second was stopped";
  for (const auto& [from, pid] : {std::pair(0, first), std::pair(4, second)}) {
    const std::vector<std::string> run(tags.begin() + from, tags.begin() + from + 4);
    const auto tag = [pid = pid](const char* start) { return fmt::format("{}:v42:17:{}", start, pid); };
    EXPECT_THAT(run, testing::UnorderedElementsAre(tag("stdout F"), tag("stderr F"), tag("stdout P"), tag("stdout F")));
  }
}

TEST_F(KeeperLogs, HaveNoTagWhereTheLaunchHasNoneThatCouldStandInALine) {
  for (const std::string& tag : {std::string(), std::string("two words"), std::string("new\nline"), std::string(96, 'x')}) {
    Launch plan = shell("echo out");
    plan.log_tag = tag;
    run(plan);
    EXPECT_THAT(lines(), ElementsAre("stdout F out"));
    fs::remove_all(logs);
    fs::create_directories(logs);
  }
  Launch longest = shell("echo out");
  longest.log_tag = std::string(95, 'x');
  run(longest);
  EXPECT_THAT(lines(), ElementsAre(testing::StartsWith("stdout F:" + longest.log_tag + ":")));
}

TEST_F(KeeperLogs, HaveEveryLineOnceAndInOrder) {
  run(numbered(300'000));
  expect_numbered(300'000);
}

TEST_F(KeeperLogs, KeepEmptyLinesAndTheUnfinishedLastOne) {
  run(shell(R"(printf 'a\n\n\nb\nend')"));
  EXPECT_THAT(lines(), ElementsAre("stdout F a", "stdout F ", "stdout F ", "stdout F b", "stdout F end"));
}

TEST_F(KeeperLogs, JoinALineThatIsWrittenInPieces) {
  run(shell("for i in 1 2 3 4; do printf $i; sleep 0.05; done; echo"));
  EXPECT_THAT(lines(), ElementsAre("stdout F 1234"));
}

TEST_F(KeeperLogs, CutLongLinesIntoPiecesThatJoinToTheSame) {
  for (const int size : {16384, 16385, 32768, 70'000}) {
    SCOPED_TRACE(size);
    run(shell(fmt::format("head -c {} /dev/zero | tr '\\0' x; echo; echo next", size)));
    std::string joined;
    const auto all = lines();
    ASSERT_GE(all.size(), 2u);
    for (std::size_t i = 0; i + 1 < all.size(); i++) {
      EXPECT_EQ(all[i].substr(0, 9), i + 2 == all.size() ? "stdout F " : "stdout P ");
      EXPECT_LE(all[i].size() - 9, 16384u);
      joined += all[i].substr(9);
    }
    EXPECT_EQ(joined, std::string(static_cast<std::size_t>(size), 'x'));
    EXPECT_EQ(all.back(), "stdout F next");
    fs::remove_all(logs);
    fs::create_directories(logs);
  }
}

TEST_F(KeeperLogs, TakeMuchWithoutANewlineInBoundedMemoryAndDisk) {
  auto plan = shell("head -c 200000000 /dev/zero; echo; exec sleep 100");
  plan.segment_bytes = 1 << 20;
  plan.keep_bytes = 4 << 20;
  start_keeper();
  launch(plan);
  ASSERT_TRUE(wait_until([&] { return slurp(segments().empty() ? fs::path() : segments().back()).find(" F ") != std::string::npos; }, 60s));
  std::uintmax_t bytes = 0;
  for (const auto& path : segments()) bytes += fs::file_size(path);
  EXPECT_LE(bytes, std::uintmax_t{4} << 20);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  std::istringstream status(slurp(fmt::format("/proc/{}/status", keeper)));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) {
      EXPECT_LT(std::atoi(line.c_str() + 6), 4096) << "KiB";
    }
  }
#endif
}

TEST_F(KeeperLogs, RotateWithSequencesThatGoOnOverFilesAndKeepers) {
  auto plan = numbered(2000);
  plan.segment_bytes = 10'000;
  run(plan);
  expect_numbered(2000);
  ASSERT_GT(segments().size(), 5u);
  for (const auto& path : segments()) EXPECT_LE(fs::file_size(path), 10'000u);

  auto more = shell("seq -f 'line %.0f' 2001 4000");
  more.segment_bytes = 10'000;
  run(more);
  expect_numbered(4000);
}

TEST_F(KeeperLogs, DropTheOldestFilesCompressedOnesToo) {
  std::ofstream(logs / "0000000000000001.log.zst") << std::string(5000, 'z');
  std::ofstream(logs / "0000000000000041.log") << "2026-11-24T09:00:00.000000000Z stdout F old\n";
  std::ofstream(logs / "notes.txt") << "not a segment";
  auto plan = numbered(3000);
  plan.segment_bytes = 5000;
  plan.keep_bytes = 20'000;
  run(plan);
  EXPECT_FALSE(fs::exists(logs / "0000000000000001.log.zst"));
  EXPECT_TRUE(fs::exists(logs / "notes.txt"));
  std::uintmax_t bytes = 0;
  for (const auto& path : segments()) bytes += path.extension() == ".log" ? fs::file_size(path) : 0;
  EXPECT_LE(bytes, 20'000u);
  EXPECT_TRUE(logged("stdout F line 3000\n"));
}

TEST_F(KeeperLogs, GoOnAfterATornLineOfACrash) {
  std::ofstream(logs / "0000000000000007.log") << "2026-11-24T09:00:00.000000000Z stdout F whole\n2026-11-24T09:00:00.0000";
  auto plan = numbered(200);
  plan.segment_bytes = 2000;
  run(plan);
  std::istringstream first(slurp(logs / "0000000000000007.log"));
  std::string line;
  std::uint64_t count = 0;
  for (; std::getline(first, line); count++) {
    if (count == 2) {
      EXPECT_EQ(line.substr(31), "stdout F line 1");
    }
  }
  EXPECT_TRUE(fs::exists(logs / fmt::format("{:016}.log", 7 + count)));
}

TEST_F(KeeperLogs, OfTwoKeepersInOneFolderKeepEveryLineAndTheSequences) {
  auto plan = shell("i=0; while [ $i -lt 3000 ]; do echo one $i; i=$((i+1)); done");
  plan.segment_bytes = 20'000;
  plan.restart = RestartWhen::never;
  start_keeper();
  launch(plan);
  const pid_t first = keeper;
  Fd first_connection = std::move(connection);
  fs::rename(socket_path(), socket_path() + ".first");
  auto other = shell("i=0; while [ $i -lt 3000 ]; do echo two $i; i=$((i+1)); done");
  other.id = "web/web.1@v2";
  other.segment_bytes = 20'000;
  run(other);
  connection = std::move(first_connection);
  expect(Event::ended, 60s);
  keeper = first;
  keeper_status = 0;

  int one = 0, two = 0, place = 1;
  for (const auto& path : segments()) {
    ASSERT_EQ(path.filename().string(), fmt::format("{:016}.log", place));
    std::ifstream file(path);
    for (std::string line; std::getline(file, line); place++) {
      int& next = line[40] == 'o' ? one : two;
      ASSERT_EQ(line.substr(31), fmt::format("stdout F {} {}", line[40] == 'o' ? "one" : "two", next++));
    }
  }
  EXPECT_EQ(one, 3000);
  EXPECT_EQ(two, 3000);
}

/// An app that writes a line each time it is asked for.
class DamagedKeeperLogs : public KeeperLogs {
 protected:
  void begin(std::uint64_t segment_bytes = 10'000) {
    start_keeper();
    ASSERT_EQ(::mkfifo((root / "go").c_str(), 0600), 0);
    auto plan = shell("exec 3<>" + (root / "go").string() + "; seq -f 'line %.0f' 1000; i=1000; while read -r x <&3; do i=$((i+1)); echo line $i; done");
    plan.segment_bytes = segment_bytes;
    plan.log_tag = "v1:1";
    launch(plan);
    app = expect(Event::started).app_pid;
    ASSERT_TRUE(wait_until([&] { return logged("line 1000\n"); }, 10s));
  }
  void write_a_line() { std::ofstream(root / "go") << "go" << std::endl; }
  std::string tagged(const std::string& text, const char* stream = "stdout", const char* by = "") const {
    return fmt::format("{} F:v1:1:{}{} {}", stream, app, by, text);
  }
  std::string hole(const std::string& next) const {
    return tagged("berth-keeper: log lines are missing here: a log file was removed or cut off; lines go on with number " + next, "stderr", ":keeper");
  }
  int app = 0;
};

TEST_F(DamagedKeeperLogs, GoOnBehindTheLastNumberAndSayThatLinesAreMissing) {
  begin();
  const auto all = segments();
  ASSERT_GT(all.size(), 3u);
  fs::rename(all[0], all[0].string() + ".zst");
  for (std::size_t i = 1; i < all.size(); ++i) fs::remove(all[i]);
  write_a_line();
  ASSERT_TRUE(wait_until([&] { return logged("line 1001\n"); }, 10s));
  const auto left = segments();
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[1].filename(), "0000000000001001.log");
  fs::remove(left[0]);
  EXPECT_THAT(lines(), ElementsAre(hole("1001"), tagged("line 1001")));
  write_a_line();
  ASSERT_TRUE(wait_until([&] { return logged("line 1002\n"); }, 10s));
  EXPECT_EQ(lines().size(), 3u) << "it is said once";
}

TEST_F(DamagedKeeperLogs, GoOnInANewFileWhenTheirsIsCutOffAlsoOverARenewal) {
  begin(1 << 20);
  fs::resize_file(segments().at(0), 0);
  write_a_line();
  ASSERT_TRUE(wait_until([&] { return logged("line 1001\n"); }, 10s));
  EXPECT_THAT(lines(), ElementsAre(hole("1001"), tagged("line 1001")));
  fs::resize_file(segments().at(1), 0);
  Renew message{{Type::renew, kProtocolVersion, sizeof(Renew)}, {}};
  program.copy(message.program, sizeof message.program - 1);
  send(&message, sizeof message);
  expect(Event::renewed);
  write_a_line();
  ASSERT_TRUE(wait_until([&] { return logged("line 1002\n"); }, 10s));
  EXPECT_EQ(segments().at(2).filename(), "0000000000001003.log");
  EXPECT_THAT(lines(), ElementsAre(hole("1003"), tagged("line 1002")));
}

TEST_F(DamagedKeeperLogs, SayWhereNobodyKnowsHowManyLinesAreMissing) {
  std::ofstream(logs / "0000000000000041.log.zst") << "z";
  begin();
  EXPECT_EQ(segments().at(1).filename(), "0000000010000000.log");
  EXPECT_EQ(lines().at(0).substr(1), hole("10000000") + ", and how many are missing is not known") << "behind what is left";
}

TEST_F(DamagedKeeperLogs, SayThatTheMachineWasStarted) {
  std::ofstream(logs / "0000000000000041.log") << "2026-11-24T09:00:00.000000000Z stdout F before\n2026-11-24T09:00:00.0000";
  note_boot("11111111-2222-3333-4444-555555555555\n");
  begin();
  EXPECT_EQ(segments().at(1).filename(), "0000001000000000.log");
  EXPECT_EQ(lines().at(2), tagged("berth-keeper: the machine was started since, and what a power cut kept from the disk, if any, is missing here; lines go on with number 1000000000",
                                  "stderr", ":keeper"));
  EXPECT_EQ(lines().at(3), tagged("line 1"));
}

TEST_F(KeeperLogs, OfAnAppThatClosesItsStdoutDoNotEnd) {
  start_keeper();
  launch(shell("echo before; exec >&-; echo on stderr >&2; exec sleep 100"));
  const auto state = expect(Event::started);
  ASSERT_TRUE(wait_until([&] { return logged("on stderr"); }, 10s));
  EXPECT_TRUE(lives(state.app_pid));
  kill_one(state.app_pid, SIGKILL);
  expect(Event::started);
  EXPECT_TRUE(wait_until([&] { return lines().size() == 4; }, 10s));
}

TEST_F(KeeperLogs, AreCountedWhileTheAppRunsOn) {
  start_keeper();
  launch(shell("i=0; while :; do echo line $((i += 1)); sleep 0.2; done"));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_LT(expect(Event::started).log_lines, 10u);
  const State told = expect(Event::logs_dropped);
  EXPECT_GE(told.log_lines, 10u);
  EXPECT_EQ(told.log_dropped, 0u);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 9s) << "no more often";
}

TEST_F(KeeperLogs, SayHowMuchIsMissingAfterTheDiskWasFull) {
  if (::mount("tmpfs", logs.c_str(), "tmpfs", 0, "size=256k") != 0) GTEST_SKIP() << "needs the right to mount";
  start_keeper();
  const auto go = root / "go", filled = root / "filled", filler = logs / "filler";
  launch(shell("seq -f 'line %.0f' 10000; touch " + filled.string() + "; while [ ! -e " + go.string() +
               " ]; do sleep 0.01; done; echo after; exec sleep 100"));
  EXPECT_TRUE(wait_until([&] { return fs::exists(filled); }, 20s)) << "a full disk must not hold the app up";
  State hello{};
  EXPECT_TRUE(wait_until([&] { return connect() && (hello = expect(Event::hello)).log_dropped > 0; }, 10s));
  EXPECT_EQ(log().back(), '\n') << "no torn line";
  const auto kept = hello.log_lines;
  EXPECT_EQ(kept + hello.log_dropped, 10'000u);
  EXPECT_EQ(::mount("tmpfs", logs.c_str(), "tmpfs", MS_REMOUNT, "size=2m"), 0);
  std::ofstream(go).put('\n');
  EXPECT_TRUE(wait_until([&] { return logged("after"); }, 10s));
  const auto all = lines();
  EXPECT_EQ(all.size(), kept + 2);
  EXPECT_EQ(all[all.size() - 2],
            fmt::format("stderr F berth-keeper: {} log lines are missing here: No space left on device", 10'000 - kept));
  EXPECT_EQ(all.back(), "stdout F after");
  stop();
  expect(Event::gone);
  EXPECT_EQ(::umount2(logs.c_str(), MNT_DETACH), 0);
}

TEST_F(KeeperLogs, SayHowMuchIsMissingAlsoWhereTheAppIsSilentSince) {
  if (::mount("tmpfs", logs.c_str(), "tmpfs", 0, "size=256k") != 0) GTEST_SKIP() << "needs the right to mount";
  start_keeper();
  launch(shell("seq -f 'line %.0f' 10000; touch " + (root / "filled").string() + "; exec sleep 100"));
  EXPECT_TRUE(wait_until([&] { return fs::exists(root / "filled"); }, 20s));
  State hello{};
  EXPECT_TRUE(wait_until([&] { return connect() && (hello = expect(Event::hello)).log_dropped > 0; }, 10s));
  EXPECT_EQ(::mount("tmpfs", logs.c_str(), "tmpfs", MS_REMOUNT, "size=2m"), 0);
  EXPECT_TRUE(wait_until([&] { return logged("log lines are missing here"); }, 20s));
  EXPECT_EQ(lines().back(), fmt::format("stderr F berth-keeper: {} log lines are missing here: No space left on device", 10'000 - hello.log_lines));
  stop();
  expect(Event::gone);
  EXPECT_EQ(lines().size(), hello.log_lines + 1) << "once";
  EXPECT_EQ(::umount2(logs.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace berth::keeper
