#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/doctor/node_fixture.h"
#include "core/io/tls_authority.h"
#include "core/trust/repository.h"
#include "core/trust/time.h"
#include "daemon/store/accepted_troubles.h"
#include "daemon/store/store.h"

namespace berth::cli::doctor {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class NodeChecks : public NodeFixture {
 protected:
  void metadata(const std::string& role, Clock::duration left) {
    put(subject.paths.trust() / (role + ".json"), fmt::format(R"({{"signatures":[],"signed":{{"_type":"{}","version":7,"expires":"{}"}}}})", role, trust::to_string(subject.now + left)));
  }
};

TEST_F(NodeChecks, PermissionsThatAreRightAreWell) {
  put(folder.path() / "token", "abc", 0600);
  put(folder.path() / "root.json", "{}");
  configure(fmt::format("[repository]\nurl = \"https://r.example\"\nroot = \"{0}/root.json\"\ntoken = \"file:{0}/token\"\n", folder.path().string()));
  EXPECT_THAT(troubles(check_permissions(subject)), IsEmpty());
}

TEST_F(NodeChecks, EachFileThatIsOpenToOthersIsTold) {
  put(folder.path() / "token", "abc", 0600);
  put(folder.path() / "root.json", "{}");
  put(folder.path() / "node.key", "", 0600);
  put(folder.path() / "node.pem", "");
  put(folder.path() / "conf.d/10-more.toml", "[labels]\nrack = \"r7\"\n");
  configure(fmt::format("[repository]\nurl = \"https://r.example\"\nroot = \"{0}/root.json\"\ntoken = \"file:{0}/token\"\ncertificate_file = \"{0}/node.pem\"\nkey_file = \"{0}/node.key\"\n"
                        "[[sink]]\nname = \"far\"\nkind = \"loki\"\nurl = \"https://l.example\"\npassword = \"file:{0}/sink-password\"\nuser = \"u\"\n", folder.path().string()));
  put(folder.path() / "sink-password", "abc", 0600);
  const struct {
    fs::path path;
    mode_t mode;
    const char* said;
  } cases[] = {{folder.path() / "token", 0644, "the secret of [repository], has mode 0644: everybody may read it"},
               {folder.path() / "sink-password", 0640, "the secret of [[sink]] far, has mode 0640: its group may read it"},
               {folder.path() / "node.key", 0640, "the key of [repository]"},
               {folder.path() / "root.json", 0664, "the root of trust, has mode 0664: its group may change it"},
               {subject.config_file, 0666, "the configuration, has mode 0666: everybody may change it"},
               {folder.path() / "conf.d/10-more.toml", 0664, "the configuration, has mode 0664: its group may change it"},
               {folder.path() / "conf.d", 0777, "the folder of configurations, has mode 0777: everybody may change it"},
               {subject.paths.database(), 0644, "the database"},
               {subject.paths.state, 0777, "the folder of the state"},
               {subject.paths.trust(), 0777, "the folder of the repository's metadata"},
               {subject.paths.run / "keepers", 0755, "the folder of keepers' sockets"},
               {subject.paths.logs, 0777, "the folder of logs"}};
  for (const auto& one : cases) {
    struct stat before{};
    ASSERT_EQ(::stat(one.path.c_str(), &before), 0) << one.path;
    ::chmod(one.path.c_str(), one.mode);
    EXPECT_THAT(troubles(check_permissions(subject)), ElementsAre(AllOf(HasSubstr("error: "), HasSubstr(one.path.string()), HasSubstr(one.said))));
    ::chmod(one.path.c_str(), before.st_mode);
  }
  fs::remove(folder.path() / "token");
  EXPECT_THAT(troubles(check_permissions(subject)), ElementsAre(HasSubstr("is not there")));
}

TEST_F(NodeChecks, CertificatesThatEndedOrEndSoonAreTold) {
  const io::Authority authority;
  subject.now = Clock::now();  // certificates begin to count when they are made
  const auto configured = [&](const std::string& certificate, const std::string& ca) {
    configure(fmt::format("[api]\nlisten = \"127.0.0.1:9465\"\ncertificate_file = \"{}\"\nkey_file = \"{}\"\nclient_ca_file = \"{}\"\n[[api.client]]\nname = \"ci.example.org\"\nrole = \"viewer\"\n",
                          authority.path(certificate), authority.path("local.key"), authority.path(ca)));
    return troubles(check_certificates(subject));
  };
  EXPECT_THAT(configured("local.pem", "ca.pem"), IsEmpty());
  EXPECT_THAT(configured("expired.pem", "ca.pem"), ElementsAre(AllOf(HasSubstr("error: "), HasSubstr("expired.pem ([api] certificate_file) expired at"))));
  EXPECT_THAT(configured("local.key", "ca.pem"), ElementsAre(HasSubstr("cannot be read")));
  subject.now += 40h;
  EXPECT_THAT(configured("other-local.pem", "ca.pem"), ElementsAre(AllOf(HasSubstr("warning: "), HasSubstr("ca.pem ([api] client_ca_file) [CN=test authority] ends at"))));
}

TEST_F(NodeChecks, ListsOfRevokedCertificatesThatDoNotCountOrSoonWillNotAreTold) {
  const io::Authority authority;
  subject.now = Clock::now();
  configure(fmt::format("[api]\nlisten = \"127.0.0.1:9465\"\ncertificate_file = \"{}\"\nkey_file = \"{}\"\nclient_ca_file = \"{}\"\nclient_crl_file = \"{}\"\n[[api.client]]\nname = \"ci.example.org\"\nrole = \"viewer\"\n",
                        authority.path("local.pem"), authority.path("local.key"), authority.path("ca.pem"), authority.path("crl.pem")));
  EXPECT_THAT(troubles(check_certificates(subject)), ElementsAre(AllOf(HasSubstr("error: "), HasSubstr("crl.pem ([api] client_crl_file) does not count"))));
  authority.list_revoked("crl.pem", {}, 36'000);
  subject.now = Clock::now();
  EXPECT_THAT(troubles(check_certificates(subject)), IsEmpty());
  subject.now += 9h;
  EXPECT_THAT(troubles(check_certificates(subject)), ElementsAre(AllOf(HasSubstr("warning: "), HasSubstr("crl.pem ([api] client_crl_file) ends at"))));
  subject.now += 2h;
  EXPECT_THAT(troubles(check_certificates(subject)), ElementsAre(AllOf(HasSubstr("error: "), HasSubstr("ended at"))));
}

TEST_F(NodeChecks, MetadataThatExpiredMattersMoreWhereAChannelIsFollowed) {
  put(folder.path() / "root.json", "{}");
  const std::string repository = fmt::format("[repository]\nurl = \"https://r.example\"\nroot = \"{}/root.json\"\n", folder.path().string());
  EXPECT_THAT(troubles(check_trust(subject)), IsEmpty()) << "there is no repository";
  configure(repository);
  EXPECT_THAT(troubles(check_trust(subject)), ElementsAre(HasSubstr("there is none below")));
  metadata("root", 400 * 24h);
  metadata("timestamp", 24h);
  put(subject.paths.trust() / "web.production.stable.json", "{}");
  EXPECT_THAT(troubles(check_trust(subject)), IsEmpty());
  metadata("timestamp", -1h);
  EXPECT_THAT(troubles(check_trust(subject)), ElementsAre(HasSubstr("warning: timestamp.json (version 7) expired at")));
  configure(repository + "[[follow]]\napp = \"web\"\nchannel = \"stable\"\n");
  EXPECT_THAT(troubles(check_trust(subject)), ElementsAre(HasSubstr("error: timestamp.json (version 7) expired at")));
  metadata("timestamp", 24h);
  metadata("root", 24h);
  EXPECT_THAT(troubles(check_trust(subject)), ElementsAre(HasSubstr("warning: root.json (version 7) ends at")));
  put(subject.paths.trust() / "snapshot.json", "{");
  EXPECT_THAT(troubles(check_trust(subject)), testing::Contains(HasSubstr("snapshot.json is damaged")));
}

TEST_F(NodeChecks, MetadataOfARepositoryThatWasNeverReadWholeIsTold) {
  put(folder.path() / "root.json", "{}");
  configure(fmt::format("[repository]\nurl = \"https://r.example\"\nroot = \"{}/root.json\"\n", folder.path().string()));
  metadata("root", 400 * 24h);
  EXPECT_THAT(troubles(check_trust(subject)), ElementsAre(AllOf(HasSubstr("warning: there is no timestamp.json below"), HasSubstr("never read whole"))));
  metadata("timestamp", 24h);
  EXPECT_EQ(check_trust(subject).front().seen, "the repository's 2 files of metadata: none expired");
}

TEST_F(NodeChecks, AFileThatIsNoRootOfTrustIsTold) {
  ASSERT_TRUE(trust::init_repository(folder.path() / "repo", folder.path() / "keys", std::chrono::system_clock::now()));
  const auto told = [&](const std::string& url, const std::string& root) {
    configure(fmt::format("[repository]\n{}root = \"{}/{}\"\n", url, folder.path().string(), root));
    return troubles(check_repository(subject));
  };
  const std::string url = "url = \"https://r.example\"\n";
  EXPECT_THAT(told(url, "repo/metadata/root.json"), IsEmpty());
  for (const std::string& said : {url, std::string()}) {
    EXPECT_THAT(told(said, "repo/metadata/timestamp.json"), ElementsAre(AllOf(HasSubstr("error: [repository] root: "), HasSubstr("timestamp.json is no root of trust (is of type 'timestamp'"))));
    EXPECT_THAT(told(said, "nope"), ElementsAre(AllOf(HasSubstr("error: [repository] root: "), HasSubstr("nope: No such file"))));
  }
  metadata("root", 400 * 24h);
  EXPECT_THAT(told(url, "nope"), ElementsAre(HasSubstr("warning: [repository] root: "))) << "one is pinned";
}

TEST_F(NodeChecks, ARepositoryThatCannotBeReadIsTold) {
  EXPECT_THAT(troubles(check_repository(subject)), IsEmpty()) << "there is none";
  ASSERT_TRUE(trust::init_repository(folder.path() / "made", folder.path() / "keys", std::chrono::system_clock::now()));
  fs::copy_file(folder.path() / "made/metadata/root.json", folder.path() / "root.json");
  const std::string repository = fmt::format("[repository]\nurl = \"file://{0}/repo\"\nroot = \"{0}/root.json\"\n", folder.path().string());
  configure(repository);
  EXPECT_THAT(troubles(check_repository(subject)), ElementsAre(AllOf(HasSubstr("warning: it cannot be read: "), HasSubstr("/repo/metadata: No such file")))) << "also while berthd is down";
  fs::create_directories(folder.path() / "repo/metadata");
  EXPECT_THAT(troubles(check_repository(subject)), IsEmpty());
  const auto status = [&](const std::string& follows, const std::string& error) {
    subject.status = *json::parse(fmt::format(R"({{"repository": {{"url": "file:///repo", "last_error": "{}"}}, "follows": {}, "apps": [{{"app": "web"}}]}})", error, follows));
    return troubles(check_repository(subject));
  };
  EXPECT_THAT(status("[]", ""), IsEmpty());
  EXPECT_THAT(status("[]", "timestamp.json: version 2 expired"), ElementsAre("warning: it cannot be read: timestamp.json: version 2 expired"));
  configure(repository + "[[follow]]\napp = \"web\"\nchannel = \"stable\"\n");
  EXPECT_THAT(status(R"([{"app": "web", "channel": "stable", "failing_since": "T", "last_error": "timestamp.json: version 2 expired"}])", "timestamp.json: version 2 expired"),
              ElementsAre("error: it cannot be read: timestamp.json: version 2 expired"))
      << "and is told once";
  EXPECT_THAT(status(R"([{"app": "web", "channel": "stable", "failing_since": "T", "last_error": "no such channel"}, {"app": "api", "channel": "stable", "failing_since": "", "note": "it is held"},
                         {"app": "web", "channel": "stable", "failing_since": ""}])", ""),
              ElementsAre("warning: web follows stable, which cannot be asked for since T: no such channel", "warning: api follows stable and is not on this node yet: it is held"));
}

TEST_F(NodeChecks, WhatTheDatabaseKnowsOfReleasesIsTold) {
  EXPECT_THAT(troubles(check_database(subject)), IsEmpty());
  execute("INSERT INTO uids VALUES ('web', 61184); INSERT INTO apps (app) VALUES ('web');"
          "INSERT INTO slots (app, release, manifest_sha256, bytes, sealed_at, pinned) VALUES ('web', 'v1', '', 1, '2026-11-20T08:00:00Z', 0)");
  subject.now = *trust::parse_time("2026-11-20T10:00:00Z");
  EXPECT_THAT(troubles(check_database(subject)), IsEmpty());
  subject.now = *trust::parse_time("2026-11-24T10:00:00Z");
  EXPECT_THAT(troubles(check_database(subject)), ElementsAre(HasSubstr("warning: web@v1 was compared with what is signed at 2026-11-20T08:00:00Z last")));
  execute("UPDATE slots SET drifted = 2, drift = 'app/server: has another content', verified_at = '2026-11-24T09:00:00Z'");
  EXPECT_THAT(troubles(check_database(subject)), ElementsAre(HasSubstr("error: web@v1 is not as it was signed")));
  execute("UPDATE slots SET drifted = 0, drift = ''");
  EXPECT_THAT(troubles(check_database(subject)), IsEmpty());
}

TEST_F(NodeChecks, RejectedReleasesAreOneFindingOfAnAppAndAWarningOnlyWhereOneIsWanted) {
  const auto rejected = [&] {
    std::vector<std::string> all;
    for (const Finding& finding : check_database(subject))
      if (finding.name == "rejected") all.push_back(fmt::format("{}: {}", to_string(finding.level), finding.seen));
    return all;
  };
  const auto deployed = [&](int id, const std::string& release, const std::string& state) {
    execute(fmt::format("INSERT INTO deployments (id, app, release, kind, state, reason, from_release, decided, manifest_sha256, asked_by, why, idempotency_key, force, created_at, ended_at, bake_until_ms, detail)"
                        " VALUES ({}, 'web', '{}', 'deploy', '{}', '', '', 0, '', '', '', '', 0, 'T', 'T', 0, '{{}}')", id, release, state));
  };
  execute("INSERT INTO uids VALUES ('web', 61184); INSERT INTO apps (app, active) VALUES ('web', 'v1')");
  EXPECT_THAT(rejected(), ElementsAre("ok: no release is"));
  execute("INSERT INTO rejected VALUES ('web', 'v77', '', 'a slip', '2026-11-24T09:00:00Z')");
  EXPECT_THAT(rejected(), ElementsAre("ok: no release is that was on this node")) << "it never was";
  execute("INSERT INTO rejected VALUES ('web', 'v2', '', 'exited with 1', '2026-11-24T09:00:00.757000Z'), ('web', 'v3', '', 'exited with 3', '2026-11-24T09:10:00Z')");
  deployed(1, "v2", "reverted");
  deployed(2, "v3", "failed");
  EXPECT_THAT(rejected(), ElementsAre("warning: web@v3, which was deployed last, since 2026-11-24T09:10:00Z: exited with 3 (and v2)"));
  deployed(3, "v1", "active");
  EXPECT_THAT(rejected(), ElementsAre("ok: of web v3 and v2, none of which is wanted"));
  EXPECT_THAT(check_database(subject).back().remedy, AllOf(HasSubstr("berth history web"), HasSubstr("berth mark web@v3 good")));
  subject.status = *json::parse(R"({"follows": [{"app": "web", "channel": "stable", "wanted": "v2"}]})");
  EXPECT_THAT(rejected(), ElementsAre("warning: web@v2, which stable wants, since 2026-11-24T09:00:00Z: exited with 1 (and v3)"));
  subject.status.reset();
  execute("UPDATE apps SET active = 'v2'");
  EXPECT_THAT(rejected(), ElementsAre("warning: web@v2, which is active, since 2026-11-24T09:00:00Z: exited with 1 (and v3)"));
  EXPECT_THAT(check_database(subject).back().remedy, AllOf(HasSubstr("berth revert web"), HasSubstr("berth mark web@v2 good")));
}

TEST_F(NodeChecks, ADatabaseThatIsDamagedOrOfAnotherVersionIsTold) {
  execute("PRAGMA user_version = 999");
  EXPECT_THAT(troubles(check_database(subject)), ElementsAre(HasSubstr("has schema 999")));
  execute("PRAGMA user_version = 1");
  EXPECT_THAT(troubles(check_database(subject)), ElementsAre(AllOf(HasSubstr("warning: "), HasSubstr("has schema 1"))));
  fs::resize_file(subject.paths.database(), 4096 * 3);
  EXPECT_THAT(troubles(check_database(subject)), ElementsAre(HasSubstr("is damaged")));
  put(subject.paths.database(), std::string(8192, 'x'), 0600);
  EXPECT_THAT(troubles(check_database(subject)), ElementsAre(HasSubstr("is damaged")));
  fs::remove(subject.paths.database());
  EXPECT_THAT(troubles(check_database(subject)), ElementsAre(HasSubstr("is not there")));
  EXPECT_FALSE(fs::exists(subject.paths.database())) << "looking makes none";
}

TEST_F(NodeChecks, ADatabaseThatWasMadeAnewIsToldForAWhile) {
  const fs::path kept = subject.paths.database().string() + ".damaged-1";
  const std::string whole = R"({"number":1,"at":"2026-11-20T08:00:00.000000Z","kind":"database.rebuilt","app":"","data":{"reason":"it was damaged","set_aside":")" + kept.string() +
                            R"(","lost":["how far it was"]},"prev":"0"})" + "\n";
  put(subject.paths.events(), whole);
  subject.now = *trust::parse_time("2026-11-24T10:00:00Z");
  const auto told = AllOf(HasSubstr("warning: "), HasSubstr("was made anew at 2026-11-20T08:00:00.000000Z: it was damaged; not known any more: how far it was"));
  EXPECT_THAT(troubles(check_database(subject)), ElementsAre(told));
  put(subject.paths.events(), R"({"number":1,"at":"2026-11-20T08:00:00.000000Z","kind":"database.rebuilt","app":"","data":{"reason":"it is an older copy","set_aside":"","lost":["one","two"],"brought_forward":true},"prev":"0"})" + std::string("\n"));
  EXPECT_THAT(troubles(check_database(subject)), ElementsAre(HasSubstr("was brought forward at 2026-11-20T08:00:00.000000Z: it is an older copy; not known any more: one; two")));
  put(subject.paths.events(), whole);
  subject.now = *trust::parse_time("2026-12-24T10:00:00Z");
  EXPECT_THAT(troubles(check_database(subject)), IsEmpty());
  put(kept, "x");
  EXPECT_THAT(troubles(check_database(subject)), ElementsAre(told)) << "somebody has to see to the file";
}

