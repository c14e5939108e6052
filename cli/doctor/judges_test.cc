#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/doctor/checks.h"
#include "cli/doctor/node_fixture.h"

namespace berth::cli::doctor {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Judges : public NodeFixture {};

KernelFacts whole_kernel() {
  return {.release = "6.1.0", .cgroup2 = true, .controllers = {"cpu", "io", "memory", "pids"}, .openat2 = true, .pidfd = true, .seccomp = true, .landlock = 2,
          .namespaces = {"ipc", "mnt", "net", "pid", "uts"}};
}

TEST_F(Judges, AKernelThatHasAllIsWell) {
  EXPECT_THAT(troubles(judge_kernel(whole_kernel())), IsEmpty());
}

TEST_F(Judges, WhatTheKernelLacksIsNamedByHowMuchItMatters) {
  const struct {
    void (*take)(KernelFacts&);
    const char* said;
  } cases[] = {{[](KernelFacts& facts) { facts.openat2 = false; }, "error: openat2"},
               {[](KernelFacts& facts) { facts.pidfd = false; }, "error: pidfd_open"},
               {[](KernelFacts& facts) { facts.seccomp = false; }, "error: seccomp"},
               {[](KernelFacts& facts) { facts.namespaces.erase("net"); }, "error: namespaces are missing: net"},
               {[](KernelFacts& facts) { facts.cgroup2 = false; }, "warning: no cgroup2"},
               {[](KernelFacts& facts) { facts.controllers.erase("memory"); }, "warning: cgroup2 lacks the controllers memory"},
               {[](KernelFacts& facts) { facts.landlock = 0; }, "warning: Landlock"}};
  for (const auto& one : cases) {
    KernelFacts facts = whole_kernel();
    one.take(facts);
    EXPECT_THAT(troubles(judge_kernel(facts)), ElementsAre(HasSubstr(one.said)));
  }
}

TEST_F(Judges, AWorkerWithoutAUserOfItsOwnIsAWarning) {
  EXPECT_THAT(troubles(judge_worker({.uid = 990, .gid = 990, .is_nobody = false})), IsEmpty());
  EXPECT_THAT(troubles(judge_worker({})), ElementsAre(HasSubstr("warning: there is no user berth-unpack")));
  EXPECT_THAT(judge_worker({}).front().remedy, HasSubstr("systemd-sysusers"));
}

TEST_F(Judges, TheControllersAreThoseOfTheRootOfCgroup2) {
  put(subject.root / "proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  put(subject.root / "sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
  const KernelFacts facts = kernel_facts(subject.root);
  EXPECT_TRUE(facts.cgroup2);
  EXPECT_THAT(facts.controllers, ElementsAre("cpu", "memory"));
  EXPECT_TRUE(facts.openat2 && facts.pidfd && facts.seccomp) << "of the machine that runs this test";
}

TEST_F(Judges, AClockBehindTheLastRefreshOrTheNewestEventIsWrong) {
  const Clock::time_point now = Clock::now();
  EXPECT_THAT(troubles(judge_clock({.now = now, .last_refresh = now - 1h, .newest_event = now + 5s})), IsEmpty());
  EXPECT_THAT(troubles(judge_clock({.now = now, .last_refresh = now + 2h})), ElementsAre(HasSubstr("error: it says")));
  EXPECT_THAT(troubles(judge_clock({.now = now, .last_refresh = now - 1h, .newest_event = now + 2h})), ElementsAre(HasSubstr("the newest event is of")));
  EXPECT_THAT(troubles(judge_clock({.now = now, .synchronized = false})), ElementsAre(HasSubstr("warning: it says")));
}

TEST_F(Judges, TheClocksFactsAreReadFromTheStateAndFromTimesyncd) {
  put(subject.paths.trust() / "last_success", "2026-11-20T08:00:00Z\n");
  put(subject.paths.events(), "{\"number\":1,\"at\":\"2026-11-21T08:00:00.5Z\"}\n{\"number\":2,\"at\":\"2026-11-22T08:00:00.000000Z\"}\n{\"torn");
  put(subject.root / "run/systemd/timesync/synchronized", "");
  const ClockFacts facts = clock_facts(subject);
  ASSERT_TRUE(facts.last_refresh && facts.newest_event);
  EXPECT_EQ(*facts.newest_event - *facts.last_refresh, 48h) << "the last whole line";
  EXPECT_TRUE(facts.synchronized);
}

TEST_F(Judges, ADiskIsJudgedByRoomInodesAndKind) {
  const DiskFacts roomy{.what = "state", .path = "/var/lib/berth", .kind = "ext4", .free = 1'000'000, .inodes = 1000, .free_inodes = 900, .reserve = 1000};
  EXPECT_THAT(troubles(judge_disk(roomy)), IsEmpty());
  const auto with = [&](auto change) {
    DiskFacts facts = roomy;
    change(facts);
    return troubles(judge_disk(facts));
  };
  EXPECT_THAT(with([](DiskFacts& facts) { facts.free = 999; }), ElementsAre(HasSubstr("error: state (/var/lib/berth, ext4)")));
  EXPECT_THAT(with([](DiskFacts& facts) { facts.free = 1500; }), ElementsAre(HasSubstr("warning: state")));
  EXPECT_THAT(with([](DiskFacts& facts) { facts.free_inodes = 20; }), ElementsAre(HasSubstr("warning: state (/var/lib/berth): 20 of 1000 inodes")));
  EXPECT_THAT(with([](DiskFacts& facts) { facts.free_inodes = 0; }), ElementsAre(HasSubstr("error: ")));
  EXPECT_THAT(with([](DiskFacts& facts) { facts.inodes = facts.free_inodes = 0; }), IsEmpty()) << "btrfs counts none";
  EXPECT_THAT(with([](DiskFacts& facts) { facts.kind = "tmpfs"; }), ElementsAre(HasSubstr("is on tmpfs")));
  EXPECT_THAT(with([](DiskFacts& facts) { facts.kind = "nfs"; }), ElementsAre(HasSubstr("is on nfs")));
  EXPECT_THAT(with([](DiskFacts& facts) { facts.what = "logs", facts.kind = "tmpfs"; }), IsEmpty()) << "logs may be in memory";
}

TEST_F(Judges, LogsOnTheStatesDiskAreNotToldTwice) {
  subject.config->reserve = std::uint64_t{1} << 60;
  EXPECT_EQ(std::ranges::count(check_disks(subject), Level::error, &Finding::level), 1);
}

TEST_F(Judges, RulesOfOthersThatStandInTheWayAreTold) {
  const auto able = [] { return Result<void>(); };
  EXPECT_THAT(troubles(check_nftables(subject, able)), IsEmpty());
  EXPECT_THAT(troubles(check_nftables(subject, [] { return Result<void>(fail(Errc::io, "no nf_tables")); })), ElementsAre(HasSubstr("no nf_tables")));
  EXPECT_THAT(troubles(check_nftables(subject, [] { return Result<void>(fail(Errc::permission, "root alone may ask nftables")); })), ElementsAre(HasSubstr("was not tried: root alone may")));
  put(subject.root / "etc/nftables.conf", "#!/usr/sbin/nft -f\n# flush ruleset\ntable inet filter {}\n");
  put(subject.root / "etc/ufw/ufw.conf", "# ENABLED=yes\nENABLED=no\n");
  EXPECT_THAT(troubles(check_nftables(subject, able)), IsEmpty());
  put(subject.root / "etc/nftables.conf", "#!/usr/sbin/nft -f\nflush ruleset\n");
  put(subject.root / "etc/ufw/ufw.conf", "ENABLED=yes\n");
  EXPECT_THAT(troubles(check_nftables(subject, able)), ElementsAre(HasSubstr("/etc/nftables.conf:2"), HasSubstr("ufw is active")));
}

TEST_F(Judges, TheTextHasErrorsFirstAndSaysWhatToDo) {
  const Findings findings{{Level::ok, "clock", "right"}, {Level::warning, "rejected", "web@v2", "passed over", "mark it good"}, {Level::error, "disk", "full\x1b[31m", "nothing is taken", "berth gc"}};
  EXPECT_EQ(worst_of(findings), Level::error);
  EXPECT_EQ(to_text(findings, false),
            "error    disk: full\\x1b[31m\n         nothing is taken\n         → berth gc\n"
            "warning  rejected: web@v2\n         passed over\n         → mark it good\n"
            "ok       clock: right\n");
  EXPECT_EQ(json::text(json::value(to_json({findings[1]}))), R"([{"level":"warning","name":"rejected","seen":"web@v2","why":"passed over","do":"mark it good"}])");
}

}  // namespace
}  // namespace berth::cli::doctor
