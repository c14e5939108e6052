#include <utility>

#include <fmt/core.h>

#include "tests/tools/forge/parts.h"

namespace berth::forge {
namespace {

using bundle::Entry;
using bundle::file_entry;
using bundle::folder_entry;
using bundle::HandMadeTar;
using bundle::link_entry;

/// Well-formed tar, well-formed index, of the same length, and not the same tree.
Kind tree_kind(std::string release, std::string path, std::string rule, const HandMadeTar& tar, std::vector<Entry> index) {
  return {std::move(release), std::move(path), std::move(rule),
          [text = tar.end(), entries = std::move(index)](const Base& base, const std::string& id) {
            return release_with(base, id, layer_of_tree(entries, text));
          }};
}

HandMadeTar one(const std::string& path, const std::string& content, std::uint32_t mode = 0644) {
  return HandMadeTar().add_file(path, content, mode);
}

/// Many empty files in one folder.
std::vector<Entry> many(const std::string& folder) {
  std::vector<Entry> entries{folder_entry(folder)};
  for (int i = 0; i < 100'000; ++i) entries.push_back(file_entry(fmt::format("{}/{:06}", folder, i), ""));
  return entries;
}

Forged many_others(const Base& base, const std::string& release) {
  HandMadeTar tar;
  for (const Entry& entry : many("other")) tar.add(entry);
  return release_with(base, release, layer_of_tree(many("signed"), tar.end()));
}

}  // namespace

std::vector<Kind> tree_kinds() {
  const HandMadeTar large = HandMadeTar().add_file("a", std::string(300'000, 'a')).add_file("b", "b");
  return {
      tree_kind("tree-other-content", "note", "another content", one("note", "hallo\n"), {file_entry("note", "hello\n")}),
      tree_kind("tree-larger", "note", "File too large", one("note", "hello\n"), {file_entry("note", "hello")}),
      tree_kind("tree-other-size", "note", "6 bytes, not 5", one("note", "hello\n").add_file("z", "longer than that"),
                {file_entry("note", "hello"), file_entry("z", "longer than that")}),
      tree_kind("tree-other-mode", "note", "mode 0755, not 0644", one("note", "hello\n", 0755), {file_entry("note", "hello\n")}),
      tree_kind("tree-other-name", "extra", "not in the signed index", one("extra", "hello\n"), {file_entry("note", "hello\n")}),
      tree_kind("tree-case-twin", "NOTE", "not in the signed index", one("NOTE", "x").add_file("note", "x"),
                {file_entry("note", "x"), file_entry("other", "x")}),
      tree_kind("tree-other-form-of-unicode", "u\xcc\x88", "not in the signed index", one("u\xcc\x88", "x"), {file_entry("\xc3\xbc", "x")}),
      tree_kind("tree-other-folder", "bim", "not in the signed index", HandMadeTar().add(folder_entry("bim")).add_file("bim/run", "x"),
                {folder_entry("bin"), file_entry("bin/run", "x")}),
      tree_kind("tree-other-target", "latest", "leads elsewhere", HandMadeTar().add(link_entry("latest", "note")).add_file("note", "x"),
                {link_entry("latest", "other"), file_entry("note", "x")}),
      tree_kind("tree-link-for-file", "note", "a link, not a file", HandMadeTar().add(link_entry("note", "x")).add_file("z", "z"),
                {file_entry("note", ""), file_entry("z", "z")}),
      tree_kind("tree-folder-for-file", "note", "a folder, not a file", HandMadeTar().add(folder_entry("note")).add_file("z", "z"),
                {file_entry("note", ""), file_entry("z", "z")}),
      tree_kind("tree-file-for-link", "note", "a file, not a link", one("note", "").add_file("z", "z"), {link_entry("note", "z"), file_entry("z", "z")}),
      tree_kind("tree-file-for-folder", "note", "a file, not a folder", one("note", "").add_file("z", "z"), {folder_entry("note"), file_entry("z", "z")}),
      tree_kind("tree-swapped-sizes", "layer", "bytes, not", large, {file_entry("a", "b"), file_entry("b", std::string(300'000, 'a'))}),
      {"tree-100000-other-files", "other", "not in the signed index", many_others},
  };
}

}  // namespace berth::forge
