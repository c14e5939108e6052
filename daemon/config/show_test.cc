#include "daemon/config/show.h"

#include <gmock/gmock.h>

namespace berth::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(ShownConfig, HasEachValueWithWhereItIsFrom) {
  const std::string said = "environment = \"qa\"\n[labels]\nrack = \"r7\"\n[metrics]\nlisten = \"\"\n[store]\nkeep_releases = 5\n";
  const auto shown = show({{.name = "/etc/berth/berthd.toml", .text = said}}, "edge-1", {});
  ASSERT_TRUE(shown) << shown.error().message;
  for (const char* line : {"\nnode = \"edge-1\" +# default\n", "\nenvironment = \"qa\" +# berthd.toml:1\n", "\n\\[labels\\]\nrack = \"r7\" +# berthd.toml:3\n", "\nlisten = \"\" +# berthd.toml:5\n",
                           "\nkeep_releases = 5 +# berthd.toml:7\n", "\nreserve = \"256MB\" +# default\n", "\nverify_every = \"1d\" +# default\n", "\nkeep_age = \"\" +# default\n", "\nkeep_bytes = \"\" +# default\n", "\nstate = \"/var/lib/berth\" +# default\n",
                           "\norphans = \"keep\" +# default\n", "\nlevel = \"info\" +# default\n",
                           "\n# url is not set +# default\n"})
    EXPECT_THAT(*shown, testing::ContainsRegex(line));
}

TEST(ShownConfig, IsAConfigurationThatSaysTheSame) {
  const std::string said = R"(environment = "qa"
node = "edge-2"
[repository]
url = "https://releases.example.org/r"
root = "/etc/berth/root.json"
mirrors = ["https://mirror.example.org/r", "file:///srv/r"]
token = "file:/etc/berth/token"
[metrics]
listen = "[::1]:9464"
page = true
[api]
group = ""
[policy]
users = ["web:root"]
[[follow]]
app = "web"
channel = "stable"
[[follow]]
app = "db"
release = "v4"
interval = "90s"
)";
  const auto once = parse(said, "berthd.toml", "edge-1");
  ASSERT_TRUE(once) << once.error().message;
  const auto shown = show({{.name = "berthd.toml", .text = said}}, "edge-1", {});
  ASSERT_TRUE(shown);
  const auto again = parse(*shown, "berthd.toml", "edge-1");
  ASSERT_TRUE(again) << again.error().message << "\n" << *shown;
  EXPECT_THAT(changed_until_restart(*once, *again), IsEmpty()) << *shown;
}

TEST(ShownConfig, OfAWrongOneIsItsComplaints) { EXPECT_THAT(show({{.name = "berthd.toml", .text = "nod = 1"}}, "edge-1", {}).error().message, HasSubstr("did you mean 'node'?")); }

}  // namespace
}  // namespace berth::config
