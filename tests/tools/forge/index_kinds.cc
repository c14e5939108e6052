#include <utility>

#include "tests/tools/forge/parts.h"

namespace berth::forge {
namespace {

using bundle::file_entry;
using bundle::folder_entry;
using bundle::link_entry;

Layer honest_layer() { return layer_of_tree(honest_entries(), honest_tar().end()); }

/// The honest layer under an index that `change` makes of its own.
Kind text_kind(std::string release, std::string path, std::string rule, std::function<std::string(std::string)> change) {
  return {std::move(release), std::move(path), std::move(rule), [make = std::move(change)](const Base& base, const std::string& id) {
            Layer layer = honest_layer();
            layer.index = make(std::move(layer.index));
            return release_with(base, id, layer);
          }};
}
Kind replaced_kind(std::string release, std::string path, std::string rule, std::string from, std::string to) {
  return text_kind(std::move(release), std::move(path), std::move(rule),
                   [from = std::move(from), to = std::move(to)](std::string text) { return replaced(std::move(text), from, to); });
}
/// An index that is well-formed JSON, and changed as such.
Kind json_kind(std::string release, std::string path, std::string rule, std::function<void(json::object&)> change) {
  return text_kind(std::move(release), std::move(path), std::move(rule), [make = std::move(change)](const std::string& text) {
    json::value index = json::parse(text).value();
    make(index.as_object());
    return text_of(index);
  });
}
/// One that says `entries`, over a blob as large as they would be.
Kind entries_kind(std::string release, std::string path, std::string rule, std::vector<bundle::Entry> entries) {
  return {std::move(release), std::move(path), std::move(rule), [list = std::move(entries)](const Base& base, const std::string& id) {
            bundle::HandMadeTar tar;
            for (const auto& entry : list) tar.add(entry, std::string(entry.size, 'x'));
            return release_with(base, id, layer_of(list, {{zstd_frame(tar.end()), tar.end().size()}}));
          }};
}
Kind entry_kind(std::string release, std::string path, std::string rule, bundle::Entry entry) {
  return entries_kind(std::move(release), std::move(path), std::move(rule), {std::move(entry)});
}

json::object& frame(json::object& index) { return index["frames"].as_array()[0].as_object(); }
json::object& entry(json::object& index, std::size_t at) { return index["entries"].as_array()[at].as_object(); }
std::int64_t number(const json::value& value) { return value.as_int64(); }

std::vector<bundle::Entry> too_many() {
  std::vector<bundle::Entry> entries;
  for (int i = 0; i <= 200'000; ++i) entries.push_back(link_entry(std::to_string(1'000'000 + i), "x"));
  return entries;
}

Forged too_many_paths(const Base& base, const std::string& release) {
  const auto entries = too_many();
  std::vector<Piece> pieces;
  const std::string zeros = zstd_frame(std::string(bundle::kFrame, '\0'));
  for (std::uint64_t left = entries.size() * bundle::kTarBlock + bundle::kTarEnd; left > 0; left -= pieces.back().tar_size)
    pieces.push_back({zeros, std::min<std::uint64_t>(left, bundle::kFrame)});
  return release_with(base, release, layer_of(entries, pieces));
}

}  // namespace

std::vector<Kind> index_kinds() {
  return {
      json_kind("index-frame-missing", "frames have 0 bytes", "the blob", [](json::object& index) { index["frames"].as_array().clear(); }),
      json_kind("index-frame-twice", "a frame before the last", "less than 16 MiB",
                [](json::object& index) {
                  auto& frames = index["frames"].as_array();
                  frames.push_back(frames[0]);
                }),
      json_kind("index-frame-offset", "a frame begins at 7", "ends at 0", [](json::object& index) { frame(index)["offset"] = 7; }),
      json_kind("index-frame-beyond-the-blob", "a frame begins at 9999999", "ends at 0", [](json::object& index) { frame(index)["offset"] = 9'999'999; }),
      json_kind("index-frame-overlap", "a frame begins at", "the one before ends at",
                [](json::object& index) {
                  auto& frames = index["frames"].as_array();
                  const std::int64_t half = number(frame(index)["size"]) / 2;
                  frames.push_back(json::object{{"offset", half - 1}, {"size", half}, {"tar_size", 512}});
                  frame(index)["size"] = half;
                  frame(index)["tar_size"] = static_cast<std::int64_t>(bundle::kFrame);
                }),
      json_kind("index-frame-longer", "frames have", "the blob", [](json::object& index) { frame(index)["size"] = number(frame(index)["size"]) + 1; }),
      json_kind("index-frame-negative", "offset", "", [](json::object& index) { frame(index)["offset"] = -1; }),
      json_kind("index-frame-of-17-mib", "tar_size", "", [](json::object& index) { frame(index)["tar_size"] = 17 << 20; }),
      json_kind("index-tar-longer", "bytes of tar", "the layer",
                [](json::object& index) { frame(index)["tar_size"] = number(frame(index)["tar_size"]) + 512; }),
      json_kind("index-chunk-other", "chunk", "", [](json::object& index) { index["chunks"].as_array()[0] = std::string(64, '0'); }),
      json_kind("index-chunk-too-many", "chunks", "the blob", [](json::object& index) { index["chunks"].as_array().emplace_back(std::string(64, '0')); }),
      json_kind("index-chunk-no-hash", "chunk's hash", "SHA-256", [](json::object& index) { index["chunks"].as_array()[0] = "../../etc/passwd"; }),
      json_kind("index-entry-missing", "entries do not make a tar", "bytes", [](json::object& index) { index["entries"].as_array().pop_back(); }),
      json_kind("index-entry-twice", "note", "there twice", [](json::object& index) { index["entries"].as_array().push_back(entry(index, 3)); }),
      json_kind("index-entry-out-of-order", "bin/run", "out of order",
                [](json::object& index) {
                  auto& entries = index["entries"].as_array();
                  std::swap(entries[1], entries[2]);
                }),
      json_kind("index-hash-of-capitals", "sha256", "lower-case", [](json::object& index) { entry(index, 3)["sha256"] = std::string(64, 'A'); }),
      json_kind("index-hash-other", "note", "another content", [](json::object& index) { entry(index, 3)["sha256"] = std::string(64, 'a'); }),
      json_kind("index-size-other", "note", "bytes, not", [](json::object& index) { entry(index, 3)["size"] = 7; }),
      json_kind("index-size-negative", "size", "", [](json::object& index) { entry(index, 3)["size"] = -6; }),
      json_kind("index-size-huge", "entries do not make a tar", "bytes", [](json::object& index) { entry(index, 3)["size"] = std::int64_t{1} << 39; }),
      json_kind("index-size-over-all", "size", "", [](json::object& index) { entry(index, 3)["size"] = INT64_MAX; }),
      json_kind("index-mode-setuid", "mode", "0644, 0755", [](json::object& index) { entry(index, 1)["mode"] = "4755"; }),
      json_kind("index-mode-for-all", "mode", "0644, 0755", [](json::object& index) { entry(index, 3)["mode"] = "0666"; }),
      json_kind("index-mode-of-folder", "bin", "mode 0644", [](json::object& index) { entry(index, 0)["mode"] = "0644"; }),
      json_kind("index-type-device", "type", "device", [](json::object& index) { entry(index, 3)["type"] = "device"; }),
      json_kind("index-type-number", "type", "", [](json::object& index) { entry(index, 3)["type"] = 1; }),
      json_kind("index-target-of-file", "target", "", [](json::object& index) { entry(index, 3)["target"] = "x"; }),
      json_kind("index-unknown-member", "evil", "", [](json::object& index) { index["evil"] = 1; }),
      json_kind("index-format-2", "format", "", [](json::object& index) { index["format"] = 2; }),
      replaced_kind("index-not-canonical", "canonical", "index", "\"format\":1", "\"format\": 1"),
      replaced_kind("index-member-twice", "format", "", "\"format\":1", "\"format\":1,\"format\":1"),
      replaced_kind("index-size-of-2-to-the-64", "index", "", "\"size\":6", "\"size\":18446744073709551616"),
      replaced_kind("index-size-with-fraction", "index", "", "\"size\":6", "\"size\":6.0"),
      replaced_kind("index-not-utf8", "index", "", "\"note\"", "\"not\xff\""),
      text_kind("index-cut", "index", "", [](std::string text) { return text.substr(0, text.size() / 2); }),
      text_kind("index-then-more", "index", "", [](std::string text) { return text + "{}"; }),
      text_kind("index-nested-deep", "index", "", [](const std::string&) { return std::string(100'000, '['); }),
      text_kind("index-empty", "", "", [](const std::string&) { return std::string(" "); }),
      entry_kind("index-path-parent", "../berth-evil", "'.' or '..'", file_entry("../berth-evil", "x")),
      entry_kind("index-path-absolute", "/tmp/berth-evil", "absolute", file_entry("/tmp/berth-evil", "x")),
      entry_kind("index-path-4kib", std::string(100, 'n'), "1024 bytes", file_entry(std::string(4096, 'n'), "x")),
      entry_kind("index-path-control", "index", "syntax error", file_entry("e\x01vil", "x")),
      entry_kind("index-link-out", "out", "leads out of the tree", link_entry("out", "../../etc")),
      entry_kind("index-link-absolute", "out", "absolute", link_entry("out", "/etc/passwd")),
      entries_kind("index-link-then-through", "b/evil", "without its folder", {folder_entry("a"), link_entry("b", "a"), file_entry("b/evil", "x")}),
      {"index-200001-paths", "1200000", "one path too many", too_many_paths},
  };
}

}  // namespace berth::forge
