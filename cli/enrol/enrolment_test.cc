#include "cli/enrol/enrolment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/enrol/authority.h"
#include "core/crypto/keys.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/trust/fake_repository.h"
#include "daemon/config/config.h"

namespace berth::cli::enrol {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class Enrolling : public testing::Test {
 protected:
  Enrolling() {
    enrolment.folder = folder.path() / "berth";
    enrolment.host = "edge-1";
    enrolment.environment = "production";
    enrolment.url = "https://releases.example.org/berth";
    enrolment.root = (folder.path() / "1.root.json").string();
    EXPECT_TRUE(files::replace(enrolment.root, repository.root_bytes(1)));
  }

  Result<Enrolled> enrol_now() { return enrol(enrolment, repository, trust::kNow); }
  fs::path at(const std::string& name) const { return enrolment.folder / name; }
  std::string text(const std::string& name) const { return files::read(at(name), 1 << 20).value_or("(nothing)"); }
  /// The text of berth's own list of what an authority revoked, which counts for a day.
  std::string list_of(const std::string& authority, trust::WallTime at = trust::kNow) const {
    const auto made = Authority::make(folder.path() / authority, authority, std::chrono::days(100), at);
    EXPECT_TRUE(made) << made.error().message;
    EXPECT_TRUE(made->write_crl(std::chrono::days(1), at));
    return files::read(made->crl_file(), 1 << 20).value_or("(nothing)");
  }
  void listen_with_crl() {
    enrolment.listen = "0.0.0.0:9465";
    enrolment.clients = {"alice@example.org=operator"};
    enrolment.crl = folder.path() / "ca/crl.pem";
  }
  bool nothing_is_written() const { return !fs::exists(at("berthd.toml")) && !fs::exists(at("root.json")) && !fs::exists(at("node.key")); }

