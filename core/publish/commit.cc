#include "core/publish/commit.h"

#include <algorithm>

#include "core/files/files.h"
#include "core/publish/build.h"

namespace berth::publish {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostLine = 4096;
constexpr std::size_t kMostPackedRefs = 64u << 20;
constexpr int kMostSymbolic = 5;
constexpr std::string_view kDirty = "-dirty";

std::string without_newline(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

std::optional<std::string> line_of(const fs::path& file) {
  auto text = files::read(file, kMostLine);
  if (!text) return std::nullopt;
  return without_newline(std::move(*text));
}

bool is_commit(std::string_view text) {
  const auto is_hex = [](char c) { return ('0' <= c && c <= '9') || ('a' <= c && c <= 'f'); };
  return (text.size() == 40 || text.size() == 64) && std::ranges::all_of(text, is_hex);
}

/// The nearest folder upwards that is a work tree: its `.git` is a folder, or, in a linked work tree or a submodule, a file that names one.
std::optional<CheckedOut> work_tree_of(fs::path folder) {
  while (true) {
    const fs::path git = folder / ".git";
    std::error_code error;
    if (fs::is_directory(git, error)) return CheckedOut{.commit = {}, .work_tree = folder, .git = git, .common = {}};
    if (const auto line = line_of(git); line && line->starts_with("gitdir: "))
      return CheckedOut{.commit = {}, .work_tree = folder, .git = folder / line->substr(8), .common = {}};
    if (folder == folder.parent_path()) return std::nullopt;
    folder = folder.parent_path();
  }
}

/// Where branches lie: a linked work tree has only a HEAD of its own.
fs::path common_folder(const fs::path& git) {
  const auto line = line_of(git / "commondir");
  return line ? git / *line : git;
}

std::string packed(const fs::path& common, const std::string& ref) {
  const auto text = files::read(common / "packed-refs", kMostPackedRefs);
  if (!text) return {};
  std::size_t begin = 0;
  while (begin < text->size()) {
    const auto end = std::min(text->find('\n', begin), text->size());
    const std::string_view line = std::string_view(*text).substr(begin, end - begin);
    const auto space = line.find(' ');
    if (space != std::string_view::npos && line.substr(space + 1) == ref) return std::string(line.substr(0, space));
    begin = end + 1;
  }
  return {};
}

/// What HEAD leads to; empty where it leads to nothing, or somewhere else.
std::string commit_of(const fs::path& git, const fs::path& common) {
  std::string ref = "HEAD";
  for (int hops = 0; hops < kMostSymbolic; ++hops) {
    auto line = line_of(git / ref);
    if (!line) line = line_of(common / ref);
    if (!line) line = packed(common, ref);
    if (is_commit(*line)) return *line;
    if (!line->starts_with("ref: ")) return {};
    ref = line->substr(5);
    if (ref.starts_with('/') || ref.find("..") != std::string::npos) return {};
  }
  return {};
}

}  // namespace

std::optional<CheckedOut> checked_out(const fs::path& folder) {
  std::error_code error;
  const fs::path absolute = fs::weakly_canonical(folder, error);
  if (error) return std::nullopt;
  auto found = work_tree_of(absolute);
  if (!found) return std::nullopt;
  found->common = common_folder(found->git);
  found->commit = commit_of(found->git, found->common);
  return found;
}

std::string dirty(const std::string& commit) { return commit + std::string(kDirty); }
bool is_dirty(std::string_view commit) { return commit.ends_with(kDirty); }

std::string short_commit(const std::string& commit) { return is_dirty(commit) ? dirty(short_digest(commit)) : short_digest(commit); }

}  // namespace berth::publish
