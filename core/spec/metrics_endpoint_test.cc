#include <gmock/gmock.h>

#include "core/json/json.h"
#include "core/spec/spec_fixture.h"

namespace berth::spec {
namespace {

using testing::HasSubstr;

std::string with(const std::string& lines) { return std::string(kLeast) + lines; }

TEST(MetricsEndpoint, IsSaidInShortOrInFull) {
  EXPECT_FALSE(parsed(kLeast).processes.at("web").metrics);
  EXPECT_FALSE(parsed(with("port = 80\nmetrics = false\n")).processes.at("web").metrics);
  const Process shortly = parsed(with("port = 80\nmetrics = true\n")).processes.at("web");
  EXPECT_EQ(shortly.metrics, (MetricsEndpoint{.port = "", .path = "/metrics"}));
  EXPECT_EQ(metrics_port(shortly), "http");
  const Process whole = parsed(with("port = 80\nmetrics = { port = \"admin\", path = \"/stats?format=prometheus\" }\nports = { admin = { private = true } }\n")).processes.at("web");
  EXPECT_EQ(whole.metrics, (MetricsEndpoint{.port = "admin", .path = "/stats?format=prometheus"}));
  EXPECT_EQ(metrics_port(whole), "admin");
}

TEST(MetricsEndpoint, ThatIsWrongIsToldWithItsPlace) {
  const std::pair<const char*, const char*> table[] = {
      {"metrics = true\n", "'metrics' in [process.web] needs a port of the process"},
      {"port = 80\nmetrics = { port = \"admin\" }\n", "'port' in [process.web.metrics] names 'admin', which is no port"},
      {"port = 80\nmetrics = { path = \"metrics\" }\n", "'path' in [process.web.metrics] must be a path"},
      {"port = 80\nmetrics = { url = \"/\" }\n", "unknown key 'url' in [process.web.metrics]"},
      {"port = 80\nmetrics = \"/metrics\"\n", "'metrics' in [process.web] must be"},
  };
  for (const auto& [lines, complaint] : table) {
    const auto spec = parse_toml(with(lines), "berth.toml");
    ASSERT_FALSE(spec) << lines;
    EXPECT_THAT(spec.error().message, HasSubstr(complaint)) << lines;
  }
}

TEST(MetricsEndpoint, IsReadAgainFromAManifest) {
  const AppSpec spec = parsed(with("port = 80\nmetrics = { path = \"/stats\" }\n"));
  EXPECT_EQ(from_json(to_json(spec)).value(), spec);
  EXPECT_EQ(json::text(to_json(parsed(kLeast))).find("metrics"), std::string::npos) << "a build without them is named as before there were any";
  auto changed = to_json(spec);
  changed.at("process").at("web").at("metrics").as_object()["port"] = "nobody";
  EXPECT_THAT(from_json(changed).error().message, HasSubstr("names 'nobody'"));
}

}  // namespace
}  // namespace berth::spec
