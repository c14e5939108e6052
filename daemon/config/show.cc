#include "daemon/config/show.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "daemon/config/section.h"

namespace berth::config {
namespace {

/// `[paths]`, `[[sink]]`; empty for the top.
std::string header_of(const AskedKey& key) {
  if (key.table.empty()) return {};
  return key.index ? fmt::format("[[{}]]", key.table) : fmt::format("[{}]", key.table);
}

/// "conf.d/10-web.toml:3". `folder` ends with a slash, or is empty.
std::string text_of(const Spot& spot, const std::string& folder) {
  const std::string_view file = spot.file;
  return fmt::format("{}:{}", file.starts_with(folder) ? file.substr(folder.size()) : file, spot.line);
}

std::string origin_of(const AskedKey& key, const std::string& folder) {
  if (key.at.line == 0) return "default";
  return text_of(key.at, folder) + (key.over.line == 0 ? "" : ", over " + text_of(key.over, folder));
}

/// "state = \"/var/lib/berth\"          # default".
std::string line_of(const AskedKey& key, const std::string& folder) {
  constexpr std::size_t kOrigin = 48;
  std::string text = key.value.empty() ? fmt::format("# {} is not set", key.key) : fmt::format("{} = {}", key.key, key.value);
  text.append(text.size() < kOrigin ? kOrigin - text.size() : 1, ' ');
  return text + "# " + origin_of(key, folder) + "\n";
}

}  // namespace

Result<std::string> show(const std::vector<Source>& sources, std::string_view host, const std::vector<SinkKind>& kinds) {
  BERTH_TRY(auto document, Document::parse(sources));
  BERTH_CHECK(read_document(document, host, kinds));
  // A table is read in several places; its keys belong together, and the top's come before any table.
  std::vector<AskedKey> keys;
  for (const AskedKey& key : document.asked()) {
    const auto is_it = [&key](const AskedKey& one) { return one.table == key.table && one.index == key.index && one.key == key.key; };
    if (std::ranges::none_of(keys, is_it)) keys.push_back(key);
  }
  std::vector<std::pair<std::string, std::optional<std::size_t>>> order;
  const auto place = [&order](const AskedKey& key) { return std::ranges::find(order, std::pair(key.table, key.index)) - order.begin(); };
  for (const AskedKey& key : keys)
    if (static_cast<std::size_t>(place(key)) == order.size()) order.emplace_back(key.table, key.index);
  std::ranges::stable_sort(keys, {}, place);
  std::vector<fs::path> files;
  for (const Source& source : sources) files.emplace_back(source.name);
  const std::string& first = sources.front().name;
  const std::string folder = first.substr(0, first.rfind('/') + 1);  // of npos comes 0
  std::string shown = fmt::format("# {}, as berthd of version {} reads it\n", text_of(files), BERTH_VERSION);
  const AskedKey* before = nullptr;
  for (const AskedKey& key : keys) {
    if (const bool begins = before == nullptr || before->table != key.table || before->index != key.index; begins && !key.table.empty()) shown += "\n" + header_of(key) + "\n";
    before = &key;
    shown += line_of(key, folder);
  }
  return shown;
}

}  // namespace berth::config
