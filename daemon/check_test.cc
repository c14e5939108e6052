#include "daemon/check.h"

#include <chrono>
#include <filesystem>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/io/tls_authority.h"
#include "core/trust/repository.h"
#include "daemon/ship/kinds.h"

namespace berth {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CheckTest : public testing::Test {
 protected:
  std::string put(const std::string& name, const std::string& text) {
    const auto file = folder.path() / name;
    EXPECT_TRUE(files::replace(file, text, 0600));
    return file.string();
  }

  static Result<std::vector<std::string>> check(const std::string& text) {
    const auto config = config::parse("environment = \"production\"\n" + text, "berthd.toml", "edge-1", ship::sink_kinds());
    EXPECT_TRUE(config) << config.error().message;
    return check_config(config.value_or(config::Config()));
  }

  /// What is wrong; empty: nothing.
  static std::string wrong(const std::string& text) {
    const auto checked = check(text);
    if (checked) return "";
    EXPECT_EQ(checked.error().code, Errc::usage) << "the exit code is that of a wrong configuration, whatever was not found";
    return checked.error().message;
  }

  static std::string webhook(const std::string& more) { return "[[webhook]]\nname = \"chat\"\n" + more; }

  /// A repository, as `berth repo init` makes it.
  fs::path repository() {
    const fs::path repo = folder.path() / "repo";
    const auto made = trust::init_repository(repo, folder.path() / "keys", std::chrono::system_clock::now());
    EXPECT_TRUE(made) << made.error().message;
    return repo;
  }