  files::TemporaryDirectory folder;
  trust::FakeRepository repository;
  Enrolment enrolment;
};

TEST_F(Enrolling, WritesWhatBerthdReads) {
  enrolment.labels = {"rack=r7", "note=a \"b\" = c"};
  enrolment.follow = {"web@stable"};
  enrolment.listen = "0.0.0.0:9465";
  enrolment.clients = {"alice@example.org=operator", "spiffe://example.org/a=b=viewer"};
  enrolment.names = *parse_names({"edge-1.example.org", "10.0.0.7"});
  const auto done = enrol_now();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(done->wrote, ElementsAre(at("root.json"), at("node.key"), at("node.csr"), at("berthd.toml")));
  const auto config = config::load(at("berthd.toml"));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->node, "edge-1");
  EXPECT_EQ(config->labels.at("note"), "a \"b\" = c");
  EXPECT_EQ(config->repository.root, at("root.json"));
  EXPECT_EQ(config->follow.at(0).channel, "stable");
  ASSERT_TRUE(config->remote);
  EXPECT_EQ(config->remote->files.key_file, at("node.key"));
  ASSERT_EQ(config->clients.size(), 2u);
  EXPECT_EQ(config->clients[1].name, "spiffe://example.org/a=b");
  EXPECT_EQ(text("root.json"), repository.root_bytes(1));
  EXPECT_EQ(*names_of_request(at("node.csr")), enrolment.names);
  struct stat about{};
  ASSERT_EQ(::stat(at("node.key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600u);
}

TEST_F(Enrolling, TheRootMayBeFetchedByItsHash) {
  enrolment.root = "sha256:" + crypto::sha256_hex(repository.root_bytes(1));
  ASSERT_TRUE(enrol_now());
  EXPECT_EQ(text("root.json"), repository.root_bytes(1));
}

TEST_F(Enrolling, AnotherRootThanTheHashIsRefusedAndNothingIsWritten) {
  enrolment.root = "sha256:" + std::string(64, 'a');
  const auto refused = enrol_now();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::trust);
  EXPECT_THAT(refused.error().message, HasSubstr("not " + std::string(64, 'a')));
  for (const char* wrong : {"sha256:", "sha256:abc"}) {
    enrolment.root = wrong;
    EXPECT_EQ(enrol_now().error().code, Errc::usage) << wrong;
  }
  enrolment.root = "sha256:" + std::string(64, 'A');
  EXPECT_EQ(enrol_now().error().code, Errc::usage);
  EXPECT_TRUE(nothing_is_written());
}

TEST_F(Enrolling, ARepositoryOfAnotherRootIsRefused) {
  const trust::FakeRepository other;
  ASSERT_TRUE(files::replace(enrolment.root, other.root_bytes(1)));
  EXPECT_EQ(enrol_now().error().code, Errc::trust);
  ASSERT_TRUE(files::replace(enrolment.root, "{}"));
  EXPECT_FALSE(enrol_now());
  fs::remove(enrolment.root);
  EXPECT_EQ(enrol_now().error().code, Errc::not_found);
  EXPECT_TRUE(nothing_is_written());
}

TEST_F(Enrolling, WhatSomebodyWroteIsNeverReplaced) {
  fs::create_directories(enrolment.folder);
  ASSERT_TRUE(files::replace(at("berthd.toml"), "environment = \"qa\"\n"));
  EXPECT_EQ(enrol_now().error().code, Errc::exists);
  EXPECT_EQ(text("berthd.toml"), "environment = \"qa\"\n");
  EXPECT_FALSE(fs::exists(at("node.key")));
  fs::remove(at("berthd.toml"));
  ASSERT_TRUE(files::replace(at("root.json"), "{}"));
  EXPECT_THAT(enrol_now().error().message, HasSubstr("this node believes another repository"));
  EXPECT_EQ(text("root.json"), "{}");
}

TEST_F(Enrolling, TheConfigurationOfThePackageIsKeptBeside) {
  fs::create_directories(enrolment.folder);
  const std::string shipped = *files::read(BERTH_SHIPPED_CONFIG, 1 << 20);
  ASSERT_TRUE(files::replace(at("berthd.toml"), shipped));
  const auto done = enrol_now();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(text("berthd.toml.shipped"), shipped);
  EXPECT_THAT(text("berthd.toml"), HasSubstr(enrolment.url));
}

TEST_F(Enrolling, WhatIsInConfDStaysAndCounts) {
  fs::create_directories(at("conf.d"));
  ASSERT_TRUE(files::replace(at("conf.d/10-image.toml"), "environment = \"production\"\n[[sink]]\nname = \"far\"\nkind = \"loki\"\nurl = \"https://l.example\"\n[labels]\nimage = \"7\"\n"));
  enrolment.labels = {"rack=r7"};
  for (int i = 0; i < 2; ++i) {
    const auto done = enrol_now();
    ASSERT_TRUE(done) << done.error().message;
  }
  EXPECT_THAT(text("conf.d/10-image.toml"), HasSubstr("[[sink]]"));
}

TEST_F(Enrolling, WhatIsInConfDMustNotSayOtherwise) {
  fs::create_directories(at("conf.d"));
  enrolment.follow = {"web@stable"};
  const struct {
    const char *text, *said;
  } cases[] = {{"environment = \"qa\"\n", "conf.d/10-image.toml:1:15: 'environment' counts over "},
               {"[repository]\nurl = \"https://other.example\"\n", "conf.d/10-image.toml:2:7: 'url' of [repository] counts over "},
               {"[[follow]]\napp = \"web\"\nchannel = \"canary\"\n", "conf.d/10-image.toml:2:7: app: 'web' follows twice"},
               {"[repositry]\n", "conf.d/10-image.toml:1:2: unknown table 'repositry'"}};
  for (const auto& one : cases) {
    ASSERT_TRUE(files::replace(at("conf.d/10-image.toml"), one.text));
    const auto refused = enrol_now();
    ASSERT_FALSE(refused) << one.text;
    EXPECT_EQ(refused.error().code, Errc::exists);
    EXPECT_THAT(refused.error().message, HasSubstr(one.said));
  }
  EXPECT_TRUE(nothing_is_written());
}

TEST_F(Enrolling, ASecondTimeKeepsKeyAndConfiguration) {
  ASSERT_TRUE(enrol_now());
  const std::string key = text("node.key");
  const auto again = enrol_now();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(text("node.key"), key);
  EXPECT_THAT(again->kept, ElementsAre(at("root.json"), at("node.key"), at("berthd.toml")));
  ::chmod(at("node.key").c_str(), 0644);
  EXPECT_EQ(enrol_now().error().code, Errc::permission) << "others may have read it";
}

TEST_F(Enrolling, AListOfRevokedCertificatesIsPutBesideTheAuthorityAndGoneBy) {
  const std::string list = list_of("ca");
  listen_with_crl();
  const auto done = enrol_now();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(done->wrote, ElementsAre(at("root.json"), at("node.key"), at("node.csr"), at("crl.pem"), at("berthd.toml")));
  EXPECT_EQ(text("crl.pem"), list);
  EXPECT_EQ(config::load(at("berthd.toml"))->remote->files.client_crl_file, at("crl.pem"));
  EXPECT_THAT(enrol_now()->kept, ElementsAre(at("root.json"), at("node.key"), at("crl.pem"), at("berthd.toml")));
  enrolment.crl = at("crl.pem");
  EXPECT_TRUE(enrol_now()) << "it may be there already";
}

TEST_F(Enrolling, WithoutAListNoneIsGoneBy) {
  list_of("ca");
  listen_with_crl();
  enrolment.crl.clear();
  ASSERT_TRUE(enrol_now());
  EXPECT_FALSE(fs::exists(at("crl.pem")));
  EXPECT_THAT(text("berthd.toml"), testing::Not(HasSubstr("client_crl_file")));
}

TEST_F(Enrolling, AnotherListThatIsThereIsNotReplaced) {
  list_of("ca");
  listen_with_crl();
  fs::create_directories(enrolment.folder);
  ASSERT_TRUE(files::replace(at("crl.pem"), "a newer one"));
  const auto refused = enrol_now();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::exists);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("is not replaced"), HasSubstr("--crl " + at("crl.pem").string())));
  EXPECT_EQ(text("crl.pem"), "a newer one");
  EXPECT_TRUE(nothing_is_written());
}

