#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/doctor/node_fixture.h"
#include "daemon/host/cgroup.h"
#include "daemon/route/port_table.h"
#include "daemon/supervise/keeper_key.h"

namespace berth::cli::doctor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Orphans : public NodeFixture {
 protected:
  Orphans() {
    execute("INSERT INTO uids VALUES ('web', 61184); INSERT INTO apps (app) VALUES ('web');"
            "INSERT INTO slots (app, release, manifest_sha256, bytes, sealed_at, pinned) VALUES ('web', 'v1', '', 1, '2026-11-20T08:00:00Z', 0);"
            "INSERT INTO instances (app, process, number, release, port) VALUES ('web', 'web', 1, 'v1', 20000)");
    fs::create_directories(subject.paths.slot("web", "v1"));
    put(subject.root / "proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    keeper("100", known);
    fs::create_directories(cgroup("web", known) / "app");
  }

  void keeper(const std::string& pid, const std::string& key) {
    const std::string socket = (subject.paths.run / "keepers" / (key + ".sock")).string();
    put(subject.root / "proc" / pid / "cmdline", std::string("/usr/libexec/berth/berth-keeper") + '\0' + socket + '\0' + "/var/log/berth/web/web.1" + '\0');
  }
  fs::path cgroup(const std::string& app, const std::string& key) const { return subject.root / "sys/fs/cgroup" / host::cgroup_name(subject.paths.run) / app / key; }
  std::vector<std::string> found() { return troubles(check_orphans(subject, [this] { return Result<std::string>(rules); })); }
  void unfinished() {
    execute("INSERT INTO deployments (id, app, release, kind, state, reason, from_release, decided, manifest_sha256, asked_by, why, idempotency_key, force, created_at, ended_at, bake_until_ms, detail)"
            " VALUES (7, 'web', 'v2', 'deploy', 'fetching', '', '', 0, '', '', '', '', 0, '2026-11-20T08:00:00Z', '', 0, '{}')");
  }

  const std::string known = supervise::keeper_key({.app = "web", .process = "web", .number = 1, .release = "v1"}), stranger = std::string(16, '0');
  std::string rules;
};

TEST_F(Orphans, WhatTheDatabaseKnowsIsNobodysFault) { EXPECT_THAT(found(), IsEmpty()); }

TEST_F(Orphans, StagingIsOfADeploymentThatIsUnderWay) {
  fs::create_directories(subject.paths.staging() / "7");
  EXPECT_THAT(found(), ElementsAre(HasSubstr("staging/7 is of no deployment")));
  unfinished();
  EXPECT_THAT(found(), IsEmpty());
  fs::create_directories(subject.paths.staging() / "-1");
  EXPECT_THAT(found(), ElementsAre(HasSubstr("staging/-1 is of no deployment")));
  subject.status = json::object{};
  EXPECT_THAT(found(), IsEmpty()) << "berthd may be importing a file";
}

TEST_F(Orphans, SlotsAndTheirRowsBelongTogether) {
  fs::create_directories(subject.paths.slot("web", "v0"));
  fs::create_directories(subject.paths.slot("gone", "v1"));
  EXPECT_THAT(found(), ElementsAre(HasSubstr("apps/gone/slots/v1 is no release"), HasSubstr("apps/web/slots/v0 is no release")));
  for (const char* app : {"web", "gone"}) fs::remove_all(subject.paths.app(app));
  EXPECT_THAT(found(), ElementsAre(HasSubstr("error: web@v1 has no folder")));
}

TEST_F(Orphans, KeepersAndCgroupsAreOfInstances) {
  keeper("200", stranger);
  EXPECT_THAT(found(), ElementsAre(HasSubstr("pid 200 is a keeper (0000000000000000)")));
  fs::create_directories(cgroup("web", stranger) / "app");
  EXPECT_THAT(found(), ElementsAre(HasSubstr("pid 200 is a keeper"))) << "it is told once";
  fs::remove_all(subject.root / "proc/200");
  EXPECT_THAT(found(), ElementsAre(HasSubstr("is a cgroup of no instance")));
  unfinished();
  subject.status = json::object{};
  EXPECT_THAT(found(), IsEmpty()) << "while something is deployed, nobody can tell";
}

TEST_F(Orphans, ServicesAreLookedForInTheSlicesOfApps) {
  subject.paths.run = "/run/berth";
  const fs::path slice = subject.root / "sys/fs/cgroup/berth.slice";
  fs::create_directories(slice / "berth-web.slice" / ("berth-web-web-1-" + known + ".service"));
  EXPECT_THAT(found(), IsEmpty());
  fs::create_directories(slice / "berth-my\\x2dapp.slice" / ("berth-my-app-web-1-" + stranger + ".service"));
  fs::create_directories(slice / ("berth-web-web-2-" + stranger + ".service"));
  EXPECT_THAT(found(), ElementsAre(HasSubstr("is a cgroup of no instance"), HasSubstr("is a cgroup of no instance"))) << "also right in the slice of all, as older ones are";
}

TEST_F(Orphans, KeepersOfAnotherNodeAreNoneOfOurs) {
  put(subject.root / "proc/300/cmdline", std::string("/usr/libexec/berth/berth-keeper") + '\0' + "/elsewhere/keepers/" + stranger + ".sock" + '\0');
  put(subject.root / "proc/301/cmdline", std::string("/bin/cat") + '\0' + (subject.paths.run / "keepers" / (stranger + ".sock")).string() + '\0');
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Orphans, AProcessThatDidNotEndIsToldWhileItLives) {
  put(subject.paths.run / "keepers/0.sock.400.left", "web/web.1@v1\n400 12345\n");
  EXPECT_THAT(found(), IsEmpty());
  put(subject.root / "proc/400/stat", "400 (web) D 1 400 400 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0");
  EXPECT_THAT(found(), ElementsAre(HasSubstr("pid 400 of web/web.1@v1 did not end")));
}

TEST_F(Orphans, RulesLeadToInstances) {
  rules = R"({"nftables": [{"rule": {"chain": "public", "expr": [{"match": {"left": {"payload": {"field": "dport"}}, "right": 80}}, {"redirect": {"port": 20000}}]}}]})";
  EXPECT_THAT(found(), IsEmpty());
  rules = R"({"nftables": [{"rule": {"chain": "public", "expr": [{"match": {"left": {"payload": {"field": "dport"}}, "right": 80}}, {"redirect": {"port": 20001}}]}}]})";
  EXPECT_THAT(found(), ElementsAre(HasSubstr("sends port 80 to 20001")));
}

TEST_F(Orphans, ATableOfAnotherBerthdIsNotCalledAnOrphan) {
  rules = R"({"nftables": [{"chain": {"name": "of-0123456789abcdef"}}, {"rule": {"chain": "public", "expr": [{"match": {"left": {"payload": {"field": "dport"}}, "right": 80}}, {"redirect": {"port": 20001}}]}}]})";
  EXPECT_THAT(found(), ElementsAre(HasSubstr("another berthd, which does not run now")));
  put(subject.root / "proc/self/net/unix", "Num RefCount Protocol Flags Type St Inode Path\n0000000000000000: 00000002 00000000 00000000 0002 01 4711 @berth/nftables\n");
  put(subject.root / "proc/500/status", "Name:\tberthd\nUid:\t" + std::to_string(::geteuid()) + "\t" + std::to_string(::geteuid()) + "\t0\t0\n");
  fs::create_directories(subject.root / "proc/500/fd");
  fs::create_symlink("socket:[4711]", subject.root / "proc/500/fd/3");
  fs::create_symlink("/elsewhere/state/lock", subject.root / "proc/500/fd/4");
  EXPECT_THAT(found(), ElementsAre(HasSubstr("another berthd (pid 500, state /elsewhere/state)")));
  put(subject.paths.run / "route/table", "0123456789abcdef");
  fs::remove(subject.root / "proc/500/fd/4");
  fs::create_symlink(subject.paths.state / "lock", subject.root / "proc/500/fd/4");
  EXPECT_THAT(found(), ElementsAre(HasSubstr("sends port 80 to 20001"))) << "it is its own";
}

TEST_F(Orphans, WithoutADatabaseNothingIsCalledAnOrphan) {
  fs::create_directories(subject.paths.staging() / "7");
  fs::remove(subject.paths.database());
  EXPECT_THAT(found(), IsEmpty());
  put(subject.paths.database(), std::string(8192, 'x'), 0600);
  EXPECT_THAT(found(), ElementsAre(HasSubstr("warning: not looked for: the database cannot be read")));
}

}  // namespace
}  // namespace berth::cli::doctor