  files::TemporaryDirectory folder;
};

TEST_F(CheckTest, OfAWebhookSaysWhatAReloadWouldRefuse) {
  const std::string url = "url = \"https://chat.example/hook\"\n";
  const auto secret = [&](const std::string& text) { return wrong(webhook(url + "secret = \"file:" + put("secret", text) + "\"\n")); };
  EXPECT_EQ(secret("whsec_aGlkZGVuIGtleQ==\n"), "");
  EXPECT_EQ(secret(""), "berthd.toml:2:1: [[webhook]] chat: secret: it is empty");
  EXPECT_EQ(secret("whsec_!!!"), "berthd.toml:2:1: [[webhook]] chat: secret: behind its 'whsec_' is no base64");
  EXPECT_EQ(wrong(webhook("url = \"file:" + put("url", "https://chat.example/hook\n") + "\"\n")), "");
  EXPECT_THAT(wrong(webhook("url = \"file:" + put("url", "not a url") + "\"\n")), HasSubstr("[[webhook]] chat: url: it is no address of the web"));
  EXPECT_THAT(wrong(webhook("url = \"https://chat.example:99999/hook\"\n")), HasSubstr("[[webhook]] chat: url: "));
}

TEST_F(CheckTest, SecretsThatBerthdAloneIsGivenAreNotLookedAt) {
  for (const char* reference : {"credential:chat", "env:NO_SUCH_VARIABLE_HERE", "command:/bin/false"}) {
    EXPECT_EQ(wrong(webhook(fmt::format("url = \"{0}\"\nsecret = \"{0}\"\n", reference))), "") << reference;
    EXPECT_EQ(wrong(fmt::format("[metrics]\nlisten = \"127.0.0.1:9464\"\ntoken = \"{}\"\n", reference)), "") << reference;
  }
}

TEST_F(CheckTest, WhatIsNotThereIsAWrongConfigurationAndSaysWhatToDo) {
  const std::string nope = (folder.path() / "nope").string(), advice = "open " + nope + ": No such file or directory: put it there, or name another file";
  EXPECT_EQ(wrong(fmt::format("[metrics]\nlisten = \"127.0.0.1:9464\"\ntoken = \"file:{}\"\n", nope)), "[metrics] token: " + advice);
  EXPECT_EQ(wrong(fmt::format("[repository]\nurl = \"https://r.example\"\nroot = \"{}\"\n", nope)), "[repository] root: " + advice);
  EXPECT_EQ(wrong(webhook(fmt::format("url = \"https://chat.example\"\nsecret = \"file:{}\"\n", nope))), "berthd.toml:5:10: [[webhook]] chat: secret: " + advice);
  EXPECT_THAT(wrong(fmt::format("[[sink]]\nname = \"far\"\nkind = \"loki\"\nurl = \"https://l.example\"\nca_file = \"{}\"\n", nope)), HasSubstr("[[sink]] far: ca_file: open"));
  EXPECT_THAT(wrong(fmt::format("[metrics]\nlisten = \"127.0.0.1:9464\"\ntoken = \"file:{}\"\n", put("token", "short"))), HasSubstr("[metrics] token: it is no token"));
}

TEST_F(CheckTest, OfASinkSaysWhatItWouldNeverBeAbleToDo) {
  const std::string nope = (folder.path() / "nope").string(), advice = "open " + nope + ": No such file or directory: put it there, or name another file";
  const auto loki = [&](const std::string& keys) { return wrong("[[sink]]\nname = \"far\"\nkind = \"loki\"\nurl = \"https://l.example\"\n" + keys); };
  EXPECT_EQ(loki(fmt::format("token = \"file:{}\"\n", nope)), "berthd.toml:2:1: [[sink]] far: token: " + advice);
  EXPECT_EQ(loki(fmt::format("user = \"me\"\npassword = \"file:{}\"\n", nope)), "berthd.toml:2:1: [[sink]] far: password: " + advice);
  EXPECT_EQ(loki(fmt::format("token = \"file:{}\"\n", put("token", "something"))), "");
  EXPECT_EQ(loki("token = \"env:NO_SUCH_VARIABLE_HERE\"\n"), "");
  const auto file = [&](const std::string& path, const std::string& keys = "") { return wrong(fmt::format("[[sink]]\nname = \"agent\"\nkind = \"file\"\npath = \"{}\"\n{}", path, keys)); };
  EXPECT_EQ(file(nope), "");
  EXPECT_EQ(file(nope, "group = \"no-such-group\"\n"),
            "berthd.toml:2:1: [[sink]] agent: group: there is no group 'no-such-group': make it ('groupadd --system no-such-group'), or name another one");
  EXPECT_EQ(file(folder.path().string()), fmt::format("berthd.toml:2:1: [[sink]] agent: path: {} is a folder: give the sink a file of its own", folder.path().string()));
  EXPECT_THAT(file("/dev/null"), HasSubstr("path: /dev/null is no plain file"));
  EXPECT_THAT(file("/proc/no/such/file"), HasSubstr("path: /proc is on a file system that is the kernel's"));
  EXPECT_THAT(file(put("plain", "x") + "/out/all.jsonl"), HasSubstr("plain is no folder, and the file would be below it"));
}

TEST_F(CheckTest, OfTheRepositorySaysWhatIsNoRootOfTrust) {
  const auto repo = repository();
  const auto root = [&](const fs::path& file) { return wrong(fmt::format("[repository]\nurl = \"https://r.example\"\nroot = \"{}\"\n", file.string())); };
  EXPECT_EQ(root(repo / "metadata/root.json"), "");
  EXPECT_EQ(root(repo / "metadata/1.root.json"), "");
  const std::string advice = "): it should be the repository's own metadata/root.json, by a way that you trust";
  EXPECT_THAT(root(put("berthd.out", "3 starts\n")), AllOf(testing::StartsWith("[repository] root: " + (folder.path() / "berthd.out").string() + " is no root of trust (JSON, byte "), HasSubstr(advice)));
  EXPECT_THAT(root(repo / "metadata/timestamp.json"), AllOf(HasSubstr("timestamp.json is no root of trust (is of type 'timestamp', not 'root'"), HasSubstr(advice)));
  auto text = files::read(repo / "metadata/root.json", 1u << 20).value_or("");
  const auto version = text.find("\"version\": 1");
  text.replace(version == std::string::npos ? text.find("\"version\":1") + 10 : version + 11, 1, "9");
  EXPECT_THAT(root(put("changed.json", text)), AllOf(HasSubstr("changed.json is no root of trust ("), HasSubstr("the signature by key"), HasSubstr(advice)));
}

TEST_F(CheckTest, OfARepositoryOfThisMachineThatIsNotThereWarns) {
  const auto repo = repository();
  const auto warnings = [&](const fs::path& place) {
    return check(fmt::format("[repository]\nurl = \"file://{}\"\nroot = \"{}/metadata/root.json\"\n", place.string(), repo.string())).value_or(std::vector<std::string>{"it failed"});
  };
  EXPECT_THAT(warnings(repo), IsEmpty());
  EXPECT_THAT(warnings(folder.path() / "gone"), ElementsAre(HasSubstr(fmt::format("[repository] url: there is no folder {}/gone, and no release is taken until there is", folder.path().string()))));
  EXPECT_THAT(warnings(folder.path()), ElementsAre(HasSubstr(folder.path().string() + " has no folder metadata")));
}

TEST_F(CheckTest, TheRootMattersAtAStartUntilOneIsPinned) {
  const auto repo = repository();
  config::Config config{.state = folder.path() / "state", .repository = {.url = "https://r.example", .root = repo / "metadata/root.json"}};
  EXPECT_EQ(trouble_of_root(config), "");
  config.repository.root = repo / "metadata/timestamp.json";
  EXPECT_THAT(trouble_of_root(config), AllOf(HasSubstr("[repository] root: "), HasSubstr("timestamp.json is no root of trust"), HasSubstr("no release is taken")));
  config.repository.root = folder.path() / "nope";
  EXPECT_THAT(trouble_of_root(config), HasSubstr("nope: No such file or directory"));
  fs::create_directories(folder.path() / "state/tuf");
  put("state/tuf/root.json", "{}");
  EXPECT_EQ(trouble_of_root(config), "") << "which is what counts";
}

TEST_F(CheckTest, OfTheRepositorySaysWhichSecretIsNotThere) {
  const std::string nope = (folder.path() / "nope").string(), root = (repository() / "metadata/root.json").string();
  const auto repository = [&](const std::string& keys) { return wrong(fmt::format("[repository]\nurl = \"https://r.example\"\nroot = \"{}\"\n{}", root, keys)); };
  EXPECT_EQ(repository(""), "");
  EXPECT_THAT(repository(fmt::format("token = \"file:{}\"\n", nope)), HasSubstr("[repository] token: open " + nope));
  EXPECT_THAT(repository(fmt::format("user = \"me\"\npassword = \"file:{}\"\n", nope)), HasSubstr("[repository] password: open " + nope));
}

TEST_F(CheckTest, AReloadLooksAtSecretsThatChanged) {
  const std::string nope = "file:" + (folder.path() / "nope").string();
  const config::Config running{.repository = {.token = nope}, .metrics_token = nope};
  EXPECT_TRUE(check_changed_secrets(running, running)) << "what is so already is told elsewhere";
  config::Config other = running;
  other.metrics_token = nope + "2";
  EXPECT_THAT(check_changed_secrets(running, other).error().message, HasSubstr("[metrics] token: open "));
  other = running;
  other.repository.token = nope + "2";
  EXPECT_THAT(check_changed_secrets(running, other).error().message, HasSubstr("[repository] token: open "));
  other.repository.token = "file:" + put("token", "x");
  EXPECT_TRUE(check_changed_secrets(running, other));
}

class CheckListenersTest : public CheckTest {
 protected:
  std::string api(const std::string& listen, const std::string& certificate = "local", const std::string& more = "") const {
    return fmt::format("[api]\nlisten = \"{}\"\ncertificate_file = \"{}\"\nkey_file = \"{}\"\nclient_ca_file = \"{}\"\n{}[[api.client]]\nname = \"ci.example.org\"\nrole = \"viewer\"\n", listen,
                       authority.path(certificate + ".pem"), authority.path(certificate + ".key"), authority.path("ca.pem"), more);
  }
  static std::vector<std::string> warnings(const std::string& text) {
    auto checked = check(text);
    EXPECT_TRUE(checked) << checked.error().message;
    std::vector<std::string> others;
    for (std::string& warning : checked.value_or(std::vector<std::string>()))
      if (warning.find("everybody on this node can read it") == std::string::npos) others.push_back(std::move(warning));  // openssl's umask
    return others;
  }

