#include <csignal>

#include <sys/file.h>

#include "daemon/fetch/worker_fixture.h"

namespace berth::fetch {
namespace {

#ifndef BERTH_SANITIZE
TEST_F(WorkerTest, GetsNoMoreMemoryThanItsLimit) {
  EXPECT_THAT(run("memory 1000000\n").words, HasSubstr("memory: done"));
  EXPECT_THAT(run("memory 200000000\n").words, HasSubstr("memory: ENOMEM"));
}
#endif

TEST_F(WorkerTest, WritesNoFileLongerThanItsLimit) {
  spec.limits.file_size = 10;
  EXPECT_THAT(run("file a 0644 0123456789\n").words, HasSubstr("file: done"));
  run("file b 0644 0123456789abcdef\n");
  EXPECT_EQ(fs::file_size(target / "b"), 10U);
}

TEST_F(WorkerTest, IsKilledWhenItIsToStop) {
  Worker worker = start("folder ready 0755\nstall\n");
  wait_for(target / "ready");
  const pid_t pid = worker.pid();
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  const auto end = worker.wait({}, source.get_token());
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Errc::cancelled);
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST_F(WorkerTest, IsKilledWhenItMakesNoProgressOrTakesTooLong) {
  const auto stalled = start("stall\n").wait({.whole = 60s, .stalled = 300ms}, {});
  ASSERT_FALSE(stalled);
  EXPECT_EQ(stalled.error().code, Errc::timeout);
  EXPECT_THAT(stalled.error().message, HasSubstr("no progress"));

  const auto endless = start("spin\n").wait({.whole = 500ms, .stalled = 60s}, {});
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().code, Errc::timeout);
  EXPECT_THAT(endless.error().message, HasSubstr("not done"));
}

TEST_F(WorkerTest, IsKilledAsSoonAsWhoeverWatchesSaysSo) {
  const auto end = start("spin\n").wait({.still_fine = [] { return fail(Errc::no_space, "the disk got full"); }}, {});
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Errc::no_space);
}

TEST_F(WorkerTest, UsesUpNoMoreProcessorThanItsLimit) {
  spec.limits.cpu_seconds = 1;
  const auto end = run("spin\n");
  EXPECT_TRUE(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL) << end.status;
}

TEST_F(WorkerTest, HoldsNoMoreDescriptorsThanItsLimit) { EXPECT_THAT(run("open_many\n").words, HasSubstr("open_many: EMFILE")); }

TEST_F(WorkerTest, TakesItsChildrenWithItBeforeAnyoneLooksAtWhatItLeft) {
  spec.limits.processes = 10'000;  // as if it had found a way
  Worker worker = start("keep_open held\nfolder ready 0755\nstall\n");
  wait_for(target / "ready");
  const Fd file = std::move(*files::open(target / "held", O_RDWR));
  ASSERT_NE(::flock(file.get(), LOCK_EX | LOCK_NB), 0) << "its child holds the file";
  EXPECT_FALSE(worker.wait({.stalled = 100ms}, {}));
  EXPECT_EQ(::flock(file.get(), LOCK_EX | LOCK_NB), 0) << "nobody holds the file any more";

  EXPECT_EQ(run("keep_open other\n").status, 0);
  EXPECT_EQ(::flock(std::move(*files::open(target / "other", O_RDWR)).get(), LOCK_EX | LOCK_NB), 0) << "an orderly end takes them, too";
}

TEST_F(WorkerTest, IsGoneWhenItsOwnerIs) {
  pid_t pid = 0;
  {
    const Worker worker = start("folder ready 0755\nstall\n");
    wait_for(target / "ready");
    pid = worker.pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST_F(WorkerTest, IsEndedForGoodWhenItIsNotWantedAnyMore) {
  spec.limits.processes = 10'000;
  Worker worker = start("keep_open held\nfolder ready 0755\nstall\n");
  wait_for(target / "ready");
  const pid_t pid = worker.pid();
  const auto ended = worker.end();
  ASSERT_TRUE(ended) << ended.error().message;
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(::flock(std::move(*files::open(target / "held", O_RDWR)).get(), LOCK_EX | LOCK_NB), 0) << "so are its children";
  EXPECT_TRUE(worker.end()) << "there is nothing left to do";
}

TEST_F(WorkerTest, SaysAtMostOnePrintableLine) {
  EXPECT_EQ(run("say\n").words, "?[2J?");
}

TEST_F(WorkerTest, ThatCannotBeRunIsToldOf) {
  spec.limits.cpu_seconds = 10;
  ASSERT_TRUE(files::replace(folder.path() / "no-program", "neither a program nor a script\n", 0755));
  const Fd null = std::move(*files::open("/dev/null", O_RDONLY));
  const Fd place = std::move(*files::open(target, O_RDONLY | O_DIRECTORY));
  spec.program = folder.path() / "no-program";
  spec.job = spec.blob = null.get();
  spec.target = place.get();
  Worker worker = std::move(*Worker::start(spec));
  const auto end = worker.wait({}, {});
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_NE(end->status, 0);
  EXPECT_THAT(end->words, HasSubstr("run the program: Exec format error"));

  spec.program = folder.path() / "missing";
  const auto missing = Worker::start(spec);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

}  // namespace
}  // namespace berth::fetch
