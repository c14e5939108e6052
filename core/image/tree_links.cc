#include <algorithm>
#include <optional>
#include <span>

#include "core/image/layer_tree.h"

// An image's symlinks may be absolute, climb above its root (which is then the root again), and go down and up; those of a bundle's layer may not.

namespace berth::image {
namespace {

constexpr int kMostFollowed = 40;           // as the kernel
constexpr std::size_t kMostTreeSteps = 4096;   // parts on one way, those of the symlinks' targets included

using Parts = std::vector<std::string>;

const Node* child_of(const Node* folder, const std::string& name) {
  if (folder == nullptr) return nullptr;
  const auto found = folder->children.find(name);
  return found == folder->children.end() ? nullptr : found->second.get();
}

/// Where `parts` lead from the folder `from`, symlinks followed; what is missing is taken for folders. Nothing for links in a circle, and such as lead
/// on and on: every symlink of an image is followed once, so none may take long.
std::optional<Parts> follow(const Node& root, Parts from, std::span<const std::string> parts) {
  Parts left(parts.rbegin(), parts.rend());
  std::vector<const Node*> nodes{&root};  // at each part of `from`, null where there is none
  for (const std::string& part : from) nodes.push_back(child_of(nodes.back(), part));
  std::size_t steps = 0;
  for (int hops = 0; !left.empty();) {
    if (++steps > kMostTreeSteps) return std::nullopt;
    const std::string part = std::move(left.back());
    left.pop_back();
    if (part == "..") {
      if (from.empty()) continue;
      from.pop_back();
      nodes.pop_back();
      continue;
    }
    const Node* node = child_of(nodes.back(), part);
    if (node == nullptr || node->type != EntryType::symlink) {
      from.push_back(part);
      nodes.push_back(node);
      continue;
    }
    if (++hops > kMostFollowed) return std::nullopt;
    if (node->target.starts_with('/')) {
      from.clear();
      nodes.resize(1);
    }
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