TEST_F(NodeChecks, ALogOfEventsThatIsNoChainIsAnError) {
  EXPECT_THAT(troubles(check_events(subject)), IsEmpty());
  put(subject.paths.events(), "{\"number\":1}\n");
  EXPECT_THAT(troubles(check_events(subject)), ElementsAre(HasSubstr("events.log: line 1")));
}

TEST_F(NodeChecks, WhatSomebodyHasLookedAtInTheLogOfEventsIsAWarningAndWhatIsNewAnError) {
  put(subject.paths.events(), "{\"number\":1}\n");
  const auto found = store::verify_events(subject.paths.events());
  ASSERT_TRUE(found && !found->empty());
  ASSERT_TRUE(store::accept_troubles(subject.paths.events(), *found));
  EXPECT_THAT(troubles(check_events(subject)), ElementsAre(AllOf(HasSubstr("warning: "), HasSubstr("somebody knows"))));
  put(subject.paths.events(), "{\"number\":1}\nnonsense\n");
  EXPECT_THAT(troubles(check_events(subject)), ElementsAre(AllOf(HasSubstr("error: "), HasSubstr("line 2"))));
}

TEST_F(NodeChecks, AnInstanceThatWritesWhereNobodyLooksIsAWarning) {
  EXPECT_THAT(troubles(check_log_places(subject)), IsEmpty());
  const auto runs = [&](const fs::path& logs) {
    put(subject.root / "proc/77/cmdline", fmt::format("berth-keeper{0}/run/berth/keepers/x{0}{1}/web/web.1{0}", '\0', logs.string()));
    subject.status = json::parse(R"({"apps": [{"app": "web", "instances": [{"instance": "web/web.1", "keeper_pid": 77}, {"instance": "web/web.2", "keeper_pid": 0}]}]})").value();
  };
  runs(subject.paths.logs);
  EXPECT_THAT(troubles(check_log_places(subject)), IsEmpty());
  runs("/var/log/before");
  const Findings found = check_log_places(subject);
  EXPECT_THAT(troubles(found), ElementsAre(AllOf(HasSubstr("warning: web/web.1 writes its log below /var/log/before, and [paths] logs is "), HasSubstr(subject.paths.logs.string()))));
  EXPECT_THAT(found.front().remedy, HasSubstr("berth stop web; berth start web"));
}

