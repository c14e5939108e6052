#include <utility>

#include "tests/tools/forge/parts.h"

namespace berth::forge {
namespace {

using bundle::folder_entry;
using bundle::HandMadeTar;
using bundle::link_entry;

/// A tar that is refused on the way.
Kind tar_kind(std::string release, std::string path, std::string rule, const HandMadeTar& tar) {
  return {std::move(release), std::move(path), std::move(rule), [text = tar.end()](const Base& base, const std::string& id) {
            return release_with(base, id, layer_of_tar(text));
          }};
}

HandMadeTar file(const std::string& path) { return HandMadeTar().add_file(path, "evil"); }
HandMadeTar link(const std::string& path, const std::string& target) { return HandMadeTar().add(link_entry(path, target)); }

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

std::vector<Kind> path_kinds() {
  const std::string deep = repeated("d/", 600) + "evil";
  HandMadeTar nested;
  for (int depth = 1; depth <= 600; ++depth) nested.add(folder_entry(repeated("d/", depth - 1) + "d"));
  return {
      tar_kind("path-parent", "../berth-evil", "'.' or '..'", file("../berth-evil")),
      tar_kind("path-parent-inside", "bin/../../berth-evil", "'.' or '..'", file("bin/../../berth-evil")),
      tar_kind("path-parent-last", "bin/..", "'.' or '..'", file("bin/..")),
      tar_kind("path-dot", "./berth-evil", "'.' or '..'", file("./berth-evil")),
      tar_kind("path-absolute", "/tmp/berth-evil", "absolute", file("/tmp/berth-evil")),
      tar_kind("path-two-slashes", "bin//evil", "empty part", file("bin//evil")),
      tar_kind("path-empty", "''", "is empty", file("")),
      tar_kind("path-newline", "new?line", "control characters", file("new\nline")),
      tar_kind("path-escape", "?[2Jevil", "control characters", file("\x1b[2Jevil")),
      tar_kind("path-not-utf8", "evil", "not UTF-8", file("evil\xff\xfe")),
      tar_kind("path-overlong-utf8", "evil", "not UTF-8", file("evil\xc0\xaf")),
      tar_kind("path-surrogate", "evil", "not UTF-8", file("evil\xed\xa0\x80")),
      tar_kind("path-4kib", "first", "pax header of a wrong size", file("first").add_file(std::string(4096, 'n'), "evil")),
      tar_kind("path-part-of-256", std::string(100, 'n'), "more than 255 bytes", file(std::string(256, 'n'))),
      tar_kind("path-deep", "d/d/d/d", "1024 bytes", file(deep)),
      tar_kind("path-deep-folders", "d/d/d/d", "1024 bytes", nested),
      tar_kind("path-without-folder", "nowhere/evil", "without its folder", file("nowhere/evil")),
      tar_kind("path-twice", "note", "there twice", file("note").add_file("note", "evil")),
      tar_kind("path-out-of-order", "a", "out of order", file("b").add_file("a", "evil")),
      tar_kind("path-file-as-folder", "note/evil", "without its folder", file("note").add_file("note/evil", "evil")),
      tar_kind("link-out", "out", "leads out of the tree", link("out", "../../../../etc/passwd")),
      tar_kind("link-out-from-below", "bin/out", "leads out of the tree", HandMadeTar().add(folder_entry("bin")).add(link_entry("bin/out", "../../x"))),
      tar_kind("link-absolute", "out", "absolute", link("out", "/etc/passwd")),
      tar_kind("link-down-and-up", "out", "down and up", link("out", "bin/../../../etc")),
      tar_kind("link-empty", "out", "is empty", link("out", "")),
      tar_kind("link-to-4kib", "first", "pax header of a wrong size", file("first").add(link_entry("out", std::string(4096, 't')))),
      tar_kind("link-then-through", "b/evil", "without its folder",
               HandMadeTar().add(folder_entry("a")).add(link_entry("b", "a")).add_file("b/evil", "evil")),
      tar_kind("link-out-then-through", "out", "leads out of the tree", link("out", "../../../../tmp").add_file("out/berth-evil", "evil")),
      tar_kind("link-then-file", "out", "there twice", link("out", "note").add_file("out", "evil")),
  };
}

}  // namespace berth::forge