  const io::Authority authority;
};

TEST_F(CheckListenersTest, TwoAtOneAddressAreRefused) {
  EXPECT_EQ(wrong("[metrics]\nlisten = \"127.0.0.1:9464\"\n" + api("127.0.0.1:9465")), "");
  EXPECT_THAT(wrong("[metrics]\nlisten = \"127.0.0.1:9465\"\n" + api("127.0.0.1:9465")), HasSubstr("[api] listen and [metrics] listen are both at port 9465"));
  EXPECT_THAT(wrong("[metrics]\nlisten = \"127.0.0.1:9465\"\n" + api("0.0.0.0:9465")), HasSubstr("give one another port"));
}

TEST_F(CheckListenersTest, CertificatesThatEndedAreTold) {
  EXPECT_THAT(warnings(api("127.0.0.1:9465")), IsEmpty());
  EXPECT_THAT(warnings(api("127.0.0.1:9465", "expired")), ElementsAre(testing::AllOf(HasSubstr("[api] certificate_file "), HasSubstr("expired.pem ended at 2"), HasSubstr("put a new one in its place"))));
  EXPECT_THAT(warnings(fmt::format("[metrics]\nlisten = \"127.0.0.1:9464\"\ncertificate_file = \"{}\"\nkey_file = \"{}\"\n", authority.path("expired.pem"), authority.path("expired.key"))),
              ElementsAre(HasSubstr("[metrics] certificate_file ")));
}

TEST_F(CheckListenersTest, ListsOfRevokedCertificatesThatDoNotCountAreTold) {
  const std::string more = fmt::format("client_crl_file = \"{}\"\n", authority.path("crl.pem")), all = api("127.0.0.1:9465", "local", more);
  EXPECT_THAT(wrong(all), HasSubstr("[api] client_crl_file: "));
  authority.list_revoked("crl.pem", {"client"});
  EXPECT_THAT(warnings(all), IsEmpty());
  authority.list_revoked("crl.pem", {}, 86400, "other-ca");
  EXPECT_THAT(warnings(all), ElementsAre(testing::AllOf(HasSubstr("[api]: every client is refused, since client_crl_file "), HasSubstr("berth ca crl"))));
}

TEST_F(CheckListenersTest, GroupsThatAreNotThereAreTold) {
  EXPECT_THAT(warnings(""), IsEmpty()) << "the usual one is made with the package";
  EXPECT_THAT(warnings("[api]\ngroup = \"no-such-group\"\n[[api.local]]\ngroup = \"nor-this\"\nrole = \"viewer\"\n[[api.local]]\ngroup = \"root\"\nrole = \"viewer\"\n"),
              ElementsAre(HasSubstr("[api] group: there is no group 'no-such-group'"), HasSubstr("[[api.local]] group: there is no group 'nor-this'")));
}

}  // namespace
}  // namespace berth
