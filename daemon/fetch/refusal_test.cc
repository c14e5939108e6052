#include "daemon/fetch/refusal.h"

#include <gmock/gmock.h>

namespace berth::fetch {
namespace {

TEST(Refusal, IsOfTheRuleThatItsWordsTell) {
  const std::pair<const char*, const char*> table[] = {
      {"timestamp.json: 0 of its role's 1 keys signed it rightly, 1 must; it is forged, damaged, or …", "signature"},
      {"targets.json: version 3 expired at 2026-11-24T09:00:00Z, and it is 2026-11-25T09:00:00Z; …", "expiry"},
      {"snapshot.json: version 3 is older than 4, which this node has seen (a rollback)", "rollback"},
      {"channel stable of web/production is an old one that was played back: its serial is 3", "rollback"},
      {"2.root.json: says it is version 3, but 2 comes after 1", "version"},
      {"snapshot.json: is version 3, but timestamp.json lists 4", "version"},
      {"targets.json: its sha256 is not the signed one, 3f2a…", "hash"},
      {"layer 3f2a…: its MiB 2 of 3 is not what was signed for (SHA-256 differs; …)", "hash"},
      {"target 'web/production/v1.json': has 12 bytes, not the 13 signed for", "length"},
      {"layer 3f2a…: is 12 bytes short of 100 (repository truncated it?)", "length"},
      {"its manifest is of another app, 'api': whoever signed it made a mistake, or worse", "content"},
      {"manifest: requires berthd 99.1.0, and this is 0.1.0: upgrade berth here (manifest: …)", "requirement"},
      {"web/production@v42: needs 'x', which berthd 0.1.0 does not have: upgrade berth on this node", "requirement"},
      {"web/production@v42: is built for linux/amd64, and this machine is linux/arm64", "requirement"},
      {"no root is pinned in /var/lib/berth/trust; give the repository's root.json first", "missing"},
      {"role 'web': snapshot.json does not list it; it was never published, or withdrawn", "missing"},
      {"https://host/metadata/timestamp.json: 404 Not Found: the repository does not have timestamp.json, …, it is not whole, or somebody withholds it", "missing"},
      {"target 'web/does not list it': its sha256 is not the signed one, 3f2a…", "hash"},
      {"", "content"},
  };
  for (const auto& [message, rule] : table) {
    EXPECT_EQ(rule_of_refusal(message), rule) << message;
    EXPECT_THAT(kRefusalRules, testing::Contains(rule));
  }
}

}  // namespace
}  // namespace berth::fetch