TEST_F(NodeChecks, WithoutBerthdThatIsTheErrorAndTheConfigurationIsReadAllTheSame) {
  subject.unreachable = "berthd does not run here";
  const Findings found = check_daemon(subject, "1.0");
  EXPECT_THAT(troubles(found), ElementsAre("error: berthd does not run here"));
  EXPECT_EQ(found.front().name, "configuration");
  subject.config.reset();
  subject.config_trouble = "berthd.toml:1:1: unknown key";
  EXPECT_THAT(troubles(check_daemon(subject, "1.0")), ElementsAre("error: berthd.toml:1:1: unknown key", "error: berthd does not run here"));
}

TEST_F(NodeChecks, AFileThatIsNotThereIsNotToBeMended) {
  const auto told = [&](bool runs) {
    subject.config.reset();
    subject.config_trouble = "the configuration cannot be read";
    if (runs) subject.status = json::parse(R"({"version": "1.0", "ready": true, "limits_enforced": true, "sinks": []})").value();
    else subject.status.reset();
    return check_daemon(subject, "1.0").front();
  };
  EXPECT_THAT(told(true).remedy, HasSubstr("mend the file"));
  fs::remove(subject.config_file);
  EXPECT_THAT(told(true).remedy, AllOf(HasSubstr("put the file back"), HasSubstr("berth doctor --config FILE"), Not(HasSubstr("mend"))));
  EXPECT_THAT(told(true).why, HasSubstr("the one that runs goes on with what it read before"));
  EXPECT_THAT(told(false).why, Not(HasSubstr("goes on")));
}

