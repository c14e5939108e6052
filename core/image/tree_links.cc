#include <algorithm>
#include <optional>
#include <span>

#include "core/image/layer_tree.h"

// An image's symlinks may be absolute, climb above its root (which is then the root again), and go down and up; those of a bundle's layer may not.

namespace berth::image {
namespace {

constexpr int kMostFollowed = 40;  // as the kernel

using Parts = std::vector<std::string>;

const Node* node_at(const Node& root, const Parts& way) {
  const Node* node = &root;
  for (const std::string& part : way) {
    const auto found = node->children.find(part);
    if (found == node->children.end()) return nullptr;
    node = found->second.get();
  }
  return node;
}

/// Where `parts` lead from the folder `from`, symlinks followed; what is missing is taken for folders. Nothing for links in a circle.
std::optional<Parts> follow(const Node& root, Parts from, std::span<const std::string> parts) {
  Parts left(parts.rbegin(), parts.rend());
  for (int hops = 0; !left.empty();) {
    const std::string part = std::move(left.back());
    left.pop_back();
    if (part == "..") {
      if (!from.empty()) from.pop_back();
      continue;
    }
    from.push_back(part);
    const Node* node = node_at(root, from);
    if (node == nullptr || node->type != EntryType::symlink) continue;
    if (++hops > kMostFollowed) return std::nullopt;
    from.pop_back();
    if (node->target.starts_with('/')) from.clear();
    const Parts more = names_in(node->target);
    left.insert(left.end(), more.rbegin(), more.rend());
  }
  return from;
}

std::string joined_parts(std::span<const std::string> parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "/") + part;
  return text;
}

}  // namespace

std::vector<std::string> names_in(std::string_view path) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (const auto name = path.substr(begin, end - begin); !name.empty() && name != ".") names.emplace_back(name);
    begin = end + 1;
  }
  return names;
}

std::string relative_target(const Node& root, const std::vector<std::string>& folder, std::string_view target) {
  const Parts parts = names_in(target);
  const auto first_name = std::ranges::find_if(parts, [](const std::string& part) { return part != ".."; });
  const auto climbs = static_cast<std::size_t>(first_name - parts.begin());
  const bool absolute = target.starts_with('/');
  // From the last `..` on it only goes down.
  const auto names = std::ranges::find(parts.rbegin(), parts.rend(), "..").base();
  if (!absolute && names == first_name && climbs <= folder.size()) return parts.empty() ? "." : joined_parts(parts);

  const Parts start = absolute ? Parts() : folder;
  auto place = follow(root, start, std::span(parts.begin(), names));
  if (!place) place.emplace();  // links in a circle lead nowhere; any target that is not there does
  place->insert(place->end(), names, parts.end());
  Parts up(folder.size(), "..");
  up.insert(up.end(), place->begin(), place->end());
  return up.empty() ? "." : joined_parts(up);
}

}  // namespace berth::image
