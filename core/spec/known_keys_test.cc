#include "core/spec/known_keys.h"

#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/files.h"

namespace berth::spec {
namespace {

/// With every table that there can be.
constexpr const char* kEveryTable = R"(
[process.web]
stop = {}
metrics = {}
limits = {}
sandbox = {}
ports.admin = {}
[process.web.readiness]
grpc = {}
[deploy]
canary = {}
bake = { metric = { max_rate = 1 }, log = { max_rate = 1 } }
[env.GREETING]
[logs]
[hooks.ready-to-switch]
[data]
snapshot = {}
)";

bool is_key(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; }

/// What the page's berth.toml says in each table, comments and all; the lines before the first one below "".
std::map<std::string, std::string> documented() {
  const auto page = files::read(BERTH_FORMATS_PAGE, 1u << 20);
  EXPECT_TRUE(page) << page.error().message;
  const auto begin = page->find("```toml\napp = ");
  EXPECT_NE(begin, std::string::npos);
  std::istringstream lines(page->substr(begin, page->find("```\n", begin + 3) - begin));
  std::map<std::string, std::string> tables;
  std::string table;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('[')) table = line.substr(1, line.find(']') - 1);
    tables[table] += line + "\n";
  }
  return tables;
}

/// Whether `text` says "key = ", or names one of systemd's limits.
bool says(const std::string& text, const std::string& key) {
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) {
    if (at > 0 && is_key(text[at - 1])) continue;
    const std::string rest = text.substr(at + key.size(), 3);
    if (rest.starts_with(" = ") || (key.starts_with("Limit") && !is_key(rest[0]))) return true;
  }
  return false;
}

/// As in "[hooks.ready-to-switch] # also post-start, pre-stop".
bool is_named_beside_another(const std::map<std::string, std::string>& tables, const std::string& key) {
  return std::ranges::any_of(tables, [&](const auto& one) {
    const std::string head = one.second.substr(0, one.second.find('\n'));
    const auto also = head.find("# also ");
    const auto at = also == std::string::npos ? also : head.find(key, also);
    return at != std::string::npos && !is_key(head[at - 1]) && (at + key.size() == head.size() || !is_key(head[at + key.size()]));
  });
}

TEST(KnownKeys, AreAllInTheBerthTomlOfThePage) {
  const auto tables = documented();
  const auto keys = known_keys(kEveryTable);
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_GT(keys->size(), 90u);
  for (const std::string& path : *keys) {
    const auto is_table = [&](const std::string& name) { return std::ranges::any_of(tables, [&](const auto& one) { return one.first == name || one.first.starts_with(name + "."); }); };
    std::string table = path;
    const std::string key = path.substr(path.rfind('.') + 1);
    bool found = is_table(path) || is_named_beside_another(tables, key);
    while (!found && !table.empty()) {  // in its own table, or as one in braces in a table above
      table.resize(table.contains('.') ? table.rfind('.') : 0);
      const auto own = tables.find(table);
      if (own == tables.end()) continue;
      found = says(own->second, key);
      break;
    }
    EXPECT_TRUE(found) << path;
  }
}

}  // namespace
}  // namespace berth::spec