TEST_F(NodeChecks, WhoMayNotAskBerthdHearsThatAndNothingOfHowItIs) {
  subject.unreachable = "berthd's socket /run/berth/api.sock is closed to you: be root";
  subject.is_closed = true;
  const Findings found = check_daemon(subject, "1.0");
  EXPECT_THAT(troubles(found), ElementsAre("warning: berthd's socket /run/berth/api.sock is closed to you: be root"));
  EXPECT_THAT(found.back().remedy, AllOf(HasSubstr("as root"), Not(HasSubstr("systemctl"))));
  EXPECT_THAT(found.back().why, Not(HasSubstr("nothing is deployed")));
  subject.config.reset();
  subject.config_is_closed = true;
  subject.config_trouble = "berthd.toml: Permission denied";
  EXPECT_THAT(troubles(check_daemon(subject, "1.0")), ElementsAre("warning: berthd.toml: Permission denied", testing::StartsWith("warning: berthd's socket")));
}

TEST_F(NodeChecks, WhatBerthdSaysOfItselfIsJudged) {
  const auto status = [&](const std::string& more) {
    auto said = json::parse(R"({"version": "1.0", "since": "2026-11-24T09:00:00Z", "ready": true, "limits_enforced": true, "config_refused": null, "remote_api": null, "drained": null, "sinks": []})");
    const auto changed = json::parse(more);
    for (const auto& [key, value] : changed->get_object()) said->get_object()[key] = value;
    subject.status = *said;
    return troubles(check_daemon(subject, "1.0"));
  };
  EXPECT_THAT(status("{}"), IsEmpty());
  EXPECT_THAT(status(R"({"version": "0.9"})"), ElementsAre("warning: berthd is 0.9, and this command line 1.0"));
  EXPECT_THAT(status(R"({"ready": false})"), ElementsAre(HasSubstr("still takes over")));
  EXPECT_THAT(status(R"({"limits_enforced": false})"), ElementsAre(HasSubstr("does not enforce limits")));
  EXPECT_THAT(status(R"({"config_refused": {"at": "T", "reason": "line 3"}})"), ElementsAre("error: berthd refused it at T: line 3"));
  EXPECT_THAT(status(R"({"remote_api": {"listen": "0.0.0.0:9465", "problem": "no key"}})"), ElementsAre("error: the API at 0.0.0.0:9465: no key"));
  const auto why_of = [&](const char* expires) {
    subject.status = json::parse(fmt::format(R"({{"version": "1.0", "ready": true, "limits_enforced": true, "sinks": [], "remote_api": {{"listen": "0.0.0.0:9465", "problem": "no key", "certificate_expires": "{}"}}}})", expires)).value();
    for (const auto& one : check_daemon(subject, "1.0"))
      if (one.level == Level::error) return one.why;
    return std::string();
  };
  EXPECT_EQ(why_of(""), "nobody reaches this node from elsewhere");
  EXPECT_THAT(why_of("2026-12-24T09:00:00Z"), HasSubstr("the certificate before still serves"));
  EXPECT_THAT(status(R"({"metrics_listener": {"listen": "127.0.0.1:9464", "problem": "no token"}})"), ElementsAre("error: the metrics at 127.0.0.1:9464: no token"));
  EXPECT_THAT(status(R"({"drained": {"at": "T", "by": "root", "why": "a new kernel"}})"), ElementsAre(HasSubstr("drained since T by root: a new kernel")));
  EXPECT_THAT(status(R"({"sinks": [{"sink": "far", "failing_since": "T", "last_error": "refused", "lag_seconds": 4000, "lost": 7}, {"sink": "slow", "failing_since": "", "lag_seconds": 301, "lost": 0},
                                   {"sink": "well", "failing_since": "", "lag_seconds": 3, "lost": 0}]})"),
              ElementsAre("error: far takes nothing since T: refused", HasSubstr("far will never get 7 lines"), "warning: slow is 301 s behind"));
  EXPECT_THAT(status(R"({"sinks": [{"sink": "far", "failing_since": "", "last_error": "", "lag_seconds": 0, "lost": 0, "refused": 2, "refused_why": "too old"}]})"), ElementsAre("warning: far refused 2 entries: too old"));
  EXPECT_THAT(status(R"({"sinks": [{"sink": "far", "failing_since": "", "last_error": "too long", "lag_seconds": 0, "lost": 0, "refused": 1}],
                         "webhooks": [{"webhook": "chat", "failing_since": "T", "last_error": "500", "dropped": 2}, {"webhook": "well", "failing_since": "", "last_error": "", "dropped": 0}]})"),
              ElementsAre("warning: far refused 1 entry: too long", "error: chat takes nothing since T: 500", "warning: chat will never get 2 events"));
}

}  // namespace
}  // namespace berth::cli::doctor
