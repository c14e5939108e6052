#include "core/trust/dropped.h"

#include <algorithm>
#include <map>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

namespace berth::trust {
namespace {

constexpr std::string_view kMember = "dropped";

std::string folder_of(const std::string& name) { return name.substr(0, name.rfind('/') + 1); }

void keep_bound(Dropped& names) {
  if (names.size() <= kMostDropped) return;
  std::map<std::string, std::vector<std::string>> folders;  // each from its highest name to its lowest
  for (const std::string& name : names) folders[folder_of(name)].push_back(name);
  std::priority_queue<std::pair<std::size_t, std::string>> fullest;
  for (auto& [folder, of_folder] : folders) {
    std::ranges::sort(of_folder, [](const std::string& a, const std::string& b) { return std::tuple(b.size(), b) < std::tuple(a.size(), a); });
    fullest.emplace(of_folder.size(), folder);
  }
  while (names.size() > kMostDropped) {
    const std::string folder = fullest.top().second;
    fullest.pop();
    std::vector<std::string>& of_folder = folders[folder];
    names.erase(of_folder.back());
    of_folder.pop_back();
    fullest.emplace(of_folder.size(), folder);
  }
}

}  // namespace

Dropped dropped_in(const json::object& document) {
  Dropped names;
  const json::value* listed = document.if_contains(kMember);
  if (listed == nullptr || !listed->is_array()) return names;
  for (const json::value& name : listed->get_array())
    if (const auto* text = name.if_string()) names.emplace(*text);
  return names;
}

Dropped join_dropped(Dropped names, const Dropped& more) {
  names.insert(more.begin(), more.end());
  keep_bound(names);
  return names;
}

void add_dropped(json::object& document, const Dropped& names) {
  if (names.empty()) return;
  const Dropped all = join_dropped(dropped_in(document), names);
  document[kMember] = json::array(all.begin(), all.end());
}

}  // namespace berth::trust