TEST_F(Enrolling, AListByWhichEverybodyWouldBeRefusedIsNotTaken) {
  const auto said = [&](trust::WallTime at) {
    const auto refused = enrol(enrolment, repository, at);
    EXPECT_TRUE(!refused && refused.error().code == Errc::usage);
    return refused ? "" : refused.error().message;
  };
  listen_with_crl();
  EXPECT_THAT(said(trust::kNow), AllOf(HasSubstr("--crl: open "), HasSubstr("No such file"), HasSubstr("berth ca crl")));
  list_of("ca");
  list_of("other");
  ASSERT_TRUE(files::replace(folder.path() / "wrong.pem", "nothing"));
  enrolment.crl = folder.path() / "wrong.pem";
  EXPECT_THAT(said(trust::kNow), HasSubstr("no list of revoked certificates (CRL) can be read"));
  // What else is wrong shows by the authority, where that is there.
  fs::create_directories(enrolment.folder);
  fs::copy_file(folder.path() / "ca/ca.pem", at("ca.pem"));
  enrolment.crl = folder.path() / "other/crl.pem";
  EXPECT_THAT(said(trust::kNow), HasSubstr("it has no list of 'CN=ca'"));
  enrolment.crl = folder.path() / "ca/crl.pem";
  EXPECT_THAT(said(trust::kNow + std::chrono::hours(25)), HasSubstr(" ended at 2030-01-02T00:00:00Z"));
  EXPECT_TRUE(nothing_is_written());
  EXPECT_TRUE(enrol_now());
}

TEST_F(Enrolling, WhatIsSaidWronglyIsToldBeforeAnythingIsAsked) {
  const struct {
    void (*say)(Enrolment&);
    const char* said;
  } cases[] = {{[](Enrolment& e) { e.labels = {"rack"}; }, "--label rack"},
               {[](Enrolment& e) { e.follow = {"web"}; }, "--channel web"},
               {[](Enrolment& e) { e.labels = {"a b=c"}; }, "--label a b=c: 'a b' is no name for a label"},
               {[](Enrolment& e) { e.follow = {"web@Stable"}; }, "--channel web@Stable: 'Stable' is no name of a channel"},
               {[](Enrolment& e) { e.environment = "Qa"; }, "--environment Qa: 'Qa' is no name for an environment"},
               {[](Enrolment& e) { e.node = "a b"; }, "--name a b: node: 'a b' is no name for a node"},
               {[](Enrolment& e) { e.host = "a b"; }, "'a b' is no name for a node"},
               {[](Enrolment& e) { e.url = "ftp://x"; }, "--repo ftp://x: "},
               {[](Enrolment& e) { e.clients = {"alice@example.org=operator"}; }, "--allow is for --listen"},
               {[](Enrolment& e) { e.crl = "crl.pem"; }, "--crl is for --listen"},
               {[](Enrolment& e) { e.listen = "0.0.0.0:9465"; }, "--listen is for --allow"},
               {[](Enrolment& e) { e.listen = "39065"; }, "--listen 39065: '39065' has no port: give"},
               {[](Enrolment& e) { e.listen = "0.0.0.0:9465", e.clients = {"alice@example.org=operator", "bob@example.org=king"}; }, "--allow bob@example.org=king: role: 'king' is none of viewer"},
               {[](Enrolment& e) { e.listen = "0.0.0.0:9465", e.clients = {"alice@example.org=viewer", "alice@example.org=operator"}; }, "berth node enrol: name: there are two clients 'alice@example.org'"}};
  for (const auto& one : cases) {
    Enrolment wrong = enrolment;
    one.say(wrong);
    const auto refused = configuration_of(wrong);
    ASSERT_FALSE(refused) << one.said;
    EXPECT_EQ(refused.error().code, Errc::usage);
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr(one.said), testing::Not(testing::ContainsRegex(":[0-9]+:[0-9]+: |\n")))) << "in one line, and of no file that is not there";
  }
}

}  // namespace
}  // namespace berth::cli::enrol
