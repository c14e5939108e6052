#include "core/image/layer_tree.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/core.h>

#include "core/bundle/entry_rules.h"
#include "core/bundle/paths.h"

namespace berth::image {
namespace {

constexpr std::size_t kLongestName = 4095;
constexpr std::uint64_t kMostTargets = 64u << 20;  // bytes of all targets of symlinks
constexpr std::size_t kMostSteps = 8192;           // parts on one way, those of the symlinks' targets included
constexpr int kMostHops = 255;  // symlinks on one way; containerd's number
constexpr std::string_view kWhiteout = ".wh.", kOpaque = ".wh..wh..opq", kOfAufs = ".wh..wh.";

std::unexpected<Error> refuse_path(std::string_view path, std::string_view what) {
  return fail(Errc::usage, fmt::format("'{}' {}", bundle::shown(path), what));
}

void list_below(const Node& root, const Node& folder, std::vector<std::string>& way, std::vector<Placed>& all) {
  std::string prefix;
  for (const std::string& part : way) prefix += part + "/";
  for (const auto& [name, node] : folder.children) {
    Placed placed{.path = prefix + name, .type = node->type, .executable = node->executable, .content = node->content};
    if (node->type == EntryType::symlink) placed.target = relative_target(root, way, node->target);
    all.push_back(std::move(placed));
    if (node->type != EntryType::directory) continue;
    way.push_back(name);
    list_below(root, *node, way, all);
    way.pop_back();
  }
}

std::size_t count_below(const Node& folder) {
  std::size_t count = folder.children.size();
  for (const auto& [name, node] : folder.children) count += count_below(*node);
  return count;
}

}  // namespace

Result<std::vector<std::string>> parts_of(std::string_view path) {
  if (path.size() > kLongestName) return refuse_path(path, fmt::format("is longer than {} bytes", kLongestName));
  auto parts = names_in(path);
  if (std::ranges::find(parts, "..") != parts.end()) return refuse_path(path, "leads out of the image");
  return parts;
}

Result<std::unique_ptr<Node>> LayerTree::make(EntryType type) {
  if (++made_ > most_) return fail(Errc::usage, fmt::format("the layers hold more than {} files and folders", most_));
  auto made = std::make_unique<Node>();
  made->type = type;
  made->layer = layer_;
  return made;
}

/// Goes on from `place`. False where something is missing and is not to be made.
Result<bool> LayerTree::walk(Place& place, std::vector<std::string> parts, Missing missing) {
  std::ranges::reverse(parts);  // the next one is the last
  std::size_t steps = 0;
  for (int hops = 0; !parts.empty();) {
    const std::string part = std::move(parts.back());
    parts.pop_back();
    if (++steps > kMostSteps) return refuse_path(part, "is reached by symlinks that lead too far");
    if (part == "..") {
      if (place.way.empty()) continue;
      place.bytes -= place.way.back().first.size() + 1;
      place.way.pop_back();
      continue;
    }
    Node* folder = at(place);
    const auto found = folder->children.find(part);
    if (found == folder->children.end() && missing == Missing::stop) return false;
    if (found != folder->children.end() && found->second->type == EntryType::file) {
      if (missing == Missing::stop) return false;
      return refuse_path(part, "is a file, and something comes below it");
    }
    if (found != folder->children.end() && found->second->type == EntryType::symlink) {
      if (++hops > kMostHops) return refuse_path(part, "is one symlink too many on the way");
      const std::string& target = found->second->target;
      if (target.starts_with('/')) place = {};
      auto more = names_in(target);
      std::ranges::reverse(more);
      if (parts.size() + more.size() > kLongestName) return refuse_path(part, "is a symlink that leads too far");
      std::ranges::move(more, std::back_inserter(parts));
      continue;
    }
    place.bytes += part.size() + 1;
    if (place.bytes > bundle::kLongestPath) return refuse_path(part, fmt::format("lies deeper than {} bytes of path", bundle::kLongestPath));
    if (found == folder->children.end()) {
      BERTH_TRY(auto made, make(EntryType::directory));
      place.way.emplace_back(part, folder->children.emplace(part, std::move(made)).first->second.get());
    } else {
      place.way.emplace_back(part, found->second.get());
    }
  }
  return true;
}

Result<std::pair<Node*, std::string>> LayerTree::parent_and_name(std::string_view path) {
  BERTH_TRY(auto parts, parts_of(path));
  if (parts.empty()) return refuse_path(path, "is the image's root, and must be a folder");
  std::string name = std::move(parts.back());
  parts.pop_back();
  Place place;
  if (const auto done = walk(place, std::move(parts), Missing::make); !done) return pass(done.error(), bundle::shown(path));
  if (place.bytes + name.size() > bundle::kLongestPath)
    return refuse_path(path, fmt::format("lies deeper than {} bytes of path", bundle::kLongestPath));
  return std::pair(at(place), std::move(name));
}

/// A new node in the place of what was there.
Result<Node*> LayerTree::put(std::string_view path, EntryType type) {
  BERTH_TRY(const auto place, parent_and_name(path));
  BERTH_TRY(auto made, make(type));
  auto& there = place.first->children[place.second];
  there = std::move(made);
  return there.get();
}

Result<void> LayerTree::add_directory(std::string_view path) {
  BERTH_TRY(const auto parts, parts_of(path));
  if (parts.empty()) return {};
  BERTH_TRY(const auto place, parent_and_name(path));
  const auto found = place.first->children.find(place.second);
  if (found != place.first->children.end() && found->second->type == EntryType::directory) {
    found->second->layer = layer_;
    return {};
  }
  BERTH_TRY(std::ignore, put(path, EntryType::directory));
  return {};
}

Result<void> LayerTree::add_file(std::string_view path, std::uint64_t content, bool executable) {
  BERTH_TRY(Node* node, put(path, EntryType::file));
  node->content = content;
  node->executable = executable;
  return {};
}

Result<void> LayerTree::set_target(Node& node, std::string_view path, std::string_view target) {
  if (target.size() > kLongestName) return refuse_path(path, fmt::format("is a symlink whose target is longer than {} bytes", kLongestName));
  target_bytes_ += target.size();
  if (target_bytes_ > kMostTargets) return refuse_path(path, fmt::format("is one symlink too many: their targets are over {} bytes", kMostTargets));
  node.target = target;
  return {};
}

Result<void> LayerTree::add_symlink(std::string_view path, std::string_view target) {
  if (target.empty()) return refuse_path(path, "is a link to nothing");
  BERTH_TRY(Node* node, put(path, EntryType::symlink));
  return set_target(*node, path, target);
}

Result<void> LayerTree::add_hardlink(std::string_view path, std::string_view to) {
  BERTH_TRY(auto parts, parts_of(to));
  const Node* source = nullptr;
  if (!parts.empty()) {
    const std::string name = std::move(parts.back());
    parts.pop_back();
    Place place;
    BERTH_TRY(const bool there, walk(place, std::move(parts), Missing::stop));
    if (there)
      if (const auto found = at(place)->children.find(name); found != at(place)->children.end()) source = found->second.get();
  }
  if (source == nullptr || source->type == EntryType::directory)
    return refuse_path(path, fmt::format("is a link to '{}', which is no file that came before it", bundle::shown(to)));
  // Copied before anything is replaced: a file may be linked to itself.
  const EntryType type = source->type;
  const bool executable = source->executable;
  const std::uint64_t content = source->content;
  const std::string target = source->target;
  BERTH_TRY(Node* node, put(path, type));
  node->executable = executable;
  node->content = content;
  return set_target(*node, path, target);
}

/// Takes away what the layers before put into `node`, and says whether anything of this one is left in it.
bool LayerTree::remove_lower(Node& node) const {
  std::erase_if(node.children, [this](auto& child) { return !remove_lower(*child.second) && child.second->layer < layer_; });
  return !node.children.empty();
}

Result<bool> LayerTree::white_out(std::string_view path) {
  BERTH_TRY(auto parts, parts_of(path));
  if (parts.empty() || !parts.back().starts_with(kWhiteout)) return false;
  const std::string name = std::move(parts.back());
  parts.pop_back();
  if (name != kOpaque && name.starts_with(kOfAufs)) return true;  // what AUFS kept for itself
  const std::string hidden = name.substr(kWhiteout.size());
  if (hidden.empty() || hidden == "." || hidden == "..") return refuse_path(path, "is a whiteout of nothing");
  Place place;
  BERTH_TRY(const bool there, walk(place, std::move(parts), Missing::stop));
  if (!there) return true;
  Node& folder = *at(place);
  if (name == kOpaque) {
    remove_lower(folder);
    return true;
  }
  const auto found = folder.children.find(hidden);
  if (found == folder.children.end()) return true;
  const bool something_left = remove_lower(*found->second);
  if (!something_left && found->second->layer < layer_) folder.children.erase(found);
  return true;
}

void LayerTree::make_mount_point(std::string_view path) {
  const auto parts = names_in(path);
  Node* folder = &root_;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto& child = folder->children[parts[i]];
    if (!child || i + 1 == parts.size() || child->type != EntryType::directory) {
      child = std::make_unique<Node>();
      child->layer = layer_;
    }
    folder = child.get();
  }
}

Result<void> LayerTree::reach(std::string_view path) {
  BERTH_TRY(auto parts, parts_of(path));
  Place place;
  BERTH_TRY(std::ignore, walk(place, std::move(parts), Missing::make));
  return {};
}

std::size_t LayerTree::count() const { return count_below(root_); }

std::vector<Placed> LayerTree::list() const {
  std::vector<Placed> all;
  std::vector<std::string> way;
  list_below(root_, root_, way, all);
  std::ranges::sort(all, {}, &Placed::path);
  return all;
}

}  // namespace berth::image
