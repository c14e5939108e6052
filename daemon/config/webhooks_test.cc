#include "daemon/config/webhooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "daemon/config/event_types.h"

namespace berth::config {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

const std::string kWebhook = "[[webhook]]\nname = \"chat\"\nurl = \"https://chat.example.org/hooks/berth\"\n";

Result<Config> read_with_webhooks(const std::string& webhooks) { return parse("environment = \"qa\"\n" + webhooks, "berthd.toml", "edge-1"); }

std::string webhook_complaint(const std::string& webhooks) {
  const auto config = read_with_webhooks(webhooks);
  return config ? "" : config.error().message;
}

TEST(ConfigWebhooks, AreReadWhole) {
  const auto config = read_with_webhooks(R"([[webhook]]
name = "incidents"
url = "https://incidents.example.org/v1/events?team=a"
secret = "credential:incidents"
events = ["deployment.*", "instance.exit"]
apps = ["web", "api"]
format = "chat"
keep = "24h"
timeout = "5s"
proxy = ""
ca_file = "/etc/berth/ca.pem"
certificate_file = "/etc/berth/node.pem"
key_file = "/etc/berth/node.key"
[[webhook]]
name = "chat"
url = "file:/etc/berth/chat-url"
)");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->webhooks.size(), 2u);
  const Webhook& webhook = config->webhooks[0];
  EXPECT_EQ(webhook.name, "incidents");
  EXPECT_EQ(webhook.url, "https://incidents.example.org/v1/events?team=a");
  EXPECT_EQ(webhook.secret, "credential:incidents");
  EXPECT_EQ(webhook.events, (std::vector<std::string>{"deployment.*", "instance.exit"}));
  EXPECT_EQ(webhook.apps, (std::vector<std::string>{"web", "api"}));
  EXPECT_EQ(webhook.format, WebhookFormat::chat);
  EXPECT_EQ(webhook.keep, std::chrono::hours(24));
  EXPECT_EQ(webhook.timeout, std::chrono::seconds(5));
  EXPECT_EQ(webhook.proxy, "");
  EXPECT_EQ(webhook.key_file, "/etc/berth/node.key");
  const Webhook& other = config->webhooks[1];
  EXPECT_EQ(other.url, "file:/etc/berth/chat-url");
  EXPECT_EQ(other.secret, "");
  EXPECT_EQ(other.events, usual_event_types());
  EXPECT_EQ(other.format, WebhookFormat::event);
  EXPECT_EQ(other.keep, std::chrono::hours(72));
  EXPECT_EQ(other.proxy, std::nullopt);
}

TEST(ConfigWebhooks, AreTheSameWhereTheySayTheSame) {
  const auto one = read_with_webhooks(kWebhook), otherwise = read_with_webhooks("[[webhook]] # a comment\nurl = 'https://chat.example.org/hooks/berth'\nname = 'chat'\n");
  EXPECT_EQ(one->webhooks[0], otherwise->webhooks[0]);
  EXPECT_NE(one->webhooks[0], read_with_webhooks(kWebhook + "keep = \"1h\"\n")->webhooks[0]);
}

TEST(ConfigWebhooks, ComplaintsNameThePlaceAndWhatIsRight) {
  EXPECT_THAT(webhook_complaint("[[webhook]]\nurl = \"https://h/\"\n"), HasSubstr("berthd.toml:2:1: [[webhook]] has no 'name'"));
  EXPECT_THAT(webhook_complaint("[[webhook]]\nname = \"chat\"\n"), HasSubstr("[[webhook]] has no 'url', such as"));
  EXPECT_THAT(webhook_complaint(kWebhook + kWebhook), HasSubstr("berthd.toml:6:8: name: there are two webhooks 'chat', the other one is at berthd.toml:2:1"));
  EXPECT_THAT(webhook_complaint(kWebhook + "secrets = \"\"\n"), testing::StrEq("berthd.toml:5:1: unknown key 'secrets' in [[webhook]] (did you mean 'secret'?)"));
  EXPECT_THAT(webhook_complaint(kWebhook + "events = [\"deployment.fialed\"]\n"), HasSubstr("berthd.toml:5:10: events: there is no 'deployment.fialed' (did you mean 'deployment.failed'?)"));
  EXPECT_THAT(webhook_complaint(kWebhook + "events = [\"deploy\"]\n"), HasSubstr("there is no 'deploy'"));
  EXPECT_THAT(webhook_complaint(kWebhook + "events = [\"*.failed\"]\n"), HasSubstr("there is no '*.failed'"));
  EXPECT_THAT(webhook_complaint(kWebhook + "events = []\n"), HasSubstr("names none"));
  EXPECT_THAT(webhook_complaint(kWebhook + "apps = [\"Web\"]\n"), HasSubstr("'Web' is no name of an app"));
  EXPECT_THAT(webhook_complaint(kWebhook + "apps = []\n"), HasSubstr("names none"));
  EXPECT_THAT(webhook_complaint(kWebhook + "format = \"slack\"\n"), HasSubstr("\"event\" or \"chat\""));
  EXPECT_THAT(webhook_complaint(kWebhook + "keep = \"forever\"\n"), HasSubstr("keep: "));
  EXPECT_THAT(webhook_complaint(kWebhook + "timeout = \"0s\"\n"), HasSubstr("timeout: "));
  EXPECT_THAT(webhook_complaint(kWebhook + "key_file = \"/k\"\n"), HasSubstr("go together"));
  EXPECT_THAT(webhook_complaint("[[webhook]]\nname = \"chat\"\nurl = \"http://h/\"\nca_file = \"/ca\"\n"), HasSubstr("ca_file is for https:// alone"));
  EXPECT_THAT(webhook_complaint("webhook = 1\n"), HasSubstr("write [[webhook]]"));
  EXPECT_THAT(webhook_complaint("[[webhooks]]\nname = \"chat\"\n"), HasSubstr("did you mean 'webhook'?"));
  std::string many;
  for (int i = 0; i < 17; ++i) many += "[[webhook]]\nname = \"a" + std::to_string(i) + "\"\nurl = \"https://h/\"\n";
  EXPECT_THAT(webhook_complaint(many), HasSubstr("more than 16 webhooks"));
}

TEST(ConfigWebhooks, ComplaintsDoNotShowWhatMayBeASecret) {
  for (const char* url : {"ftp://h/hidden", "https://user:hidden@h/", "https:///hidden", "https://h/hid den", "hidden", "https://h\\nhidden/"}) {
    const std::string said = webhook_complaint(std::string("[[webhook]]\nname = \"chat\"\nurl = \"") + url + "\"\n");
    EXPECT_THAT(said, HasSubstr("berthd.toml:4:7: url: it ")) << url;
    EXPECT_THAT(said, Not(HasSubstr("hid"))) << url;
  }
  const std::string said = webhook_complaint(kWebhook + "secret = \"whsec_hidden\"\n");
  EXPECT_THAT(said, HasSubstr("berthd.toml:5:10: secret: it is no reference to a secret"));
  EXPECT_THAT(said, Not(HasSubstr("hidden")));
}

TEST(ConfigWebhooks, FilesThatAreNotThereAreTold) {
  const files::TemporaryDirectory folder;
  const std::string there = folder.path() / "there", missing = folder.path() / "missing";
  ASSERT_TRUE(files::replace(there, "x"));
  const auto check = [&](const std::string& keys) {
    const auto config = read_with_webhooks(kWebhook + keys);
    EXPECT_TRUE(config) << config.error().message;
    const auto checked = check_files(*config);
    return checked ? std::string() : checked.error().message;
  };
  EXPECT_EQ(check("secret = \"file:" + there + "\"\nca_file = \"" + there + "\"\n"), "");
  EXPECT_THAT(check("secret = \"file:" + missing + "\"\n"), testing::StartsWith("berthd.toml:5:10: [[webhook]] chat: secret: "));
  EXPECT_THAT(check("ca_file = \"" + missing + "\"\n"), testing::StartsWith("berthd.toml:5:11: [[webhook]] chat: ca_file: "));
}

/// In the table of the page: all of them, and in bold those that are usual.
TEST(EventTypes, AreAsThePageHasThem) {
  const std::string page = files::read(BERTH_SOURCE "/docs/webhooks.md", 1u << 20).value();
  const auto begin = page.find("|---|---|", page.find("## Which events"));
  const std::string table = page.substr(begin, page.find("## The body") - begin);
  std::vector<std::string> all, usual;
  for (auto at = table.find('`'); at != std::string::npos; at = table.find('`', at + 1)) {
    const auto end = table.find('`', at + 1);
    const std::string type = table.substr(at + 1, end - at - 1);
    const std::string_view row = std::string_view(table).substr(table.rfind('\n', at), at - table.rfind('\n', at));
    const bool is_type = !row.contains(" | ");  // in the first column
    if (is_type) all.push_back(type);
    if (is_type && table[at - 1] == '*') usual.push_back(type);
    at = end;
  }
  EXPECT_THAT(all, testing::UnorderedElementsAreArray(event_types()));
  EXPECT_THAT(usual, testing::UnorderedElementsAreArray(usual_event_types()));
}

TEST(EventTypes, AreMatchedWholeOrByTheirBeginning) {
  EXPECT_TRUE(matches_type("*", "deployment.failed"));
  EXPECT_TRUE(matches_type("deployment.*", "deployment.failed"));
  EXPECT_TRUE(matches_type("deployment.failed", "deployment.failed"));
  EXPECT_FALSE(matches_type("deployment", "deployment.failed"));
  EXPECT_FALSE(matches_type("job.*", "deployment.failed"));
  EXPECT_FALSE(matches_type("deployment.failed", "deployment.fail"));
}

TEST(EventTypes, ThoseThatAreUsualAreSomeOfThem) {
  const auto all = event_types(), usual = usual_event_types();
  EXPECT_LT(usual.size(), all.size());
  for (const std::string& type : usual) EXPECT_THAT(all, Contains(type));
  EXPECT_THAT(usual, Contains("deployment.failed"));
  EXPECT_THAT(usual, Not(Contains("operator.exec"))) << "a command by hand may have something secret in it";
}

}  // namespace
}  // namespace berth::config
