#include "daemon/config/sinks.h"

#include <filesystem>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "daemon/config/values.h"

namespace berth::config {
namespace {

using testing::HasSubstr;

/// A kind as daemon/ship has them.
const std::vector<SinkKind> kTestKinds{{"file", [](Section& section) {
                                          std::string path;
                                          section.read("path", path, [](const std::string& text) { return Result<std::string>(text); });
                                          if (!section.has("path")) section.complain("path", "no 'path'");
                                          return std::any(path);
                                        }}};

Result<Config> read_with_sinks(const std::string& sinks) { return parse("environment = \"qa\"\n" + sinks, "berthd.toml", "edge-1", kTestKinds); }

std::string sink_complaint(const std::string& sinks) {
  const auto config = read_with_sinks(sinks);
  return config ? "" : config.error().message;
}

TEST(ConfigSinks, AreReadWhole) {
  const auto config = read_with_sinks(R"([[sink]]
name = "agent"
kind = "file"
path = "/x"
apps = ["web", "api"]
labels = { rack = "r7" }
required = false
events = true
daemon = true
batch_lines = 500
batch_bytes = "64KiB"
batch_wait = "250ms"
[[sink]]
name = "other"
kind = "file"
path = "/y"
)");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->sinks.size(), 2u);
  const Sink& sink = config->sinks[0];
  EXPECT_EQ(sink.name, "agent");
  EXPECT_EQ(sink.apps, (std::vector<std::string>{"web", "api"}));
  EXPECT_EQ(sink.labels, (std::map<std::string, std::string>{{"rack", "r7"}}));
  EXPECT_FALSE(sink.required);
  EXPECT_TRUE(sink.events);
  EXPECT_TRUE(sink.daemon);
  EXPECT_EQ(sink.batch_lines, 500u);
  EXPECT_EQ(sink.batch_bytes, 65536u);
  EXPECT_EQ(sink.batch_wait, std::chrono::milliseconds(250));
  EXPECT_EQ(std::any_cast<std::string>(sink.settings), "/x");
  EXPECT_TRUE(config->sinks[1].required);
  EXPECT_FALSE(config->sinks[1].events);
}

TEST(ConfigSinks, AreTheSameWhereTheySayTheSame) {
  const auto one = read_with_sinks("[[sink]]\nname = \"a\"\nkind = \"file\"\npath = \"/x\"\n");
  const auto written_otherwise = read_with_sinks("# a comment\n[[sink]]\nkind = 'file' # kind\npath = \"/x\"\nname = \"a\"\n");
  const auto other = read_with_sinks("[[sink]]\nname = \"a\"\nkind = \"file\"\npath = \"/y\"\n");
  EXPECT_EQ(one->sinks[0], written_otherwise->sinks[0]);
  EXPECT_NE(one->sinks[0], other->sinks[0]);
}

TEST(ConfigSinks, ComplaintsNameThePlaceAndWhatIsRight) {
  const std::string sink = "[[sink]]\nname = \"a\"\nkind = \"file\"\npath = \"/x\"\n";
  EXPECT_THAT(sink_complaint("[[sink]]\nname = \"a\"\nkind = \"fil\"\npath = 1\n"), testing::StrEq("berthd.toml:4:8: kind: there is no 'fil': give one of file"));
  EXPECT_THAT(sink_complaint("[[sink]]\nname = \"a\"\n"), HasSubstr("has no 'kind': give one of file"));
  EXPECT_THAT(sink_complaint("[[sink]]\nname = \"a\"\nkind = \"file\"\n"), HasSubstr("no 'path'"));
  EXPECT_THAT(sink_complaint("[[sink]]\nkind = \"file\"\npath = \"/x\"\n"), HasSubstr("has no 'name'"));
  EXPECT_THAT(sink_complaint(sink + sink), HasSubstr("berthd.toml:7:8: name: there are two sinks 'a'"));
  EXPECT_THAT(sink_complaint(sink + "[[sink]]\nname = \"b\"\nkind = \"file\"\npath = \"/y/../x\"\n"),
              testing::StartsWith("berthd.toml:9:8: path: the sink 'a' writes that file already"));
  EXPECT_EQ(sink_complaint(sink + "[[sink]]\nname = \"b\"\nkind = \"file\"\npath = \"/y\"\n"), "");
  EXPECT_THAT(sink_complaint(sink + "patth = \"\"\n"), HasSubstr("unknown key 'patth' in [[sink]] (did you mean 'path'?)"));
  EXPECT_THAT(sink_complaint(sink + "events = \"yes\"\n"), HasSubstr("'events' is true or false, without quotes"));
  EXPECT_THAT(sink_complaint(sink + "labels = \"r7\"\n"), HasSubstr("'labels' is not a table"));
  EXPECT_THAT(sink_complaint(sink + "labels = { rack = 7 }\n"), HasSubstr("'rack' in 'labels' is not a string"));
  EXPECT_THAT(sink_complaint(sink + "labels = { \"7x\" = \"a\" }\n"), HasSubstr("'7x' is no name"));
  EXPECT_THAT(sink_complaint(sink + "apps = []\n"), HasSubstr("names none"));
  EXPECT_THAT(sink_complaint(sink + "apps = [\"Web\"]\n"), HasSubstr("'Web' is no name of an app"));
  EXPECT_THAT(sink_complaint(sink + "batch_bytes = \"1GiB\"\n"), HasSubstr("not from 4KiB to 4MiB"));
  EXPECT_THAT(sink_complaint(sink + "batch_lines = 0\n"), HasSubstr("batch_lines"));
  EXPECT_THAT(sink_complaint(sink + "batch_wait = \"2m\"\n"), HasSubstr("more than '1m'"));
  EXPECT_THAT(sink_complaint("sink = 1\n"), HasSubstr("write [[sink]]"));
  EXPECT_THAT(sink_complaint("[logs]\ncompress = \"no\"\n"), HasSubstr("true or false"));
  std::string many;
  for (int i = 0; i < 17; ++i) many += "[[sink]]\nname = \"a" + std::to_string(i) + "\"\nkind = \"file\"\npath = \"/x\"\n";
  EXPECT_THAT(sink_complaint(many), HasSubstr("more than 16 sinks"));
}

TEST(ConfigSinks, NoneWritesAmongTheFilesOfBerthd) {
  const auto complaint = [](const std::string& path, const std::string& paths = "") {
    const auto config = parse(fmt::format("environment = \"qa\"\n{}[[sink]]\nname = \"a\"\nkind = \"file\"\npath = \"{}\"\n", paths, path), "/no/such/etc/berthd.toml", "edge-1", kTestKinds);
    return config ? "" : config.error().message;
  };
  const std::string advice = ", whose files are berthd's own: give the sink a folder of its own, such as /var/log/berth-out";
  EXPECT_EQ(complaint("/var/lib/berth/events.log"),
            "/no/such/etc/berthd.toml:5:8: path: /var/lib/berth/events.log lies in /var/lib/berth, the folder of [paths] state" + advice);
  EXPECT_THAT(complaint("/var/lib/berth/new/out.log"), HasSubstr("the folder of [paths] state"));
  EXPECT_THAT(complaint("/var/log/../lib/berth/berth.db"), HasSubstr("the folder of [paths] state"));
  EXPECT_THAT(complaint("/var/log/berth/web/out.log"), HasSubstr("the folder of [paths] logs"));
  EXPECT_THAT(complaint("/no/such/etc/conf.d/zz.toml"), HasSubstr("lies in /no/such/etc/conf.d, the folder of the configuration"));
  EXPECT_THAT(complaint("/no/such/etc/zz.toml"), HasSubstr("lies in /no/such/etc, the folder of the configuration"));
  EXPECT_EQ(complaint("/no/such/etc/out/all.jsonl"), "");
  EXPECT_EQ(complaint("/var/log/berth-out/all.jsonl"), "");
  EXPECT_EQ(complaint("/no/such/etcetera/all.jsonl"), "");
  const std::string paths = "[paths]\nstate = \"/no/such/state\"\nlogs = \"/no/such/logs\"\nrun = \"/no/such/run\"\n";
  EXPECT_EQ(complaint("/var/lib/berth/events.log", paths), "");
  EXPECT_THAT(complaint("/no/such/run/api.sock", paths), HasSubstr("the folder of [paths] run"));
}

TEST(ConfigSinks, NoLinkLeadsThemThere) {
  const files::TemporaryDirectory folder;
  std::filesystem::create_directories(folder.path() / "state");
  std::filesystem::create_directory_symlink(folder.path() / "state", folder.path() / "elsewhere");
  const auto config = read_with_sinks(fmt::format("[paths]\nstate = \"{0}/state\"\n[[sink]]\nname = \"a\"\nkind = \"file\"\npath = \"{0}/elsewhere/events.log\"\n", folder.path().string()));
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("the folder of [paths] state"));
}

}  // namespace
}  // namespace berth::config
